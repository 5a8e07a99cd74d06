"""Ranges of activations for ``execution int8``, from frames that a tracker goes through."""

from __future__ import annotations

from collections.abc import Iterable

from ..common.config import ModelConfig
from ..common.types import Frame, Side
from ..model.fast.calibrate import Calibration
from ..model.fast.int8 import Ranges
from ..model.network import CoopTrackNetwork
from .tracker import AgentTracker


def activation_ranges(network: CoopTrackNetwork, config: ModelConfig, side: Side,
                      clips: Iterable[Iterable[Frame]]) -> Ranges:
    """
    Return the ranges that occur in clips of successive frames; nothing is received in them.

    :param network: lies on the CPU and stays as it is.
    """
    calibration = Calibration(network)
    tracker = AgentTracker(calibration.network, config, side)
    for clip in clips:
        state = tracker.initial()
        for frame in clip:
            state, _ = tracker.step(state, frame)
    return calibration.ranges()
