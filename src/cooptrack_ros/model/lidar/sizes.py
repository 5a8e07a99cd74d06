"""Sizes of the point cloud branch, beside those of the tracker on which it stands."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.config import MINI, R50, ModelConfig
from ...common.errors import UserError

PILLARS_PER_CELL = 8
"""So many pillars lie along a BEV cell."""
PILLARS_PER_CODE = 4
"""So many lie along a cell of the encoder's output, in which half a BEV cell is told."""


@dataclass(frozen=True)
class LidarSizes:
    """
    Widths of the encoder: of a pillar, and of the three stages with the number of their layers; the first halves.

    ``neck_dims`` is the width to which each stage is brought before they are joined. ``memory`` says which BEV features
    the camera's encoder takes as those of the frame before: its own (``camera``), as it does without a branch, or
    those with the point cloud (``fused``).
    """

    point_dims: int
    stages: tuple[tuple[int, int], ...]
    neck_dims: int
    memory: str = 'camera'

    def __post_init__(self):
        """
        Check the choice.

        :raises UserError: for one that is none.
        """
        if self.memory not in ('camera', 'fused'):
            raise UserError(f"memory must be camera or fused, not '{self.memory}'")

    @property
    def code_dims(self) -> int:
        """Width of the encoder's output."""
        return len(self.stages) * self.neck_dims


V2X = LidarSizes(64, ((3, 64), (5, 128), (5, 256)), 128)
"""For the published tracker."""
MINI_LIDAR = LidarSizes(16, ((1, 16), (2, 32), (2, 64)), 32)
"""For the tracker ``mini``."""
BRANCHES: dict[str, tuple[ModelConfig, LidarSizes]] = {'mini_lidar': (MINI, MINI_LIDAR), 'r50_lidar': (R50, V2X)}
"""Trackers that a branch belongs to and its sizes, by name."""


def named_branch(name: str) -> tuple[ModelConfig, LidarSizes]:
    """
    Return configuration and sizes by name, also by that of the tracker.

    :raises UserError: for an unknown one.
    """
    found = BRANCHES.get(name) or BRANCHES.get(f'{name}_lidar')
    if found is None:
        raise UserError(f"no point cloud branch '{name}'; known: {', '.join(BRANCHES)}")
    return found
