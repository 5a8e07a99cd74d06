"""How long the stages of a frame take."""

from __future__ import annotations

import torch

from ..common.timeline import StageTimes


class StageClock(StageTimes):
    """Adds up the time between marks; what runs on a device is waited for at every mark."""

    def __init__(self, device: torch.device):
        """Start the clock."""
        super().__init__()
        self._synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        self._synchronize()
        super().mark(stage)
