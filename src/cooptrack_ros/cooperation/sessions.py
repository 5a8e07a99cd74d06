"""
The numbers of the messages of one unit: which are replays, which cannot be, and who sends where several do.

Whoever can publish under the name of a unit is that unit. But one message must not silence it, nor a second sender
take its place unnoticed: numbers far ahead are refused, numbers that were passed over are taken later, and where two
sessions alternate the one that was heard first is kept.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

_WINDOW = 1024
"""Numbers below the highest one that are still known to be seen or not; more than come in ten seconds."""
LONGEST_BURST = 20
"""More than any queue on the way holds, and few enough that a flood is distinguished from a burst at once."""
_DISPUTE_S, _SILENT_S = 10.0, 1.0
"""After two sessions alternated the first one is kept for so long, unless it has been silent for the other time."""
_AHEAD_S = 0.5
"""Stamps that run farther ahead of the steady clock than this are not those of the unit."""
_MAX_SESSIONS = 64
_UNKNOWN = -1
"""Number and stamp of a session of which nothing was heard since time jumped."""


class StaleMessage(ValueError):
    """A message that must not be used; ``reason`` is a short code that is counted."""

    def __init__(self, reason: str, text: str):
        """Name the reason."""
        super().__init__(text)
        self.reason = reason


@dataclass
class _Session:
    """
    One session; ``first_s`` and ``heard_s`` are when it was heard first and last, None for recorded data.

    ``newest_ns`` is the newest stamp that can be true, ``offset_s`` the smallest stamp minus arrival; ``ahead`` is a
    number that was refused since the last one was taken.
    """

    first_s: float | None
    heard_s: float | None
    highest: int
    newest_ns: int
    offset_s: float = math.inf
    ahead: int | None = None
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def take(self, sequence: int, stamp_ns: int, now_s: float | None) -> None:
        """Take note of a message that is taken."""
        # A number far below those before it: whoever sent them has left the unit behind.
        self.highest = sequence if sequence <= self.highest - _WINDOW else max(self.highest, sequence)
        self.newest_ns, self.heard_s, self.ahead = max(self.newest_ns, stamp_ns), now_s, None
        if now_s is not None:
            self.offset_s = min(self.offset_s, stamp_ns / 1e9 - now_s)
            self.newest_ns = min(self.newest_ns, round((now_s + self.offset_s + _AHEAD_S) * 1e9))
        self.seen.append(sequence)


class Sessions:
    """
    What was heard of the sessions of one unit.

    Without arrival times, of recorded data, numbers only have to rise within a session and the last session counts.
    """

    def __init__(self, max_rate_hz: float = math.inf):
        """Start without any; :param max_rate_hz: that a unit sends at most."""
        self._max_rate_hz = max_rate_hz
        self._known: OrderedDict[int, _Session] = OrderedDict()
        self._present: int | None = None
        self._disputed_s = -math.inf
        self.alternations = 0
        """How often a session went on that another one had followed."""

    def admit(self, session: int, sequence: int, stamp_ns: int, now_s: float | None = None) -> bool:
        """
        Take in the numbers of a message; return True if another session counts from now on.

        :param now_s: when it arrived, steady clock; None for recorded data.
        :raises StaleMessage: ``replayed``, ``implausible_number`` or ``other_session``.
        """
        known = self._known.get(session)
        if known is not None:
            self._check_number(known, sequence, stamp_ns, now_s)
        changes = session != self._present
        if changes and self._present is not None and now_s is not None:
            self._check_turn(known, self._known[self._present], session, now_s)
        self._present = session
        if known is None:
            known = self._known[session] = _Session(now_s, now_s, sequence, stamp_ns)
        known.take(sequence, stamp_ns, now_s)
        self._known.move_to_end(session)
        while len(self._known) > _MAX_SESSIONS:
            self._known.popitem(last=False)
        return changes

    def later(self, session: int) -> set[int]:
        """Return the sessions that were heard first after another one, whose place they had taken."""
        first = self._known[session].first_s
        return {s for s, k in self._known.items() if first is not None and k.first_s is not None and k.first_s > first}

    def restart(self, highest: dict[int, tuple[int, int]]) -> None:
        """
        Go on after a jump of time.

        :param highest: number and stamp that each session has reached in the new time.
        """
        for session in set(self._known) - set(highest) - {self._present}:
            del self._known[session]
        for session, known in self._known.items():
            known.highest, known.newest_ns = highest.get(session, (_UNKNOWN, _UNKNOWN))
            known.offset_s = math.inf
            known.seen.clear()

    def _check_number(self, known: _Session, sequence: int, stamp_ns: int, now_s: float | None) -> None:
        if sequence <= known.highest:
            passed = now_s is not None and sequence not in known.seen and (
                sequence > known.highest - _WINDOW or stamp_ns > known.newest_ns)
            if not passed:
                raise StaleMessage('replayed', f'sequence number {sequence} after {known.highest} in one session')
        elif now_s is not None and known.highest != _UNKNOWN:
            elapsed_s = max(now_s - known.heard_s, 0.0)
            # A unit that sends more than is taken of it goes on.
            goes_on = elapsed_s >= _SILENT_S and known.ahead is not None and sequence > known.ahead
            if sequence - known.highest > LONGEST_BURST + self._max_rate_hz * elapsed_s and not goes_on:
                known.ahead = sequence
                raise StaleMessage(
                    'implausible_number', f'sequence number {sequence} only {elapsed_s:.1f} s after {known.highest}: '
                    f'at most {self._max_rate_hz:g} messages a second are expected; somebody else in the session of '
                    'the unit?')

    def _check_turn(self, known: _Session | None, present: _Session, session: int, now_s: float) -> None:
        """Decide whether a session may follow the present one, or go on after it."""
        if known is not None and known.first_s < present.first_s and now_s - known.heard_s < _DISPUTE_S:
            self.alternations += 1
            self._disputed_s = now_s
        elif now_s - self._disputed_s < _DISPUTE_S and now_s - present.heard_s < _SILENT_S:
            self._disputed_s = now_s
            raise StaleMessage('other_session', f'session {session} while {self._present} goes on: do two send under '
                               'the name of the unit? What was heard first is kept')
