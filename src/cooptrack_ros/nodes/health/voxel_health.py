"""What one roadside unit has sent of voxels, for /diagnostics."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

LEFT_OUT = {'too_many': 'too many in one message (fusion.max_received)',
            'no_room': 'no room for more things of units (fusion.max_added_per_unit)',
            'confirm_only': 'the vehicle does not see them, and the unit may only confirm (fusion.confirm_only)',
            'implausible': 'longer than any road user'}
"""Why things of a message that was taken in are not filled in, in words."""
_COUNTS = ('messages', 'late', 'lost', 'refused', 'frames', 'voxels')


class VoxelHealth:
    """
    Counts of one unit; safe to call from any thread.

    ``late`` came too late for the newest image, ``lost`` are numbers that never came, ``frames`` of the vehicle were
    filled with ``voxels``.
    """

    def __init__(self, max_age_s: float):
        """Start without messages; :param max_age_s: from this age against the newest image one cannot be used."""
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._counts = dict.fromkeys((*_COUNTS, *LEFT_OUT), 0)
        self._reported = dict(self._counts)
        self._refusal = ''
        self._session: int | None = None
        self._highest = -1

    def received(self, session: int, sequence: int, stamp_ns: int, image_ns: int | None) -> None:
        """Count a message that was taken in; :param image_ns: stamp of the newest image."""
        with self._lock:
            self._counts['messages'] += 1
            self._counts['late'] += image_ns is not None and image_ns - stamp_ns > self._max_age_s * 1e9
            if session != self._session:
                self._session, self._highest = session, sequence
            elif sequence > self._highest:
                self._counts['lost'] += sequence - self._highest - 1
                self._highest = sequence
            else:
                # One that was taken for lost.
                self._counts['lost'] = max(self._counts['lost'] - 1, 0)

    def refused(self, text: str) -> None:
        """Count a message that was dropped, and keep why."""
        with self._lock:
            self._counts['refused'] += 1
            self._refusal = text

    def used(self, voxels: int, left_out: Mapping[str, int]) -> None:
        """Count a frame for which voxels of the unit were used; :param left_out: things by reason."""
        with self._lock:
            self._counts['frames'] += 1
            self._counts['voxels'] += voxels
            for reason, count in left_out.items():
                self._counts[reason] += count

    def restarted(self) -> None:
        """Start counting numbers anew after a jump of time."""
        with self._lock:
            self._session = None

    def values(self) -> dict[str, str]:
        """Return what was counted, by the name in the diagnostics."""
        with self._lock:
            return {f'occupancy.{name}': str(count) for name, count in self._counts.items()}

    def warnings(self) -> Iterator[str]:
        """Yield what is wrong since the last time this was asked."""
        with self._lock:
            new = {name: count - self._reported[name] for name, count in self._counts.items()}
            self._reported, refusal = dict(self._counts), self._refusal
        if new['refused']:
            yield f"{new['refused']} messages with voxels refused: {refusal}"
        for name, words in (('late', 'came too late to be used'), ('lost', 'were lost')):
            if new[name]:
                yield f'{new[name]} messages with voxels {words}'
        for reason, words in LEFT_OUT.items():
            if new[reason]:
                yield f'{new[reason]} things of its voxels left out: {words}'
