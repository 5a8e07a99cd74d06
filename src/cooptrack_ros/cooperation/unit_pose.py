"""Where a unit says that it stands: a pose that jumps is refused, one that wanders is told."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ..common.geometry import nearest_rotation
from .sessions import StaleMessage

_SPEED_M_S, _SLACK_M = 50.0, 2.0
_TURN_DEG_S, _SLACK_DEG = 90.0, 10.0
"""Faster than this nothing moves that carries a unit."""
_PATIENCE = 20
"""After so many messages in a row that agree with each other the unit is believed to stand there."""
_MAX_SESSIONS = 8


@dataclass(frozen=True)
class Movement:
    """How a pose differs from an earlier one."""

    distance_m: float
    turn_deg: float

    def exceeds(self, other: Movement) -> bool:
        """Tell whether it is larger than another one in either way."""
        return self.distance_m > other.distance_m or self.turn_deg > other.turn_deg


@dataclass
class _Place:
    """Where a unit was first and last in a session, and where those messages say it is that are refused."""

    first: np.ndarray
    last: np.ndarray
    last_ns: int
    other: np.ndarray | None = None
    other_ns: int = 0
    others: int = 0


class PoseWatch:
    """Poses of one unit; they are compared within a session, which a unit leaves when it is started anew."""

    def __init__(self) -> None:
        """Start without any."""
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._session: int | None = None

    def check(self, session: int, stamp_ns: int, map_from_infra: np.ndarray) -> None:
        """
        Take in the pose of a message.

        :raises StaleMessage: ``pose_jumped``.
        """
        place = self._places.get(session)
        if place is None:
            self._places[session] = _Place(map_from_infra, map_from_infra, stamp_ns)
            while len(self._places) > _MAX_SESSIONS:
                self._places.popitem(last=False)
        elif _reaches(place.last, place.last_ns, map_from_infra, stamp_ns):
            place.last, place.last_ns, place.others = map_from_infra, stamp_ns, 0
        else:
            agrees = place.others and _reaches(place.other, place.other_ns, map_from_infra, stamp_ns)
            place.other, place.other_ns = map_from_infra, stamp_ns
            place.others = place.others + 1 if agrees else 1
            if place.others < _PATIENCE:
                moved = movement(place.last, map_from_infra)
                raise StaleMessage(
                    'pose_jumped', f'its pose is {moved.distance_m:.1f} m and {moved.turn_deg:.0f} degrees from that '
                    'of the message before: two units of one name, or a unit that was moved and not started anew?')
            place.last, place.last_ns, place.others = map_from_infra, stamp_ns, 0
        self._session = session

    @property
    def moved(self) -> Movement | None:
        """Return how far the unit is from where it was first in its session, None before there is a message."""
        if self._session not in self._places:
            return None
        place = self._places[self._session]
        return movement(place.first, place.last)


def movement(first: np.ndarray, last: np.ndarray) -> Movement:
    """Return how two poses (4, 4) of nearly rotations differ; a scale of 1 % would hide a turn of ten degrees."""
    cosine = (np.trace(nearest_rotation(first[:3, :3].T @ last[:3, :3])) - 1) / 2
    return Movement(float(np.linalg.norm(last[:3, 3] - first[:3, 3])),
                    math.degrees(math.acos(min(max(float(cosine), -1.0), 1.0))))


def _reaches(pose: np.ndarray, pose_ns: int, other: np.ndarray, other_ns: int) -> bool:
    """Tell whether something that was at one pose can be at another one at its time."""
    elapsed_s, moved = abs(other_ns - pose_ns) / 1e9, movement(pose, other)
    return (moved.distance_m <= _SLACK_M + _SPEED_M_S * elapsed_s
            and moved.turn_deg <= _SLACK_DEG + _TURN_DEG_S * elapsed_s)
