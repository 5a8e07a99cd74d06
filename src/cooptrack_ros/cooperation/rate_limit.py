"""How often something may happen."""

from __future__ import annotations

import math

_LONGEST_BURST = 20
"""More than any queue on the way holds, and few enough that a flood is told from a burst at once."""


class RateLimit:
    """A token bucket: ``rate_hz`` on average, bursts of as many as come within a second at that rate, at most 20."""

    def __init__(self, rate_hz: float):
        """Start with a full bucket."""
        self._rate_hz = rate_hz
        self._burst = rate_hz if math.isinf(rate_hz) else min(max(rate_hz, 1.0), _LONGEST_BURST)
        self._tokens, self._at_s = self._burst, None

    def allows(self, now_s: float) -> bool:
        """Tell whether one more may happen; :param now_s: steady clock."""
        if self._at_s is not None and now_s > self._at_s:
            self._tokens = min(self._tokens + (now_s - self._at_s) * self._rate_hz, self._burst)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
