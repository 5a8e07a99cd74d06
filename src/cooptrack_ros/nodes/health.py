"""What a node has seen and dropped, for /diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

_RECEIVED = '.received'


class Health:
    """Counts events by name; safe to call from any thread."""

    def __init__(self, name: str, hardware_id: str):
        """Name the source of the diagnostics."""
        self._name, self._hardware_id = name, hardware_id
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._dropped_since_report = 0
        self._problem = ''
        self._reported_at = time.monotonic()
        self._reported: Counter[str] = Counter()

    def count(self, what: str, amount: int = 1) -> None:
        """Count an ordinary event; names that end in ``.received`` also get a rate."""
        with self._lock:
            self.counts[what] += amount

    def drop(self, source: str, reason: str, text: str) -> None:
        """Count something that was dropped, and keep the last explanation."""
        with self._lock:
            self.counts[f'dropped.{source}.{reason}'] += 1
            self._dropped_since_report += 1
            self._problem = f'{source}: {text}'

    def dropped(self, source: str, reason: str) -> int:
        """Return how often something was dropped for a reason."""
        with self._lock:
            return self.counts[f'dropped.{source}.{reason}']

    def report(self, stamp, waiting_for: list[str]) -> DiagnosticArray:
        """Return the status: WARN when something was dropped since the last report or an input is missing."""
        with self._lock:
            values = [KeyValue(key=k, value=str(v)) for k, v in sorted(self.counts.items())]
            values += self._rates()
            level, message = DiagnosticStatus.OK, 'running'
            if waiting_for:
                level, message = DiagnosticStatus.WARN, 'waiting for ' + ', '.join(waiting_for)
            elif self._dropped_since_report:
                level, message = DiagnosticStatus.WARN, f'dropped {self._dropped_since_report}; {self._problem}'
            self._dropped_since_report = 0
        status = DiagnosticStatus(level=level, name=self._name, message=message, hardware_id=self._hardware_id,
                                  values=values)
        array = DiagnosticArray(status=[status])
        array.header.stamp = stamp
        return array

    def _rates(self) -> list[KeyValue]:
        """Return messages per second of wall time since the last report, for every input."""
        now = time.monotonic()
        elapsed, self._reported_at = max(now - self._reported_at, 1e-3), now
        received = Counter({k: v for k, v in self.counts.items() if k.endswith(_RECEIVED)})
        rates = [KeyValue(key=f'rate_hz.{k.removesuffix(_RECEIVED)}', value=f'{(v - self._reported[k]) / elapsed:.1f}')
                 for k, v in sorted(received.items())]
        self._reported = received
        return rates
