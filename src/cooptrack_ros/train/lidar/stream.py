"""Masked clouds as endless, repeatable streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...model.lidar.pillars import PillarGrid
from ..clips import Position, place_in_epoch
from ..recipe import TrainConfig
from .gather import Gathering, augmented
from .masking import MaskedCloud, mask_cloud


class CloudStream:
    """One frame a position; slots share the frames of every epoch, in random order."""

    def __init__(self, frames: Sequence[Gathering], grid: PillarGrid, config: TrainConfig):
        """Take the frames to draw from."""
        self._frames, self._grid, self._config = frames, grid, config

    @property
    def num_frames(self) -> int:
        """Frames of the vehicle to learn from."""
        return len(self._frames)

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield the frames of a slot, for ever, from a position on."""
        number = start[0] + (start[1] > 0)
        while True:
            yield number, 0
            number += 1

    def sample(self, slot: int, position: Position) -> MaskedCloud:
        """Return a frame; its random numbers depend on slot and position alone."""
        config, settings = self._config, self._config.lidar
        frame = self._frames[place_in_epoch(config, slot, position[0], len(self._frames))]
        rng = np.random.default_rng([config.seed, 4, slot, position[0]])
        points, _ = frame.read(settings.agents)
        points = augmented(points, settings.flip_probability, settings.rotation_deg, settings.scale, rng)
        return mask_cloud(points, self._grid, settings, rng)
