"""What one roadside unit has sent, for /diagnostics."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from ...cooperation.extrinsic_error import Misalignment
from ...cooperation.unit_pose import Movement
from .statuses import status_of
from .voxel_health import VoxelHealth

_OFFSETS = 100
_JUMP_S = 1.0
_FRAME_S = 0.1
"""A message may come this much before the image of its time."""
_MAX_MISALIGNMENT, _MAX_CORRECTED = (1.0, 1.5), (0.5, 0.5)
"""Degrees and metres of error in the pose of a unit from which it should be calibrated: known, and undone."""
_MAX_MOVED_M, _MAX_MOVED_DEG = 0.5, 0.5
"""How far a unit may say that it has moved in a session."""
_MAX_DISTANCE_M = 1000.0
"""From the vehicle: farther than any box of a message may stand from the unit."""


LEFT_OUT = {'too_many': 'too many of all units together (fusion.max_received)',
            'no_room': 'no room for more objects of units (fusion.max_added_per_unit, fusion.max_added)',
            'no_time': 'no time for them (fusion.time_budget_ms)'}
"""Why instances of a message that was taken in are not used, in words."""
NO_CLASS = 'no_class'
"""The same of objects of classes that the model does not know, which is nothing to warn of."""


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
        self._counts = dict.fromkeys(
            ('messages', 'instances', 'fused', 'late', 'sessions', 'alternations', 'stamps_back', NO_CLASS,
             *LEFT_OUT), 0)
        self._reported: dict[str, int] = {}
        self._misalignment: Misalignment | None = None
        self._changed: Misalignment | None = None
        self._misalignment_now: Misalignment | None = None
        self._is_corrected = False
        self._movement: Movement | None = None
        self._moved_last: Movement | None = None
        self._distance_m: float | None = None
        self.voxels: VoxelHealth | None = None
        """Of what it sends of voxels, where the node takes them."""

    def received(self, stamp_ns: int, arrived_s: float, instances: int, image_ns: int | None,
                 wrong_model: str = '') -> None:
        """
        Count a message that was taken in.

        :param image_ns: stamp of the newest image; a message that is too old for it already counts as late.
        :param wrong_model: both models in words, if its features cannot be fused.
        """
        with self._lock:
            is_late = image_ns is not None and image_ns - stamp_ns > self._max_age_s * 1e9
            self._counts['stamps_back'] += (
                is_late and self._stamp_ns is not None and self._stamp_ns - stamp_ns > _JUMP_S * 1e9)
            self._stamp_ns, self._model = stamp_ns, wrong_model
            self._clock.add(arrived_s, stamp_ns)
            self._counts['messages'] += 1
            self._counts['instances'] += instances
            self._counts['late'] += is_late

    def restarted(self, alternations: int = 0) -> None:
        """Count another session of the unit; :param alternations: how often one went on that another had followed."""
        with self._lock:
            self._counts |= {'sessions': self._counts['sessions'] + 1, 'alternations': alternations}

    def fused(self, count: int) -> None:
        """Count instances that were fused into tracks."""
        with self._lock:
            self._counts['fused'] += count

    def left_out(self, counts: Mapping[str, int]) -> None:
        """Count instances that are not used, by reason, see ``LEFT_OUT`` and ``NO_CLASS``."""
        with self._lock:
            for reason, count in counts.items():
                self._counts[reason] += count

    def misaligned(self, found: Misalignment | None, changed: Misalignment | None = None,
                   is_corrected: bool = False, now: Misalignment | None = None) -> None:
        """
        Take in what is known of the error in the pose of the unit.

        :param changed: how it differs from that of the minute before, None unless it does.
        :param is_corrected: whether it is taken out; :param now: it, as the last ten seconds alone tell it.
        """
        with self._lock:
            self._misalignment, self._changed, self._is_corrected = found, changed, is_corrected
            self._misalignment_now = now

    def moved(self, movement: Movement | None) -> None:
        """Take in how far the unit says it is from where it was first; the farthest since the last report counts."""
        with self._lock:
            if self._movement is None or movement is None or movement.exceeds(self._movement):
                self._movement = movement
            self._moved_last = movement

    def placed(self, distance_m: float) -> None:
        """Take in how far from the vehicle the unit stands whose message was used."""
        with self._lock:
            self._distance_m = distance_m

    def status(self, name: str, elapsed_s: float, image_ns: int | None, image_clock: ClockOffset,
               silence: str, refused: int = 0, refusal: str = '') -> DiagnosticStatus:
        """
        Return the status since the last one: an ERROR where nothing comes, otherwise the first of all warnings.

        :param image_ns: stamp of the newest image; :param silence: why nothing comes, empty if it does.
        :param refused: messages that were dropped; :param refusal: why the last one was.
        """
        with self._lock:
            values = self._values(elapsed_s, image_ns, image_clock)
            warnings = [text for text in self._warnings(image_ns, refused, refusal) if text]
            if self.voxels is not None:
                values |= self.voxels.values()
                warnings += self.voxels.warnings()
            self._reported, self._movement = dict(self._counts, refused=refused), self._moved_last
        level, message = (DiagnosticStatus.WARN, '; '.join(warnings)) if warnings else (
            DiagnosticStatus.OK, 'messages come')
        if silence:
            level, message = DiagnosticStatus.ERROR, silence
        return status_of(level, f'{name}: unit {self.unit_id}', message, self.unit_id, values)

    def _values(self, elapsed_s: float, image_ns: int | None, image_clock: ClockOffset) -> dict[str, str]:
        """Return what is measured, in words."""
        values = {key: str(count) for key, count in self._counts.items()}
        values['rate_hz'] = f"{(self._counts['messages'] - self._reported.get('messages', 0)) / elapsed_s:.1f}"
        if self._model:
            values['wrong_model'] = self._model
        if self._stamp_ns is not None and image_ns is not None:
            values['age_ms'] = f'{1e3 * self._age_s(image_ns):.0f}'
        own, images = self._clock.median_s, image_clock.median_s
        if own is not None and images is not None:
            values['clock_offset_ms'] = f'{1e3 * (own - images):.0f}'
        if self._distance_m is not None:
            values['distance_m'] = f'{self._distance_m:.0f}'
        if self._movement is not None:
            values |= {'moved_m': f'{self._movement.distance_m:.2f}', 'moved_deg': f'{self._movement.turn_deg:.2f}'}
        if self._misalignment is not None:
            values |= {**_in_words('misalignment', self._misalignment),
                       'misalignment_yaw_std_deg': f'{np.rad2deg(self._misalignment.yaw_std_rad):.2f}',
                       'misalignment_pairs': str(self._misalignment.pairs),
                       'misalignment_corrected': str(self._is_corrected).lower()}
        for name, found in (('now', self._misalignment_now), ('change', self._changed)):
            if found is not None:
                values |= _in_words(f'misalignment_{name}', found)
        return values

    def _age_s(self, image_ns: int) -> float:
        return (image_ns - self._stamp_ns) / 1e9

    def _warnings(self, image_ns: int | None, refused: int, refusal: str) -> Iterator[str]:
        """Yield what is wrong, in words; what is empty is right."""
        new = refused - self._reported.get('refused', 0)
        if self._stamp_ns is None:
            yield f'{refused} messages came, all refused: {refusal}' if refused else 'no message yet'
            return
        yield self._time_warning(image_ns)
        if new > 0:
            yield f'{new} messages refused: {refusal}'
        if self._counts['alternations'] > self._reported.get('alternations', 0):
            yield 'sessions alternate: do two send under the name of the unit?'
        back = self._counts['stamps_back'] - self._reported.get('stamps_back', 0)
        if back:
            yield f'stamps ran back {back} times: does somebody else send old messages under the name of the unit?'
        if self._model:
            yield f'wrong model: {self._model}'
        for reason, words in LEFT_OUT.items():
            count = self._counts[reason] - self._reported.get(reason, 0)
            if count:
                yield f'{count} instances left out: {words}'
        yield from self._pose_warnings()

    def _time_warning(self, image_ns: int | None) -> str:
        age_s = 0.0 if image_ns is None else self._age_s(image_ns)
        if age_s > self._max_age_s:
            return f'last message {1e3 * age_s:.0f} ms old, at most {1e3 * self._max_age_s:.0f} can be used'
        if age_s < -self._max_skew_s - _FRAME_S:
            return f'its clock is {-1e3 * age_s:.0f} ms ahead: older messages are used; synchronise the clocks'
        return ''

    def _pose_warnings(self) -> Iterator[str]:
        if self._distance_m is not None and self._distance_m > _MAX_DISTANCE_M:
            yield (f'it stands {self._distance_m:.0f} m from the vehicle, where nothing it sees can matter: does its '
                   'pose refer to the same map?')
        moved = self._movement
        if moved is not None and (moved.distance_m > _MAX_MOVED_M or moved.turn_deg > _MAX_MOVED_DEG):
            yield (f'its pose moved by {moved.distance_m:.1f} m and {moved.turn_deg:.1f} degrees in this session, but '
                   'units stand still')
        if self._changed is not None:
            yield (f'its objects wander: by {_amount(self._changed)} against the minute before; somebody moves it, or '
                   'it tells lies')
        if self._misalignment is not None:
            yield self._misalignment_warning(self._misalignment)

    def _misalignment_warning(self, found: Misalignment) -> str:
        if self._is_corrected and _exceeds(found, *_MAX_CORRECTED):
            return f'its pose is being corrected by {_amount(found)}: check its calibration'
        if _exceeds(found, *_MAX_MISALIGNMENT):
            return f'its pose seems off by {_amount(found)}: check its calibration'
        now = self._misalignment_now
        # The mean of a minute follows slowly, and may come from the other side.
        if now is not None and _exceeds(now, *_MAX_MISALIGNMENT):
            return f'its pose seems off by {_amount(now)} in the last ten seconds: check its calibration'
        return ''


def _in_words(name: str, found: Misalignment) -> dict[str, str]:
    """Return turn and shift as values of diagnostics."""
    return {f'{name}_yaw_deg': f'{np.rad2deg(found.yaw_rad):.2f}',
            f'{name}_shift_m': f'{np.hypot(*found.shift_m):.2f}'}


def _exceeds(found: Misalignment, yaw_deg: float, shift_m: float) -> bool:
    return abs(np.rad2deg(found.yaw_rad)) > yaw_deg or np.hypot(*found.shift_m) > shift_m


def _amount(found: Misalignment) -> str:
    return f'{np.rad2deg(found.yaw_rad):.1f} degrees and {np.hypot(*found.shift_m):.1f} m'
