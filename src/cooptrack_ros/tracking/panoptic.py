"""Voxels with class and identity from the last frame of a tracker, whose live tracks are the things."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import Side
from ..model.occupancy.head import MaskOutput, OccupancyHead, Queries
from ..model.occupancy.lift import VolumeGeometry, volume_geometry
from ..occupancy.grids import GRIDS, Grid
from ..occupancy.merging import MergeRules
from ..occupancy.segments import Volume
from .lifecycle import Instances
from .tracker import TrackerState


@dataclass(frozen=True)
class PanopticFrame:
    """What was found in a frame: classes and identities of its voxels, and of what T things with which identities."""

    volume: Volume
    output: MaskOutput
    """Of things, then stuff."""
    ids: Tensor
    """(T,), 1 or more."""


def queries_of(rows: Instances) -> Queries:
    """Return rows as queries, a batch of one."""
    return Queries(rows.semantic[None], rows.embedding[None], rows.ref_points[None])


def tracked_queries_of(rows: Instances) -> Queries:
    """Return rows of a tracker as queries with their boxes, a batch of one."""
    return replace(queries_of(rows), codes=rows.codes[None])


class VolumeView:
    """Where the coarse voxels of a head fall in the cameras of a side; remembers the last calibration."""

    def __init__(self, head: OccupancyHead, config: ModelConfig, side: Side, device: torch.device):
        """
        Take head and side.

        :raises ValueError: if the grid of the head is not the range of the tracker.
        """
        self.grid: Grid = GRIDS[head.sizes.profile].grid(side)
        pc_range = config.range_of(side).pc_range
        if not np.allclose((*self.grid.origin, *self.grid.origin + self.grid.extent), pc_range):
            raise ValueError(f'grid {head.sizes.profile} is not the range of the tracker, {pc_range}')
        self._coarse = head.sizes.coarse_grid(self.grid, config)
        self._input_size, self._device = config.input_size, device
        self._last: tuple[bytes, VolumeGeometry] | None = None

    def of(self, img_from_lidar: np.ndarray) -> VolumeGeometry:
        """Return it for projections (V, 4, 4) to pixels of the network input."""
        key = img_from_lidar.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, volume_geometry(self._coarse, img_from_lidar, self._input_size, self._device)
        return self._last[1]


class PanopticReader:
    """
    Reads the state that a tracker leaves after a frame: its features, and its live tracks, which keep their identities.

    The state stays valid, so boxes can be on their way before anybody asks for voxels.
    """

    def __init__(self, head: OccupancyHead, config: ModelConfig, side: Side, device: str = 'cpu',
                 rules: MergeRules | None = None):
        """
        Take a head for a tracker of that configuration and side.

        :raises ValueError: if the head does not fit it, or follows things of its own.
        """
        if head.sizes.queries != 'tracker':
            raise ValueError('this head follows things of its own, not those of a tracker')
        self.head = head.to(device).eval()
        self._view, self._rules = VolumeView(head, config, side, torch.device(device)), rules or MergeRules()

    @property
    def grid(self) -> Grid:
        """Grid of the volumes, in the lidar frame of the side."""
        return self._view.grid

    @property
    def profile(self) -> str:
        """Name of the grid and of its classes."""
        return self.head.sizes.profile

    def volume(self, state: TrackerState) -> Volume:
        """Return classes and identities of voxels at the time of the last frame, see ``read``."""
        return self.read(state).volume

    @torch.inference_mode()
    def read(self, state: TrackerState) -> PanopticFrame:
        """
        Return what is found in the last frame.

        :raises ValueError: if the tracker keeps no image features of it.
        """
        # Trackers whose steps have fixed shapes keep none at all.
        features = getattr(state, 'features', None)
        if features is None:
            raise ValueError('the state has no image features: there was no frame, or its tracker keeps none')
        geometry = self._view.of(state.img_from_lidar)
        output = self.head(features.float(), state.bev.float(), geometry, tracked_queries_of(state.tracks))
        return PanopticFrame(self.head.volume(output, state.tracks.ids, self._rules), output, state.tracks.ids)
