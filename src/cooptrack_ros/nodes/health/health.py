"""What a node has seen and dropped and how long it took, for /diagnostics."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from ...common.text import readable
from .statuses import status_of
from .unit_health import ClockOffset, UnitHealth

_RECEIVED = '.received'
_ARRIVAL, _STAMP = 'arrival_to_publish', 'stamp_to_publish'
_STATM = Path('/proc/self/statm')
_LONGEST_DELAY_S = 10.0
"""An image that is published later than this after its stamp, or before it, has the stamp of another clock."""


class Health:
    """Counts events by name; safe to call from any thread."""

    def __init__(self, name: str, hardware_id: str):
        """Name the source of the diagnostics."""
        self._name, self._hardware_id = name, hardware_id
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._dropped_since_report = 0
        self._problems: dict[tuple[str, str], str] = {}
        """The last explanation of every kind of drop since the last report, causes before what follows from them."""
        self._refused: dict[str, tuple[int, str]] = {}
        self._reported_at = time.monotonic()
        self._reported: Counter[str] = Counter()
        self._delays: dict[str, list[float]] = {}
        self._gauges: dict[str, float] = {}
        self._units: dict[str, UnitHealth] = {}
        self._image_ns: int | None = None
        self._image_clock = ClockOffset()

    def count(self, what: str, amount: int = 1) -> None:
        """Count an ordinary event; names that end in ``.received`` also get a rate."""
        with self._lock:
            self.counts[what] += amount

    def drop(self, source: str, reason: str, text: str) -> None:
        """Count something that was dropped, and keep the last explanation of its kind."""
        text = readable(text)
        with self._lock:
            self.counts[f'dropped.{source}.{reason}'] += 1
            self._dropped_since_report += 1
            self._problems[source, reason] = text
            self._refused[source] = (self._refused.get(source, (0, ''))[0] + 1, text)

    def dropped(self, source: str, reason: str) -> int:
        """Return how often something was dropped for a reason."""
        with self._lock:
            return self.counts[f'dropped.{source}.{reason}']

    def refused(self, source: str) -> tuple[int, str]:
        """Return how much of a source was dropped, and why the last time."""
        with self._lock:
            return self._refused.get(source, (0, ''))

    def events(self, source: str) -> int:
        """Return how much came from a source, taken in or dropped."""
        with self._lock:
            return self.counts[f'{source}{_RECEIVED}'] + sum(
                v for k, v in self.counts.items() if k.startswith(f'dropped.{source}.'))

    def image(self, stamp_ns: int, arrived_s: float) -> None:
        """Note the newest image; :param arrived_s: steady clock."""
        with self._lock:
            self._image_ns = stamp_ns
            self._image_clock.add(arrived_s, stamp_ns)

    def published(self, arrival_to_publish_s: float, stamp_to_publish_s: float, what: str = '') -> None:
        """Note the delays of a frame of which something was just published: its tracks, or ``what`` else."""
        with self._lock:
            for name, seconds in ((_ARRIVAL, arrival_to_publish_s), (_STAMP, stamp_to_publish_s)):
                self._delays.setdefault(f'{what}{name}', []).append(seconds)

    def gauge(self, name: str, value: float) -> None:
        """Keep the last value of something measured; its unit belongs into the name."""
        with self._lock:
            self._gauges[name] = value

    def add_unit(self, unit_id: str, max_age_s: float, max_skew_s: float) -> UnitHealth:
        """Return the health of a roadside unit, which gets a status of its own."""
        unit = UnitHealth(unit_id, max_age_s, max_skew_s)
        with self._lock:
            self._units[unit_id] = unit
        return unit

    @property
    def image_ns(self) -> int | None:
        """Stamp of the newest image."""
        return self._image_ns

    def report(self, stamp, waiting_for: list[str], silent: Mapping[str, str], problem: str = '') -> DiagnosticArray:
        """
        Return the status of the node and of every unit.

        The node is in ERROR when an input is silent, in WARN when something was dropped since the last report or an
        input is missing. A silent unit is an ERROR of the unit alone: the node goes on without it.

        :param silent: explanations by source, see ``SilenceWatch``; :param problem: what else is wrong, in words.
        """
        with self._lock:
            now = time.monotonic()
            elapsed, self._reported_at = max(now - self._reported_at, 1e-3), now
            values = {k: str(v) for k, v in sorted(self.counts.items())}
            values |= self._rates(elapsed) | self._delay_values()
            values |= {k: f'{v:.1f}' for k, v in sorted(self._gauges.items())}
            own_silent = {source: text for source, text in silent.items() if source not in self._units}
            values |= {f'silent.{source}': text for source, text in own_silent.items()}
            level, message = self._summary(waiting_for, own_silent, problem)
            self._dropped_since_report, self._problems = 0, {}
            units = [unit.status(self._name, elapsed, self._image_ns, self._image_clock, silent.get(name, ''),
                                 *self._refused.get(name, (0, '')))
                     for name, unit in sorted(self._units.items())]
        status = status_of(level, self._name, message, self._hardware_id,
                           values | {'memory_mb': f'{resident_mb():.0f}'})
        array = DiagnosticArray(status=[status, *units])
        array.header.stamp = stamp
        return array

    def _summary(self, waiting_for: list[str], silent: Mapping[str, str], problem: str) -> tuple[bytes, str]:
        if silent:
            return DiagnosticStatus.ERROR, '; '.join(silent.values())
        words = ['waiting for ' + ', '.join(waiting_for)] if waiting_for else []
        words += [problem] if problem else []
        if self._dropped_since_report:
            words += [f'dropped {self._dropped_since_report}',
                      *(f'{source}: {text}' for (source, _), text in self._problems.items())]
        return (DiagnosticStatus.WARN, '; '.join(words)) if words else (DiagnosticStatus.OK, 'running')

    def _rates(self, elapsed_s: float) -> dict[str, str]:
        """Return messages per second of wall time since the last report, for every input."""
        received = Counter({k: v for k, v in self.counts.items() if k.endswith(_RECEIVED)})
        new, self._reported = {k: v - self._reported[k] for k, v in received.items()}, received
        return {f'rate_hz.{k.removesuffix(_RECEIVED)}': f'{v / elapsed_s:.1f}' for k, v in sorted(new.items())}

    def _delay_values(self) -> dict[str, str]:
        """Return median and 95th percentile of the delays since the last report, in milliseconds."""
        values = {}
        for name, delays in sorted(self._delays.items()):
            if name.endswith(_STAMP) and not all(0 <= d <= _LONGEST_DELAY_S for d in delays):
                values[f'delay_ms.{name}'] = "unknown: stamps are not of this node's clock"
                continue
            values |= {f'delay_ms.{name}.p{q}': f'{1e3 * np.percentile(delays, q):.1f}' for q in (50, 95)}
        self._delays = {}
        return values


def resident_mb() -> float:
    """Return the resident memory of this process in megabytes (10^6 bytes), 0 where it is not known."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6
    except OSError:
        return 0.0
