"""Networks to measure: stored weights or deterministic ones, with a stated number of live tracks."""

from __future__ import annotations

import math

import torch

from ..common.config import R50, ModelConfig
from ..common.types import Side
from ..model.network import CoopTrackNetwork
from ..parity.fill import SIDES, filled_network
from ..tracking.tracker import AgentTracker
from ..weights.store import open_model
from .scene import BenchScene

_ROLLOUT = 6
"""Frames of a trial; after so many the histories are full."""
_TRIALS = 8
_CLOSE = 0.1
"""Share by which the number of live tracks may be off."""


def bench_network(config: ModelConfig, side: Side, weights: str | None) -> CoopTrackNetwork:
    """
    Return the network of a side in evaluation mode.

    :param weights: model name or folder; None: deterministic weights, in the published size those of ``parity.fill``,
        otherwise initial values with queries that differ from one another.
    """
    if weights is not None:
        return open_model(weights).network(side)
    if config.name == R50.name and config.num_queries == R50.num_queries:
        return filled_network(config, next(name for name, known in SIDES.items() if known is side), seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = CoopTrackNetwork(config, side).eval()
        torch.nn.init.normal_(network.query_features.weight)
    return network


@torch.no_grad()
def settle_live_tracks(tracker: AgentTracker, scene: BenchScene, wanted: int) -> None:
    """
    Shift the class bias of the network such that about ``wanted`` tracks live after a few frames.

    Weights that were never trained on these images would give none or all, and neither is what a vehicle meets.
    """
    bias = tracker.network.reasoner.cls[-1].bias
    bias += _first_shift(tracker, scene, wanted)
    start, shift, step = bias.clone(), 0.0, 0.5
    found: list[tuple[float, float]] = []
    for _ in range(_TRIALS):
        bias.copy_(start + shift)
        live = _live_tracks(tracker, scene)
        found.append((abs(live - wanted), shift))
        if found[-1][0] <= _CLOSE * wanted:
            break
        direction = 1.0 if live < wanted else -1.0
        if direction * step < 0:
            # The number is enclosed; from here on in smaller steps.
            step = -step / 2 if len(found) > 1 else -step
        shift += step
    bias.copy_(start + min(found)[1])


def _first_shift(tracker: AgentTracker, scene: BenchScene, wanted: int) -> float:
    """Return the shift that brings ``wanted`` rows of a first frame to the threshold."""
    seen = {}
    tracker.advance(tracker.initial(), tracker.prepare(scene.frame(0)), scene.messages(0), observe=seen.__setitem__)
    best = seen['final'].logits.amax(-1).sort(descending=True).values
    threshold = tracker.config.tracker_of(tracker.side).score_threshold
    return math.log(threshold / (1 - threshold)) - float(best[min(wanted, len(best)) - 1])


def _live_tracks(tracker: AgentTracker, scene: BenchScene) -> int:
    """Return how many tracks live after a few frames from a fresh start."""
    state = tracker.initial()
    for index in range(_ROLLOUT):
        state, output = tracker.step(state, scene.frame(index), scene.messages(index))
    return len(output.instances)
