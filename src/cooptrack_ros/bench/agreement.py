"""How far the outputs of two execution paths lie apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..common.geometry import wrap_angle
from ..common.types import Boxes

_GATE_M = 1.0
"""Tracks farther apart are different ones."""


@dataclass
class Agreement:
    """
    Largest differences over frames of what two paths report of the same object.

    Identities are left out: one more birth in one path changes all later ones.
    """

    largest: dict[str, float] = field(default_factory=dict)
    tracks: int = 0
    unmatched: int = 0
    """Tracks that only one of both has."""

    def add(self, ours: Boxes, theirs: Boxes) -> None:
        """Compare the tracks of a frame."""
        a, b = _values(ours), _values(theirs)
        cost = np.abs(a[:, None] - b[None])
        cost[..., _YAW] = np.abs(wrap_angle(a[:, None, _YAW] - b[None, :, _YAW]))
        far = np.linalg.norm(a[:, None, :3] - b[None, :, :3], axis=-1) > _GATE_M
        far |= ours.label[:, None] != theirs.label[None]
        rows, columns = linear_sum_assignment(np.where(far, 1e6, cost.sum(-1)))
        pairs = ~far[rows, columns]
        rows, columns = rows[pairs], columns[pairs]
        self.tracks += len(rows)
        self.unmatched += len(a) + len(b) - 2 * len(rows)
        for name, part in _PARTS.items():
            worst = float(cost[rows, columns][:, part].max(initial=0.0))
            self.largest[name] = max(self.largest.get(name, 0.0), worst)

    @property
    def max_difference(self) -> float:
        """Largest difference of any number (metres, radians, m/s, score)."""
        return max(self.largest.values(), default=0.0)


_YAW = 6
_PARTS = {'centre_m': slice(0, 3), 'size_m': slice(3, 6), 'yaw_rad': slice(6, 7), 'velocity_m_s': slice(7, 9),
          'score': slice(9, 10)}


def _values(boxes: Boxes) -> np.ndarray:
    return np.concatenate([boxes.centre, boxes.size, boxes.yaw[:, None], boxes.velocity, boxes.score[:, None]], axis=1)
