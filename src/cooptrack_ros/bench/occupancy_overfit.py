"""One sequence of voxels learned by heart: whether the training of a head with things of its own works at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ..common.config import EGO_RANGE, MINI
from ..common.types import Side
from ..data.dataset import CameraFrame, FrameRecord
from ..eval.occupancy.report import figures_of
from ..eval.occupancy.run import OwnSource, measure
from ..eval.selection import Selection
from ..model.network import CoopTrackNetwork
from ..model.occupancy.head import OccupancyHead
from ..model.occupancy.sizes import OccupancySizes
from ..occupancy.grids import GRIDS, TOY
from ..occupancy.label_file import VoxelLabels, label_path, write_voxels
from ..occupancy.mask_boxes import voxels_in
from ..occupancy.rays import PIXELS_PER_RAY
from ..occupancy.segments import Volume
from ..occupancy.taxonomy import V2X
from ..occupancy.visibility import seen_by_cameras
from ..tracking.own_things import ThingTracker
from ..train.loop import TrainLoop
from ..train.occupancy.clips import OccupancyStream
from ..train.occupancy.settings import OccupancyConfig
from ..train.occupancy.stage import OccupancyStage
from ..train.recipe import RECIPES, AugmentConfig, TrackSelectionConfig
from ..viz.image_files import write_image
from ..viz.voxels import draw_perspective

FRAMES = 10
GOAL = 0.80
"""Strict OccSTQ of what the camera sees."""
GOAL_CPU_MINUTES = 10.0
_SIDE, _STEP_S = 'vehicle-side', 0.1
_SIZE, _INTRINSIC = (160, 96), np.array([[80.0, 0, 80], [0, 80, 48], [0, 0, 1]])
_CARS = ((7.0, -5.0, 4.0, -1.0), (9.0, 4.5, -2.0, 1.0), (15.0, -1.0, 0.0, 5.0), (18.0, -8.0, -5.0, 3.0))
"""Place and velocity of each at first, m and m/s; they are as long as they are wide, so they need no heading."""
_CAR_SIZE = np.array([2.4, 2.4, 1.9])
_GRID = GRIDS[TOY].vehicle
_RANGE = tuple(float(x) for x in (*_GRID.origin, *_GRID.origin + _GRID.extent))
CONFIG = replace(
    MINI, input_size=(96, 160), embed_dims=32, num_heads=4, num_queries=20, bev_size=(12, 12), encoder_layers=1,
    decoder_layers=1, ffn_dims=32, reasoning_ffn_dims=32, backbone=replace(MINI.backbone, widths=(12, 16, 24, 32)),
    ego_range=replace(EGO_RANGE, pc_range=_RANGE))
SIZES = OccupancySizes(TOY, 24, 24, (16, 12), thing_queries=12, stuff_queries=4, ffn_dims=64)
RECIPE = replace(
    RECIPES['mini-occupancy-own'], epochs=0.0, clip_length=FRAMES, learning_rate=2e-3, warmup_steps=20,
    backbone_lr_factor=1.0, freeze_backbone=False, freeze_neck=False, checkpoint_every=100, occupancy=OccupancyConfig(),
    selection=TrackSelectionConfig(drop_probability=0.0, false_positive_ratio=0.0),
    augment=AugmentConfig(photometric_probability=0.0, grid_mask_probability=0.0))


class ToySequence:
    """A data set of one sequence: four blocks that drive over a plane, all in sight of a camera that stands still."""

    classes, options, split = ('car',), MappingProxyType({}), MappingProxyType({'val': ('0',)})

    def __init__(self, folder: Path):
        """Write images and labels into a folder."""
        self.root, self.units = folder, {'': self}
        self._records = [self._record(k) for k in range(FRAMES)]

    def has_side(self, side: str) -> bool:
        """Tell whether it is that of the vehicle."""
        return side == _SIDE

    def sequences(self, split: str | None = None) -> list[str]:
        """Return the only one."""
        return ['0']

    def records(self, side: str, sequence: str | None = None) -> list[FrameRecord]:
        """Return all frames."""
        return self._records

    def training_records(self, side: str) -> list[FrameRecord]:
        """Return all frames."""
        return self._records

    def _record(self, k: int) -> FrameRecord:
        token, camera = f'{k:06d}', self._camera(k)
        labels = _labels(k, camera.img_from_lidar)
        path = label_path(self.root, TOY, token)
        write_voxels(path, labels)
        picture = draw_perspective(Volume(labels.semantics, labels.instances), _GRID, V2X, _SIZE, camera.img_from_lidar)
        write_image(camera.image_path, picture)
        return FrameRecord(
            token=token, sequence='0', stamp_us=round(1e6 * _STEP_S * k), cameras=(camera,), ego_from_lidar=np.eye(4),
            global_from_ego=np.eye(4), stored_global_from_lidar=np.eye(4), side=_SIDE, classes=self.classes,
            labelled=True, occupancy={TOY: path})

    def _camera(self, k: int) -> CameraFrame:
        cam_from_lidar = np.eye(4)
        cam_from_lidar[:3, :3] = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
        return CameraFrame('front', self.root / f'{k:06d}.png', round(1e6 * _STEP_S * k), _INTRINSIC, cam_from_lidar,
                           np.zeros(5))


def _labels(k: int, img_from_lidar: np.ndarray) -> VoxelLabels:
    """Return the labels of a frame: ground in the lowest layer, and the blocks."""
    semantics, instances = np.full(_GRID.shape, V2X.free, np.uint8), np.zeros(_GRID.shape, np.uint16)
    semantics[:, :, 0] = V2X.classes.index('ground')
    for identity, (x, y, vx, vy) in enumerate(_CARS, 1):
        centre = np.array([x + vx * _STEP_S * k, y + vy * _STEP_S * k, _GRID.origin[2] + 2.0])
        inside = voxels_in(_GRID, centre, _CAR_SIZE, 0.0)
        semantics.ravel()[inside], instances.ravel()[inside] = V2X.classes.index('car'), identity
    # A ray for every pixel: the image is small.
    finer = np.diag([PIXELS_PER_RAY, PIXELS_PER_RAY, 1.0, 1.0]) @ img_from_lidar
    seen = seen_by_cameras(_GRID, semantics != V2X.free, [(finer, tuple(PIXELS_PER_RAY * n for n in _SIZE))])
    names = np.arange(1, len(_CARS) + 1)
    return VoxelLabels(semantics, instances, np.ones(_GRID.shape, np.uint8), seen.astype(np.uint8), names, names)


def overfit(folder: Path, steps: int, seed: int = 0,
            report: Callable[[int, float, dict], None] | None = None) -> dict[str, Any]:
    """
    Learn the sequence by heart and return its figures and what they cost; a run that was stopped goes on.

    :param folder: for the data and the run; :param report: see ``TrainLoop.run``.
    """
    started = time.process_time()
    recipe = replace(RECIPE, steps=steps, seed=seed)
    data = [(folder / 'data', ToySequence(folder / 'data'))]
    torch.manual_seed(seed)
    stage = OccupancyStage(CoopTrackNetwork(CONFIG, Side.VEHICLE), OccupancyHead(CONFIG, SIZES), recipe)
    stream = OccupancyStream(data, Side.VEHICLE, CONFIG, recipe, TOY)
    loop = TrainLoop(stage, stream, recipe, folder / 'run')
    loop.run(report)
    network, head = stage.network.eval(), stage.head.eval()
    source = OwnSource(ThingTracker(network, head, CONFIG, Side.VEHICLE), CONFIG)
    figures = figures_of(measure(source, data, Selection(), _SIDE), TOY, None)
    minutes = (time.process_time() - started) / 60
    return {**figures, 'steps': loop.step, 'seed': seed, 'cpu_minutes': minutes,
            'goal_reached': (figures['strict']['OccSTQ'] or 0.0) >= GOAL and minutes <= GOAL_CPU_MINUTES}
