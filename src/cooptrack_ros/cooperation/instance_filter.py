"""Which received instances to use: what several units say of one object counts once, the ego vehicle is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..common.geometry import transform_points
from ..common.types import Boxes, RoadsideMessage
from .limits import best, shares
from .matching import close_pairs

DISTANCE_M = 2.0


def within_limit(messages: Sequence[RoadsideMessage], most: int) -> list[RoadsideMessage]:
    """Return messages of which ``most`` instances in all are looked at: the best of each unit, alike of all units."""
    counts = [len(m.instances) for m in messages]
    if sum(counts) <= most:
        return list(messages)
    return [message if given == count else replace(message, looked_at=best(message.instances.boxes.score, given))
            for message, count, given in zip(messages, counts, shares(counts, most, most), strict=True)]


def distinct(messages: Sequence[RoadsideMessage]) -> list[np.ndarray]:
    """
    Return per message which instances to use, of those that are looked at.

    Of boxes of two units with one class and centres within 2 m, the one with the higher score stays; but what a unit
    says that may only confirm never pushes out what another one says.
    """
    keep = [np.ones(len(m.instances), bool) if m.looked_at is None else m.looked_at.copy() for m in messages]
    if len(messages) < 2:
        return keep
    unit = np.concatenate([np.full(k.sum(), i) for i, k in enumerate(keep)])
    place = np.concatenate([np.flatnonzero(k) for k in keep])
    boxes = Boxes.concatenate([m.instances.boxes[k] for m, k in zip(messages, keep, strict=True)])
    centre = np.concatenate([transform_points(m.ego_from_infra, m.instances.boxes.centre[k])
                             for m, k in zip(messages, keep, strict=True)])
    confirms = np.concatenate([np.full(k.sum(), not m.may_create) for m, k in zip(messages, keep, strict=True)])
    rows, columns = close_pairs(centre[:, :2], centre[:, :2], DISTANCE_M)
    rivals = (unit[rows] != unit[columns]) & (boxes.label[rows] == boxes.label[columns])
    rows, columns = rows[rivals], columns[rivals]
    start = np.searchsorted(rows, np.arange(len(unit) + 1))
    used = np.ones(len(unit), bool)
    # The best first: each pushes out its rivals that are not as good, if nothing pushed it out.
    rank = np.empty(len(unit), np.int64)
    rank[np.lexsort((unit, -boxes.score, confirms))] = np.arange(len(unit))
    for row in np.unique(rows)[np.argsort(rank[np.unique(rows)])]:
        near = columns[start[row]:start[row + 1]]
        used[row] = not (used[near] & (rank[near] < rank[row])).any()
    for message, kept in enumerate(keep):
        kept[place[unit == message]] = used[unit == message]
    return keep


LENGTH_M, WIDTH_M = 5.0, 2.2
MARGIN_M = 1.0
"""Units misplace what they see by about this much; the next lane and the next car are farther away."""


def is_ego_vehicle(centre: np.ndarray) -> np.ndarray:
    """Tell (N,) which box centres (N, 3) in the ego lidar frame are those of the vehicle itself."""
    return (np.abs(centre[:, 0]) <= LENGTH_M / 2 + MARGIN_M) & (np.abs(centre[:, 1]) <= WIDTH_M / 2 + MARGIN_M)
