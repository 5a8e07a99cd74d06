"""What one roadside unit has sent, for /diagnostics."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from ...cooperation.extrinsic_error import Misalignment

_OFFSETS = 100
_JUMP_S = 1.0
_FRAME_S = 0.1
"""A message may come this much before the image of its time."""
_MAX_YAW_DEG, _MAX_SHIFT_M = 1.0, 1.5
"""Error in the pose of a unit from which it should be calibrated again."""


LEFT_OUT = {'too_many': 'too many of all units together (fusion.max_received)',
            'no_room': 'no room for more objects of units (fusion.max_added_per_unit, fusion.max_added)',
            'no_time': 'no time for them (fusion.time_budget_ms)'}
"""Why instances of a message that was taken in are not used, in words."""


class ClockOffset:
    """Median of arrival time minus stamp over the last hundred messages; a jump of time starts anew."""

    def __init__(self) -> None:
        """Start without messages."""
        self._offsets: deque[float] = deque(maxlen=_OFFSETS)

    def add(self, arrived_s: float, stamp_ns: int) -> None:
        """Take in a message; :param arrived_s: steady clock."""
        offset = arrived_s - stamp_ns / 1e9
        if self._offsets and abs(offset - self._offsets[-1]) > _JUMP_S:
            self._offsets.clear()
        self._offsets.append(offset)

    @property
    def median_s(self) -> float | None:
        """Median in seconds; the steady clock has no meaning of its own, only differences of two medians have."""
        return float(np.median(self._offsets)) if self._offsets else None


class UnitHealth:
    """Counts of one unit; safe to call from any thread."""

    def __init__(self, unit_id: str, max_age_s: float, max_skew_s: float):
        """
        Start without messages.

        :param max_age_s: from this age against the newest image a message cannot be used;
        :param max_skew_s: how far it may lie ahead of the image that it is used for.
        """
        self.unit_id, self._max_age_s, self._max_skew_s = unit_id, max_age_s, max_skew_s
        self._lock = threading.Lock()
        self._clock = ClockOffset()
        self._stamp_ns: int | None = None
        self._model = ''
        self._counts = dict.fromkeys(('messages', 'instances', 'fused', 'late', 'sessions', *LEFT_OUT), 0)
        self._reported = 0
        self._left_out_reported: dict[str, int] = {}
        self._misalignment: Misalignment | None = None

    def received(self, stamp_ns: int, arrived_s: float, instances: int, image_ns: int | None,
                 wrong_model: str = '') -> None:
        """
        Count a message that was taken in.

        :param image_ns: stamp of the newest image; a message that is too old for it already counts as late.
        :param wrong_model: both models in words, if its features cannot be fused.
        """
        with self._lock:
            self._stamp_ns, self._model = stamp_ns, wrong_model
            self._clock.add(arrived_s, stamp_ns)
            self._counts['messages'] += 1
            self._counts['instances'] += instances
            self._counts['late'] += image_ns is not None and image_ns - stamp_ns > self._max_age_s * 1e9

    def restarted(self) -> None:
        """Count a new session of the unit."""
        with self._lock:
            self._counts['sessions'] += 1

    def fused(self, count: int) -> None:
        """Count instances that were fused into tracks."""
        with self._lock:
            self._counts['fused'] += count

    def left_out(self, counts: Mapping[str, int]) -> None:
        """Count instances that the limits of a frame left out, by reason, see ``LEFT_OUT``."""
        with self._lock:
            for reason, count in counts.items():
                self._counts[reason] += count

    def misaligned(self, found: Misalignment | None) -> None:
        """Take in what is known of the error in the pose of the unit."""
        with self._lock:
            self._misalignment = found

    def status(self, name: str, elapsed_s: float, image_ns: int | None, image_clock: ClockOffset,
               silence: str, refused: int = 0, refusal: str = '') -> DiagnosticStatus:
        """
        Return the status since the last one.

        :param image_ns: stamp of the newest image; :param silence: why nothing comes, empty if it does.
        :param refused: messages that were dropped; :param refusal: why the last one was.
        """
        with self._lock:
            values = {key: str(count) for key, count in self._counts.items()}
            values['rate_hz'] = f"{(self._counts['messages'] - self._reported) / elapsed_s:.1f}"
            self._reported = self._counts['messages']
            level, message = DiagnosticStatus.OK, 'messages come'
            if self._model:
                values['wrong_model'] = self._model
                level, message = DiagnosticStatus.WARN, f'wrong model: {self._model}'
            if self._stamp_ns is None:
                level, message = DiagnosticStatus.WARN, (
                    f'{refused} messages came, all refused: {refusal}' if refused else 'no message yet')
            elif image_ns is not None:
                age_s = (image_ns - self._stamp_ns) / 1e9
                values['age_ms'] = f'{1e3 * age_s:.0f}'
                if age_s > self._max_age_s:
                    level = DiagnosticStatus.WARN
                    message = f'last message {1e3 * age_s:.0f} ms old, at most {1e3 * self._max_age_s:.0f} can be used'
                if age_s < -self._max_skew_s - _FRAME_S:
                    level, message = DiagnosticStatus.WARN, (
                        f'its clock is {-1e3 * age_s:.0f} ms ahead: older messages are used; synchronise the clocks')
            own, images = self._clock.median_s, image_clock.median_s
            if own is not None and images is not None:
                values['clock_offset_ms'] = f'{1e3 * (own - images):.0f}'
            if self._misalignment is not None:
                yaw_deg, shift_m = np.rad2deg(self._misalignment.yaw_rad), np.hypot(*self._misalignment.shift_m)
                values |= {'misalignment_yaw_deg': f'{yaw_deg:.2f}', 'misalignment_shift_m': f'{shift_m:.2f}',
                           'misalignment_yaw_std_deg': f'{np.rad2deg(self._misalignment.yaw_std_rad):.2f}',
                           'misalignment_pairs': str(self._misalignment.pairs)}
                if level == DiagnosticStatus.OK and (abs(yaw_deg) > _MAX_YAW_DEG or shift_m > _MAX_SHIFT_M):
                    level, message = DiagnosticStatus.WARN, (
                        f'its pose seems off by {yaw_deg:.1f} degrees and {shift_m:.1f} m: check its calibration')
            left_out = {reason: self._counts[reason] - self._left_out_reported.get(reason, 0) for reason in LEFT_OUT}
            self._left_out_reported = {reason: self._counts[reason] for reason in LEFT_OUT}
            if level == DiagnosticStatus.OK and any(left_out.values()):
                level, message = DiagnosticStatus.WARN, '; '.join(
                    f'{count} instances left out: {LEFT_OUT[reason]}' for reason, count in left_out.items() if count)
        if silence:
            level, message = DiagnosticStatus.ERROR, silence
        return DiagnosticStatus(level=level, name=f'{name}: unit {self.unit_id}', message=message,
                                hardware_id=self.unit_id,
                                values=[KeyValue(key=k, value=v) for k, v in values.items()])
