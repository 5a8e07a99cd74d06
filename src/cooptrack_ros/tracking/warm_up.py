"""What a tracker prepares while it runs is prepared before the first real frame."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..common.config import ModelConfig
from ..common.types import Frame, FrameOutput

_FRAMES = 8
"""After so many alike everything is there that is kept for shapes, see ``model.fast.traced``."""
_LONGEST_S = 1.0
_STEP_NS = 100_000_000


class Steps(Protocol):
    """What is warmed up."""

    def initial(self) -> Any:
        """Return the state before the first frame."""

    def step(self, state: Any, frame: Frame) -> tuple[Any, FrameOutput]:
        """Process one frame."""


def warm_up(tracker: Steps, frame: Frame) -> Any:
    """Show a tracker a frame again and again, for about a second at most, and return the state, good for nothing."""
    state, start = tracker.initial(), time.monotonic()
    for number in range(_FRAMES):
        state, _ = tracker.step(state, replace(frame, stamp_ns=frame.stamp_ns + number * _STEP_NS))
        if time.monotonic() - start > _LONGEST_S:
            break
    return state


def blank_frame(config: ModelConfig, num_cameras: int, has_cloud: bool = False) -> Frame:
    """Return black images of the network's size with a plausible camera, to warm a tracker up."""
    rows, columns = config.input_size
    projection = np.eye(4)
    projection[:3, :3] = [[columns / 2, -columns / 2, 0], [rows / 2, 0, -columns / 2], [1, 0, 0]]
    image = np.zeros((rows, columns, 3), np.uint8)
    cloud = np.zeros((0, 4), np.float32) if has_cloud else None
    return Frame('', 0, (image,) * num_cameras, np.stack([projection] * num_cameras), np.eye(4), np.eye(4), cloud)
