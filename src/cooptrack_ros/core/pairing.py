"""Received messages of one roadside unit, and which of them belongs to an ego frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .compensation import HISTORY_S
from .types import InstanceSet, RoadsideMessage

_AHEAD_NS = 1_000_000_000
"""What lies farther ahead after a jump of time is left over from before it."""


class StaleMessage(ValueError):
    """A message that must not be used; ``reason`` is a short code that is counted."""

    def __init__(self, reason: str, text: str):
        """Name the reason."""
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class UnitMessage:
    """A received, checked message of a unit; ``map_from_infra`` (4, 4) is the pose of its lidar frame."""

    unit_id: str
    stamp_ns: int
    session: int
    sequence: int
    model_id: str
    instances: InstanceSet
    map_from_infra: np.ndarray

    def placed(self, ego_from_infra: np.ndarray, earlier: Sequence[UnitMessage] = ()) -> RoadsideMessage:
        """
        Return it with its place in the ego lidar frame.

        :param earlier: messages of the unit before it, see ``UnitBuffer.before``.
        """
        return RoadsideMessage(self.unit_id, self.stamp_ns, self.instances, ego_from_infra,
                               tuple(m.placed(ego_from_infra) for m in earlier))


@dataclass(frozen=True)
class PairingConfig:
    """How old a message may be, and how far ahead its clock."""

    max_infra_age_s: float = 0.5
    max_clock_skew_s: float = 0.05
    capacity: int = 32


class UnitBuffer:
    """Keeps the last messages of a unit; refuses replays within a session, starts anew with a new session."""

    def __init__(self, config: PairingConfig):
        """Start empty."""
        self.config = config
        self._messages: deque[UnitMessage] = deque(maxlen=config.capacity)
        self._refused: deque[UnitMessage] = deque(maxlen=config.capacity)
        self._session: int | None = None
        self._highest = -1

    def add(self, message: UnitMessage) -> bool:
        """
        Keep a message; return True if it starts a new session of the unit.

        :raises StaleMessage: for a number that was passed before in this session.
        """
        restarted = message.session != self._session
        if restarted:
            self._session, self._highest = message.session, -1
            self._messages.clear()
            self._refused.clear()
        if message.sequence <= self._highest:
            self._refused.append(message)
            raise StaleMessage('replayed', f'sequence number {message.sequence} after {self._highest} in one session')
        self._highest = message.sequence
        self._messages.append(message)
        return restarted

    def at(self, stamp_ns: int) -> UnitMessage | None:
        """Return the message with exactly this stamp."""
        return next((m for m in reversed(self._messages) if m.stamp_ns == stamp_ns), None)

    def before(self, message: UnitMessage) -> list[UnitMessage]:
        """Return the kept messages of the unit that tell how its objects came to where another one says, by stamp."""
        oldest = message.stamp_ns - round(HISTORY_S * 1e9)
        return sorted((m for m in self._messages if oldest <= m.stamp_ns < message.stamp_ns), key=lambda m: m.stamp_ns)

    def newest_for(self, ego_stamp_ns: int) -> UnitMessage | None:
        """Return the newest message that is not younger than the ego frame (but for clock skew) nor too old."""
        oldest = ego_stamp_ns - round(self.config.max_infra_age_s * 1e9)
        youngest = ego_stamp_ns + round(self.config.max_clock_skew_s * 1e9)
        usable = [m for m in self._messages if oldest <= m.stamp_ns <= youngest]
        return max(usable, key=lambda m: m.stamp_ns, default=None)

    def restart(self, stamp_ns: int) -> None:
        """
        Go on after a jump of time to ``stamp_ns``, as when a bag starts again.

        What lies ahead is forgotten. Messages that were refused as replays but belong to the new time are taken
        in: the unit's recorded numbers start again before the ego vehicle can know of the jump.
        """
        def fits(message: UnitMessage) -> bool:
            return message.stamp_ns <= stamp_ns + _AHEAD_NS

        back = [m for m in self._refused if fits(m)]
        kept = [m for m in self._messages if fits(m) and m.sequence not in {b.sequence for b in back}]
        self._messages.clear()
        self._refused.clear()
        self._messages.extend([*kept, *back])
        self._highest = max((m.sequence for m in (back or kept)), default=-1)
