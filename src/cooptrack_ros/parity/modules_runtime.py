"""Comparison of the parts without weights: read-out, rotation of the BEV features, life of tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ..common.config import ModelConfig
from ..common.types import Side
from ..model.bev.geometry import BevMotion, align_bev, rotation_grid
from ..model.instances.boxes import codes_from_boxes, decode_codes
from ..tracking.lifecycle import Instances, assign_ids, survive
from ..tracking.postprocess import report
from .compare import TOLERANCES as T
from .compare import Arrays, Comparison


def _rows(count: int, config: ModelConfig) -> Instances:
    return Instances.new(torch.zeros(count, 3), torch.zeros(count, 1), torch.zeros(count, 1), config.hist_len, 3)


def check_coder(a: Arrays, config: ModelConfig) -> None:
    """Compare what is reported of rows with given logits and codes."""
    logits = a['logits']
    scores, labels = logits.sigmoid().max(-1)
    count = len(logits)
    rows = _rows(count, config).with_(codes=a['boxes'], scores=scores, labels=labels, ids=torch.arange(count))
    boxes, reported = report(rows, config, Side.VEHICLE, torch.ones_like(rows.ids, dtype=torch.bool))
    a.comparison.exact('out_bbox_index[out_mask]', reported, a['out_bbox_index'][a['out_mask']])
    a.exact('out_obj_idxes', boxes.track_id)
    a.exact('out_labels', boxes.label)
    a.close('out_scores', boxes.score, T.scores)
    a.close('out_bboxes', decode_codes(codes_from_boxes(boxes)), T.boxes)


def check_rotation(a: Arrays, config: ModelConfig) -> None:
    """Compare which cell each cell reads after a rotation of the BEV features."""
    rows, columns = config.bev_size
    cells = torch.arange(1, rows * columns + 1, dtype=torch.float32).view(1, -1, 1)
    read = []
    for angle in a['angles_deg'].tolist():
        motion = BevMotion(torch.zeros(1, 18), torch.zeros(1, 2), rotation_grid(config.bev_size, angle)[None])
        read.append(align_bev(config, cells, motion).view(rows, columns))
    a.exact('index_map', torch.stack(read).to(torch.int16))


def check_tracker(golden: Any, name: str, max_age: int, config: ModelConfig, comparison: Comparison) -> None:
    """Run the scripted life of six slots and compare identities and survivors of each frame."""
    slots, next_id = 6, 1
    settings = replace(config.tracker_vehicle, max_age=max_age)
    tracks = _rows(0, config)
    stream = torch.from_numpy(golden[f'{name}/score_stream'])
    for frame, scores in enumerate(stream):
        view = comparison.within(f'{name}/f{frame}')
        rows = Instances.concatenate([_rows(max(slots - len(tracks), 0), config), tracks])
        rows = rows.with_(scores=scores[:len(rows)])
        rows, next_id = assign_ids(rows, next_id, settings.score_threshold)
        rows, live = survive(rows, settings)
        view.exact('ids_all', rows.ids, golden[f'{name}/f{frame}/ids_all'])
        tracks = rows[live]
        for key, value in (('next_obj_idxes', tracks.ids), ('next_disappear_time', tracks.missed),
                           ('next_track_query_mask', tracks.established), ('next_scores', tracks.scores)):
            view.exact(key, value, golden[f'{name}/f{frame}/{key}'])
