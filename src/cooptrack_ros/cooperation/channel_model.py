"""What a radio link does to messages: delay, reordering, loss in bursts, duplicates, a limited rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.declaration import check_declared, parameter
from ..common.errors import UserError

_RATE_SLACK = 0.1
"""Share of the time between two messages by which one may come early without falling to the limit of the rate."""


@dataclass(frozen=True)
class LinkConfig:
    """
    The default delivers each message at once.

    The link emulator node has these fields as parameters, ``cooptrack eval`` as flags: ``--latency-ms``,
    ``--jitter-ms``, ``--drop-rate``, ``--burst-length``, ``--duplicate-rate``, ``--rate-hz``, ``--seed``.
    """

    latency_ms: float = parameter(0.0, 'delay of every message', unit='ms', low=0, high=10_000)
    jitter_ms: float = parameter(
        0.0, 'further delay of each message, uniform from 0; more than the time between two messages reorders them',
        unit='ms', low=0, high=10_000)
    drop_rate: float = parameter(0.0, 'share of the messages that never arrive', low=0, high=1)
    burst_length: float = parameter(
        0.0, 'mean number of messages that are lost in a row (Gilbert-Elliott); 0: each is lost on its own', low=0,
        high=1000)
    duplicate_rate: float = parameter(0.0, 'share of the messages that arrive a second time', low=0, high=1)
    rate_hz: float = parameter(
        0.0, 'at most so many messages a second pass, as from a slower unit; 0: all', unit='Hz', low=0, high=1000)
    seed: int = parameter(0, 'random seed', low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        """
        Check the ranges.

        :raises UserError: naming the setting.
        """
        check_declared(self)
        if 0 < self.burst_length < 1:
            raise UserError(f'burst_length must be 0 or at least 1, not {self.burst_length:g}')
        if self.burst_length and self._start_of_burst > 1:
            highest = self.burst_length / (1 + self.burst_length)
            raise UserError(f'drop_rate must be at most {highest:.3f} with bursts of {self.burst_length:g}, '
                            f'not {self.drop_rate:g}: a message arrives between two bursts')

    @property
    def _start_of_burst(self) -> float:
        """Probability that a message after one that arrived is lost."""
        if not self.burst_length:
            return self.drop_rate
        return self.drop_rate / (self.burst_length * (1 - self.drop_rate)) if self.drop_rate < 1 else np.inf

    def loses(self, luck: float, lost_before: bool | None) -> bool:
        """
        Tell whether a message is lost.

        :param luck: uniform in 0..1; :param lost_before: whether the one before was lost, None for the first.
        """
        if lost_before is None or not self.burst_length:
            return luck < self.drop_rate
        return luck >= 1 / self.burst_length if lost_before else luck < self._start_of_burst


class ChannelModel:
    """One direction between two ends."""

    def __init__(self, config: LinkConfig, random: np.random.Generator):
        """Start before the first message; what happens depends on the state of ``random`` alone."""
        self._config, self._random = config, random
        self._lost: bool | None = None
        self._due_ns: int | None = None

    def send(self, now_ns: int) -> tuple[int, ...]:
        """Return when copies of a message that is offered now arrive, in the same clock; empty if it is lost."""
        # Drawn for every message, so that settings that differ in one number share the rest.
        luck, jitter, again, jitter_again = self._random.random(4).tolist()
        if not self._passes(now_ns):
            return ()
        self._lost = self._config.loses(luck, self._lost)
        if self._lost:
            return ()
        delays = [jitter, jitter_again] if again < self._config.duplicate_rate else [jitter]
        return tuple(now_ns + round(1e6 * (self._config.latency_ms + d * self._config.jitter_ms)) for d in delays)

    def _passes(self, now_ns: int) -> bool:
        """Keep to the rate; a time that runs back starts anew."""
        if not self._config.rate_hz:
            return True
        period = 1e9 / self._config.rate_hz
        if self._due_ns is None or now_ns < self._due_ns - 2 * period:
            self._due_ns = now_ns
        if now_ns < self._due_ns - _RATE_SLACK * period:
            return False
        self._due_ns = round(max(self._due_ns + period, now_ns + period / 2))
        return True
