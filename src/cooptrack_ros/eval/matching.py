"""Which box of a result stands for which labelled object of a frame: the devkit's rule, at 2 m in the ground plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MATCH_M = 2.0
"""A box nearer than this to a labelled object of its class has found it (the devkit's rule for tracks and errors)."""
NEAR_M = 4.0
"""A box nearer than this is still about the object, only badly placed."""


@dataclass(frozen=True)
class FrameBoxes:
    """Boxes of one frame within the range of their class: position (n, 2), range (n,), class, score and the rows."""

    position: np.ndarray
    range_m: np.ndarray
    name: np.ndarray
    score: np.ndarray
    rows: list[dict]

    @staticmethod
    def of(rows: Sequence[dict], ego: Sequence[float], limits: Mapping[str, float]) -> FrameBoxes:
        """Take the rows that count, strictly within the range like the devkit."""
        kept = [r for r in rows if _distance(r, ego) < limits[r['name']]]
        return FrameBoxes(np.array([r['translation'][:2] for r in kept], np.float64).reshape(-1, 2),
                          np.array([_distance(r, ego) for r in kept]), np.array([r['name'] for r in kept], object),
                          np.array([r.get('score', 0.0) for r in kept]), kept)


def _distance(row: dict, ego: Sequence[float]) -> float:
    return float(np.hypot(*np.subtract(row['translation'][:2], ego[:2])))


def frame_boxes(exchange: Mapping[str, Any], sample: Mapping[str, Any], table: str) -> FrameBoxes:
    """Return the boxes of a table of a result that count in a frame; none where the result has no such table."""
    return FrameBoxes.of((exchange.get(table) or {}).get(sample['token'], ()), sample['ego_translation'],
                         exchange['class_range'])


def frames_of(scene: Mapping[str, Any]) -> list[dict]:
    """Return the samples of a scene in the order of time."""
    return sorted(scene['samples'], key=lambda s: s['timestamp_us'])


def distances(boxes: FrameBoxes, objects: FrameBoxes, same_class: bool = True) -> np.ndarray:
    """Return metres in the ground plane (P, T), infinite between classes if only the same class may match."""
    distance = np.linalg.norm(boxes.position[:, None] - objects.position[None], axis=-1)
    return np.where(boxes.name[:, None] == objects.name[None], distance, np.inf) if same_class else distance


def greedy_match(distance: np.ndarray, score: np.ndarray, limit_m: float) -> np.ndarray:
    """
    Return for each of T objects the box that takes it, -1 for none.

    As in the devkit: boxes in order of falling score, each takes the nearest object that is left, if near enough.

    :param distance: (P, T) metres, infinite for pairs that must not match; :param score: (P,).
    """
    taken_by = np.full(distance.shape[1], -1)
    for box in np.lexsort((np.arange(len(score)), score))[::-1]:
        left = np.where(taken_by < 0, distance[box], np.inf)
        if len(left) and left.min() < limit_m:
            taken_by[left.argmin()] = box
    return taken_by


def explanations(objects: FrameBoxes, boxes: FrameBoxes, taken_by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return for each object the box that explains why it was not found, -1 for none.

    A box that found nothing explains one object at most: first as one of another class within 2 m, then as one of its
    class 2 to 4 m away.

    :param taken_by: (T,) which box found each object, -1 for none.
    :returns: the boxes of another class, and those badly placed.
    """
    free, missed = ~np.isin(np.arange(len(boxes.rows)), taken_by), taken_by < 0
    explained = []
    for same_class, limit_m in ((False, MATCH_M), (True, NEAR_M)):
        distance = np.where(free[:, None] & missed[None], distances(boxes, objects, same_class), np.inf)
        by = greedy_match(distance, boxes.score, limit_m)
        missed &= by < 0
        free[by[by >= 0]] = False
        explained.append(by)
    return explained[0], explained[1]


class Identities:
    """Under which identity each object of a scene was found the last time."""

    def __init__(self) -> None:
        """Know of none."""
        self._last: dict[str, str] = {}

    def switched(self, objects: FrameBoxes, boxes: FrameBoxes, distance: np.ndarray,
                 taken_by: np.ndarray) -> Iterator[bool]:
        """
        Yield for each found object of a frame whether its identity is another one than the last time.

        Of two tracks on one object either may score higher; as in MOTA the old one stays while it is near.

        :param distance: (P, T) of boxes and objects; :param taken_by: (T,), what ``greedy_match`` makes of it.
        """
        for i in np.flatnonzero(taken_by >= 0):
            found, name = boxes.rows[taken_by[i]]['tracking_id'], objects.rows[i]['track_id']
            near = {boxes.rows[k]['tracking_id'] for k in np.flatnonzero(distance[:, i] < MATCH_M)
                    if k == taken_by[i] or k not in taken_by}
            old = self._last.get(name, found)
            self._last[name] = old if old in near else found
            yield old not in near
