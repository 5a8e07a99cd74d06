"""Received messages of one roadside unit, and which of them belongs to an ego frame."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .types import RoadsideMessage


class StaleMessage(ValueError):
    """A message that must not be used; ``reason`` is a short code that is counted."""

    def __init__(self, reason: str, text: str):
        """Name the reason."""
        super().__init__(text)
        self.reason = reason


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
        self._messages: deque[RoadsideMessage] = deque(maxlen=config.capacity)
        self._session: int | None = None
        self._highest = -1

    def add(self, message: RoadsideMessage, session: int, sequence: int) -> bool:
        """
        Keep a message; return True if it starts a new session of the unit.

        :raises StaleMessage: for a number that was seen before in this session.
        """
        restarted = session != self._session
        if restarted:
            self._session, self._highest = session, -1
            self._messages.clear()
        if sequence <= self._highest:
            raise StaleMessage('replayed', f'sequence number {sequence} after {self._highest} in one session')
        self._highest = sequence
        self._messages.append(message)
        return restarted

    def at(self, stamp_ns: int) -> RoadsideMessage | None:
        """Return the message with exactly this stamp."""
        return next((m for m in reversed(self._messages) if m.stamp_ns == stamp_ns), None)

    def newest_for(self, ego_stamp_ns: int) -> RoadsideMessage | None:
        """Return the newest message that is not younger than the ego frame (but for clock skew) nor too old."""
        oldest = ego_stamp_ns - round(self.config.max_infra_age_s * 1e9)
        youngest = ego_stamp_ns + round(self.config.max_clock_skew_s * 1e9)
        usable = [m for m in self._messages if oldest <= m.stamp_ns <= youngest]
        return max(usable, key=lambda m: m.stamp_ns, default=None)

    def clear(self) -> None:
        """Forget messages and session, as after a jump in time."""
        self._messages.clear()
        self._session, self._highest = None, -1
