"""How long the stages of a frame take."""

from __future__ import annotations

import time

import torch


class StageClock:
    """Adds up the time between marks under their names."""

    def __init__(self, device: torch.device):
        """Start the clock."""
        self._synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        self._synchronize()
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
