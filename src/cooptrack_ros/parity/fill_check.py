"""Proof that weights and scenes are those of the recordings (``fill_check_seed*.npz``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.config import ModelConfig
from .compare import Comparison
from .fill import SEED_OFFSET, SIDES, fill, manifest
from .scenes import make_image, make_motion

FRAMES = (0, 1, 7)


def check(golden: Any, seed: int, config: ModelConfig, comparison: Comparison) -> None:
    """Compare checksums of every entry and samples of the scenes."""
    for side in SIDES:
        view = comparison.within(side)
        values = [fill(e.name, e.shape, seed + SEED_OFFSET[side]) for e in manifest(side)]
        for name, reduce, limit in (('sum', np.sum, 1e-6), ('abs_sum', lambda v: np.abs(v).sum(), 1e-6)):
            sums = np.array([reduce(v.astype(np.float64)) for v in values])
            view.close(name, sums, golden[f'{side}/{name}'], limit)
        view.exact('first', np.array([v.ravel()[0] for v in values]), golden[f'{side}/first'])
        for frame in FRAMES:
            _check_scene(golden, seed, side, frame, config, view)


def _check_scene(golden: Any, seed: int, side: str, frame: int, config: ModelConfig, view: Comparison) -> None:
    image = make_image(seed, frame, config.input_size, side)
    key = f'image/f{frame}'
    view.close(f'{key}/sample', image[0, :, ::68, ::120], golden[f'{side}/{key}/sample'], 1e-6)
    view.close(f'{key}/mean_std', [image.mean(), image.std()], golden[f'{side}/{key}/mean_std'], 1e-5)
    motion = make_motion(seed, frame, side, config.input_size)
    for name in ('l2g_r_mat', 'l2g_t', 'timestamp', 'can_bus', 'lidar2img', 'veh2inf_rt'):
        stored = golden[f'{side}/motion/f{frame}/{name}']
        view.close(f'motion/f{frame}/{name}', getattr(motion, name), stored, 1e-9)
