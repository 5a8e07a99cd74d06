"""Deterministic weights under the published names, the same that the recorded outputs were made with."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np
import torch

from ..common.config import ModelConfig
from ..common.types import Side
from ..model.network import PUBLISHED_CODE_WEIGHTS, CoopTrackNetwork
from ..weights.published_keys import from_published

SIDES = {'veh': Side.VEHICLE, 'inf': Side.ROADSIDE, 'coop': Side.COOPERATIVE}
"""Names of the recorded files for our sides."""
SEED_OFFSET = {'veh': 0, 'inf': 1000, 'coop': 2000}

# Chosen so that the synthetic scenes show births, deaths and matches.
_CLS_GAIN = 2.5
_CLS_BIAS = {'veh': -3.45, 'inf': -2.9, 'coop': -3.3}
_REG_BIAS = np.array([0.0, 0.0, 0.6, 1.4, 0.0, 0.45, 0.0, 0.3, 1.0, 0.0])
_REG_GAIN = np.array([0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.8, 0.8, 2.0, 2.0])


@dataclass(frozen=True)
class Entry:
    """One entry of a published checkpoint."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str
    requires_grad: bool


def manifest(side: str) -> list[Entry]:
    """Return the entries of a published tracking checkpoint (``veh``, ``inf`` or ``coop``), in file order."""
    packed = resources.files(__package__).joinpath('manifest.json.gz').read_bytes()
    rows = json.loads(gzip.decompress(packed))
    if side != 'coop':
        rows = sorted((r for r in rows if r['vehicle_index'] is not None), key=lambda r: r['vehicle_index'])
    return [Entry(r['name'], tuple(r['shape']), r['dtype'], r['kind'], r['requires_grad']) for r in rows]


def generator(*keys: int) -> np.random.Generator:
    """Return the random generator of a list of numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(k) for k in keys])))


def named_generator(name: str, seed: int) -> np.random.Generator:
    """Return the random generator of a name."""
    return generator(seed, zlib.crc32(name.encode()))


class _Draw:
    """Random arrays of one entry."""

    def __init__(self, name: str, shape: tuple[int, ...], seed: int):
        self.name, self.shape = name, shape
        self.side = ('veh', 'inf', 'coop')[seed // 1000]
        self.fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        self._generator = named_generator(name, seed)

    def normal(self, std: float, mean: float = 0.0) -> np.ndarray:
        return mean + std * self._generator.standard_normal(self.shape)

    def uniform(self, low: float, high: float) -> np.ndarray:
        return low + (high - low) * self._generator.random(self.shape)

    def centred(self, values: np.ndarray) -> np.ndarray:
        return values - values.mean(axis=1, keepdims=True) if self.fan_in >= 64 else values


def _class_output(d: _Draw) -> np.ndarray:
    if d.name.endswith('weight'):
        return d.centred(d.normal(_CLS_GAIN / np.sqrt(d.fan_in)))
    return d.normal(0.1, _CLS_BIAS[d.side])


def _box_output(d: _Draw) -> np.ndarray:
    if d.name.endswith('weight'):
        return d.normal(1 / np.sqrt(d.fan_in)) * _REG_GAIN[:, None]
    return d.normal(0.05) + _REG_BIAS


def _convolution(d: _Draw) -> np.ndarray:
    if re.search(r'layer\d\.\d+\.conv3\.weight$', d.name):
        gain = 0.3  # keeps the residual sum tame
    else:
        gain = 1.0 if d.name.startswith('img_neck') else 1.3
    return d.normal(np.sqrt(gain / d.fan_in))


def _linear(d: _Draw) -> np.ndarray:
    # Branches of residual sums are damped and rows centred, so that queries stay different from one another.
    damping = 1.0
    if re.search(r'(out_proj|ffns\.0\.layers\.1)\.weight$', d.name):
        damping = 0.15
    elif d.name.endswith('output_proj.weight'):
        damping = 0.4
    values = d.centred(d.normal(damping / np.sqrt(d.fan_in)))
    if re.search(r'STReasoner\.(cross_domain_\w+|fuse_\w+)\.[02]\.weight$', d.name):
        # Mostly passes the first input through, so that tracks persist.
        values *= 0.5
        values[:, :d.shape[0]] += np.eye(d.shape[0])
    if re.search(r'(^query_embedding|ts_query_embed)\.0\.weight$', d.name):
        # The inputs are interleaved sines and cosines; their constant part is taken out.
        for part in (slice(0, None, 2), slice(1, None, 2)):
            values[:, part] -= values[:, part].mean(axis=1, keepdims=True)
    return values


_RULES: list[tuple[Callable[[str, int], object], Callable[[_Draw], np.ndarray]]] = [
    (lambda name, ndim: name.endswith('running_var'), lambda d: d.uniform(0.5, 1.5)),
    (lambda name, ndim: name.endswith('running_mean'), lambda d: d.normal(0.05)),
    (lambda name, ndim: name == 'reference_points.weight', lambda d: d.uniform(0, 1)),
    (lambda name, ndim: name == 'query_feat_embedding.weight', lambda d: d.normal(1)),
    (lambda name, ndim: name.endswith('bev_embedding.weight'), lambda d: d.normal(1)),
    (lambda name, ndim: name.endswith(('row_embed.weight', 'col_embed.weight')), lambda d: d.uniform(0, 1)),
    (lambda name, ndim: name.endswith(('level_embeds', 'cams_embeds')), lambda d: d.normal(0.5)),
    (lambda name, ndim: name.endswith('sampling_offsets.weight'), lambda d: d.normal(0.3 / np.sqrt(d.fan_in))),
    (lambda name, ndim: name.endswith('sampling_offsets.bias'), lambda d: d.normal(1.5)),
    (lambda name, ndim: re.search(r'(cls_branches\.\d+|STReasoner\.track_cls)\.6\.', name), _class_output),
    (lambda name, ndim: re.search(r'(reg_branches\.\d+\.4|STReasoner\.track_reg\.6)\.', name), _box_output),
    (lambda name, ndim: ndim == 1 and name.endswith('.weight'), lambda d: d.uniform(0.8, 1.2)),
    (lambda name, ndim: ndim == 1, lambda d: d.normal(0.02)),
    (lambda name, ndim: ndim == 4, _convolution),
    (lambda name, ndim: True, _linear),
]
"""The first rule whose condition on name and number of dimensions holds makes the values."""


def fill(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """
    Return the float32 values of a published entry; they depend on the arguments alone.

    :param seed: base seed (< 1000) plus ``SEED_OFFSET`` of the side.
    """
    if name.endswith('code_weights'):
        return np.array(PUBLISHED_CODE_WEIGHTS, np.float32)
    if name.endswith('num_batches_tracked'):
        return np.zeros(shape, np.float32)
    make = next(rule for applies, rule in _RULES if applies(name, len(shape)))
    return make(_Draw(name, shape, seed)).astype(np.float32)


def filled_network(config: ModelConfig, side: str, seed: int, association_visible: bool = False) -> CoopTrackNetwork:
    """
    Return the evaluation-mode network of ``veh``, ``inf`` or ``coop`` with filled weights.

    :param association_visible: change the rows of the affinity head such that its node branch has an effect, as
        the recordings named ``asso`` do.
    """
    state = {e.name: torch.from_numpy(fill(e.name, e.shape, seed + SEED_OFFSET[side])).to(getattr(torch, e.dtype))
             for e in manifest(side)}
    if association_visible and side == 'coop':
        weight = state['STReasoner.ffn.0.weight']
        weight += (4e-4 * (torch.arange(len(weight)) % 5 - 2))[:, None]
    network = CoopTrackNetwork(config, SIDES[side])
    network.load_state_dict(from_published(state))
    return network.eval()
