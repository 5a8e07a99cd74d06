"""What one picture shows, independent of where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..common.types import Boxes


@dataclass(frozen=True)
class CameraView:
    """An image (H, W, 3) BGR with its projection (4, 4) from the lidar frame of its agent."""

    image: np.ndarray
    img_from_lidar: np.ndarray


@dataclass(frozen=True)
class RoadsideUnit:
    """A unit that takes part: its cameras, and where it stands, ``ego_from_infra`` (4, 4)."""

    name: str
    cameras: tuple[CameraView, ...]
    ego_from_infra: np.ndarray


@dataclass(frozen=True)
class SceneView:
    """
    One frame in the ego lidar frame (x forward, y left, metres).

    ``provenance`` (N,) of ``common.types.Provenance`` goes with ``tracks``; ``links`` are pairs (row of ``tracks``, row
    of ``infra``) that were fused; ``infra`` are the received boxes of all ``units``, already in the ego frame.
    ``world_from_ego_lidar`` serves the trails.
    """

    ground_truth: Boxes
    tracks: Boxes
    provenance: np.ndarray
    infra: Boxes
    links: tuple[tuple[int, int, float], ...]
    ego_cameras: tuple[CameraView, ...]
    units: tuple[RoadsideUnit, ...]
    world_from_ego_lidar: np.ndarray
    caption: str = ''
    trails: dict[int, np.ndarray] = field(default_factory=dict)
    """World positions (n, 3) of a track in earlier frames."""
