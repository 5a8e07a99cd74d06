"""Pictures of the comparison that ``syncl.py`` makes on drawn BEV features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import synthetic_features as features
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from cooptrack_ros.common.types import Side
from cooptrack_ros.model.instances.boxes import denormalize
from cooptrack_ros.tracking.lifecycle import Instances
from cooptrack_ros.train.checkpoint import read_training
from cooptrack_ros.train.clips import Sample
from cooptrack_ros.train.frame_tensors import targets_of
from cooptrack_ros.train.recipe import TrackSelectionConfig

_FIGURES = ('AMOTA', 'recall', 'MOTA', 'FN', 'IDS', 'mAP')
_PLAIN, _SYNCL = 'baseline', 'SynCL'
_SEED, _LAST = features.TEST[0], 8
"""Sequence and frame of the drawing of attention."""


def draw_all(results: Path, runs: Path, folder: Path) -> None:
    """Draw the arms, the mechanism over a training, and the attention of an object query."""
    content = json.loads(results.read_text(encoding='utf-8'))
    folder.mkdir(parents=True, exist_ok=True)
    draw_arms(folder / 'syncl.png', content['summary']['arms'])
    draw_mechanism(folder / 'syncl_mechanism.png', content)
    draw_attention(folder / 'syncl_attention.png', {name: runs / f'{name}_0' for name in (_PLAIN, _SYNCL)})


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def _bars(axes: Axes, title: str, arms: dict[str, dict]) -> None:
    axes.bar(range(len(arms)), [v['mean'] for v in arms.values()], yerr=[v['std'] or 0.0 for v in arms.values()],
             color=['0.6' if arm.startswith(_PLAIN) else 'tab:blue' for arm in arms], capsize=3)
    axes.set_xticks(range(len(arms)), arms, rotation=60, ha='right', fontsize=7)
    axes.set_title(title, fontsize=9)
    axes.tick_params(axis='y', labelsize=7)


def draw_arms(path: Path, arms: dict[str, dict]) -> None:
    """Draw bars of the tracking figures with their spread over seeds."""
    figure = _figure(12, 3.4)
    for axes, name in zip(figure.subplots(1, len(_FIGURES)), _FIGURES, strict=True):
        _bars(axes, name, {arm: values[name] for arm, values in arms.items() if name in values})
    figure.savefig(path, dpi=110)


def _curve(axes: Axes, title: str, content: dict[str, Any], name: str) -> None:
    for arm, rows in content['runs']['arms'].items():
        curves = [np.array(row[name]) for row in rows if row.get(name)]
        if curves:
            values = np.stack([c[:, 1] for c in curves])
            axes.plot(curves[0][:, 0], values.mean(0), label=arm)
            axes.fill_between(curves[0][:, 0], values.min(0), values.max(0), alpha=0.2)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel('step', fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)


def draw_mechanism(path: Path, content: dict[str, Any]) -> None:
    """Draw threshold and retrieval over the training, and what the queries do on test sequences."""
    figure, arms = _figure(12, 3.4), content['summary']['arms']
    threshold, retrieval, candidates, cosine = figure.subplots(1, 4)
    _curve(threshold, 'threshold of the costs (M3)', content, 'syncl_threshold_curve')
    _curve(retrieval, 'retrieval of the right track (M2)', content, 'syncl_retrieval_curve')
    for axes, title, name in (
            (candidates, 'sure candidates per object,\nsecond pass (M1)', 'syncl_candidates'),
            (cosine, 'cosine of one object minus\nthat of two, first pass (M4)', 'syncl_cosine')):
        _bars(axes, title, {arm: values[name] for arm, values in arms.items() if name in values})
    figure.savefig(path, dpi=110)


class _Scene(NamedTuple):
    """A frame, and one object query of it that stands for an object with a track."""

    bev: Tensor
    rows: Instances
    objects: Tensor
    """(G, 2) m."""
    query: int
    track: int


def _scene(network: features.FeatureNetwork) -> _Scene:
    """Return the frame that is drawn, with the query that lies closest to an object with a track."""
    # Every object gets a track, however badly it is placed.
    recipe = replace(features.RECIPE, selection=TrackSelectionConfig(-1.0, 0.0, 0.0))
    stage = features.FeatureStage(network, recipe)
    stage.modules.eval()
    seen: dict[str, Any] = {}
    torch.manual_seed(0)
    for frame in range(_LAST + 1):
        sample = Sample(features.test_input(_SEED, frame), targets_of(features.sequence(_SEED).boxes[frame]))
        stage.losses([0], [sample], seen.__setitem__)
    rows, targets = seen['seen'].queries.instances, seen['targets']
    with torch.no_grad():
        _, alone = network.decoder.twice(seen['seen'].bev, *_inputs(rows))
    middle = targets.codes[:, :2].abs().amax(1) < 18
    tracks = {int(i): n for n, i in enumerate(rows.ids.tolist()) if i >= 0}
    chosen = [g for g in range(len(targets)) if int(targets.ids[g]) in tracks and middle[g]]
    distance = torch.cdist(alone.boxes[-1, 0, :, :2], targets.codes[:, :2])
    distance[rows.ids >= 0] = torch.inf
    score = alone.logits[-1, 0].sigmoid().amax(-1)
    best = max(chosen, key=lambda g: float(score[distance[:, g].argmin()]))
    return _Scene(seen['seen'].bev, rows, targets.codes[:, :2], int(distance[:, best].argmin()),
                  tracks[int(targets.ids[best])])


def _inputs(rows: Instances) -> tuple[Tensor, Tensor, Tensor]:
    return rows.semantic[None], rows.embedding[None], rows.ref_points[None]


class _Attention(NamedTuple):
    weights: Tensor
    """(N,) of the object query over all queries, mean of the heads of the last layer."""
    points: Tensor
    """(N, 2) m, of the queries."""
    samples: Tensor
    """(S, 2) m, where the object query reads the BEV features."""
    read: Tensor
    """(S,)."""
    score: float


@torch.no_grad()
def _attention(network: features.FeatureNetwork, bev: Tensor, rows: Instances, query: int) -> _Attention:
    """Return what an object query attends to in the last layer."""
    decoder, pc_range = network.decoder, features.CONFIG.ego_range.pc_range
    output = decoder(bev, *_inputs(rows))
    layer, feats, refs = decoder.layers[-1], output.feats[-2], output.refs[-2]
    attention, embeds = layer.self_attention, rows.embedding[None]
    q, k = torch.nn.functional.linear(feats + embeds, attention.in_weight[:2 * attention.dims],
                                      attention.in_bias[:2 * attention.dims])[0].chunk(2, dim=-1)
    q, k = (x.view(len(x), attention.heads, -1).transpose(0, 1) for x in (q, k))
    weights = (q[:, query, None] @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1).mean((0, 1))
    sampling = layer.sampling
    reading = (layer.norms[0](layer.attend(feats, embeds)) + embeds)[0, query]
    offsets = sampling.offsets(reading).view(-1, 2)
    size = offsets.new_tensor([features.CELLS, features.CELLS])
    samples = torch.cat([refs[0, query, :2] + offsets / size, offsets.new_zeros(len(offsets), 1)], dim=1)
    read = sampling.weights(reading).view(sampling.heads, -1).softmax(-1).flatten() / sampling.heads
    return _Attention(weights, denormalize(refs[0], pc_range)[:, :2], denormalize(samples, pc_range)[:, :2], read,
                      float(output.logits[-1, 0, query].sigmoid().max()))


def draw_attention(path: Path, runs: dict[str, Path]) -> None:
    """Draw a frame for each run: attention of an object query beside its track query, and without that."""
    figure = _figure(9, 4.6 * len(runs))
    for row, (name, folder) in zip(figure.subplots(len(runs), 2, squeeze=False), runs.items(), strict=True):
        saved = read_training(folder / 'checkpoint.pt')['modules']
        network = features.new_network(Side.VEHICLE, 0, {
            k.removeprefix('network.'): v for k, v in saved.items() if k.startswith('network.')})
        scene = _scene(network)
        others = torch.arange(len(scene.rows)) != scene.track
        for axes, kept, title in zip(row, (torch.ones_like(others), others), (
                'with its track query', 'without its track query'), strict=True):
            place = int(kept[:scene.query].sum())
            found = _attention(network, scene.bev, scene.rows[kept], place)
            _panel(axes, scene, found, place, scene.rows[kept].ids >= 0)
            own = kept.nonzero().flatten() == scene.track
            axes.set_title(f'{name}, {title}: score {found.score:.2f}' + (
                f'\n{float(found.weights[own].sum()):.0%} of its attention goes to that' if own.any() else ''),
                fontsize=9)
    figure.savefig(path, dpi=100)


def _panel(axes: Axes, scene: _Scene, found: _Attention, query: int, is_track: Tensor) -> None:
    half = features.HALF_M
    blobs = features.test_input(_SEED, _LAST).images[0].mean(0)
    axes.imshow(blobs, extent=(-half, half, -half, half), origin='lower', cmap='Greys', alpha=0.5)
    axes.scatter(*scene.objects.T, marker='s', s=110, facecolors='none', edgecolors='k', label='objects')
    for kind, colour, label in ((~is_track, 'tab:blue', 'object queries'), (is_track, 'tab:orange', 'track queries')):
        axes.scatter(*found.points[kind].T, s=1500 * found.weights[kind], color=colour, alpha=0.7, label=label)
    axes.scatter(*found.samples.T, marker='+', s=400 * found.read, color='tab:green', label='reads the BEV here')
    axes.scatter(*found.points[query], marker='*', s=120, color='tab:red', label='the object query')
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
    axes.tick_params(labelsize=7)
    legend = axes.legend(fontsize=6, loc='lower right')
    for handle in legend.legend_handles:
        handle.set_sizes([30])
