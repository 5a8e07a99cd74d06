"""Which received instances to use: what several units say of one object counts once, the ego vehicle is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..common.geometry import transform_points
from ..common.types import RoadsideMessage

DISTANCE_M = 2.0


def distinct(messages: Sequence[RoadsideMessage]) -> list[np.ndarray]:
    """
    Return per message which instances to use.

    Of boxes of two units with one class and centres within 2 m, the one with the higher score stays; but what a unit
    says that may only confirm never pushes out what another one says.
    """
    keep = [np.ones(len(m.instances), bool) for m in messages]
    if len(messages) < 2:
        return keep
    unit = np.concatenate([np.full(len(m.instances), i) for i, m in enumerate(messages)])
    place = np.concatenate([np.arange(len(m.instances)) for m in messages])
    centre = np.concatenate([transform_points(m.ego_from_infra, m.instances.boxes.centre) for m in messages])
    label = np.concatenate([m.instances.boxes.label for m in messages])
    score = np.concatenate([m.instances.boxes.score for m in messages])
    confirms = np.concatenate([np.full(len(m.instances), not m.may_create) for m in messages])
    near = np.linalg.norm(centre[:, None, :2] - centre[None, :, :2], axis=-1) <= DISTANCE_M
    rivals = near & (unit[:, None] != unit) & (label[:, None] == label)
    used = np.zeros(len(unit), bool)
    for row in np.lexsort((unit, -score, confirms)):
        used[row] = not (rivals[row] & used).any()
        keep[unit[row]][place[row]] = used[row]
    return keep


LENGTH_M, WIDTH_M = 5.0, 2.2
MARGIN_M = 1.0
"""Units misplace what they see by about this much; the next lane and the next car are farther away."""


def is_ego_vehicle(centre: np.ndarray) -> np.ndarray:
    """Tell (N,) which box centres (N, 3) in the ego lidar frame are those of the vehicle itself."""
    return (np.abs(centre[:, 0]) <= LENGTH_M / 2 + MARGIN_M) & (np.abs(centre[:, 1]) <= WIDTH_M / 2 + MARGIN_M)
