"""Functions that become graphs."""


import pytest
import torch
from support.configs import OBLONG

from cooptrack_ros.bench.networks import bench_network, settle_live_tracks
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.fast import network as fast_network
from cooptrack_ros.model.fast.traced import Direct, Traced, constant
from cooptrack_ros.tracking.tracker import AgentTracker

SETTLED = 20
"""Calls with one key after which there is a graph, whatever it waits for."""


class Counted:
    """Doubles, and counts how often Python does so."""

    def __init__(self):
        """Start at zero."""
        self.calls = 0

    def __call__(self, x):
        """Return twice x."""
        self.calls += 1
        return x * 2


def test_python_has_no_part_in_it_once_the_key_has_settled():
    function = Counted()
    traced = Traced(function)
    results, calls = [], []
    for i in range(SETTLED + 6):
        results.append(traced('a', torch.full((2,), float(i))).tolist())
        calls.append(function.calls)
    assert results == [[2.0 * i] * 2 for i in range(len(results))]
    assert calls[0] == 1 and len(set(calls[SETTLED:])) == 1


def test_another_key_starts_anew():
    function = Counted()
    traced = Traced(function)
    for _ in range(SETTLED):
        traced('a', torch.ones(1))
    settled = function.calls
    # None of these settles, not even the one that had.
    for key in 'bababa':
        traced(key, torch.ones(1))
    assert function.calls == settled + 6


def test_constants_share_the_weights_of_the_original_which_still_takes_gradients():
    layer = torch.nn.Linear(2, 2)
    fixed = constant(layer)
    assert fixed.weight.data_ptr() == layer.weight.data_ptr()
    assert layer.weight.requires_grad and not fixed.weight.requires_grad


@pytest.mark.parametrize('side', [Side.ROADSIDE, Side.COOPERATIVE])
def test_graphs_give_bit_for_bit_what_their_functions_give(side, monkeypatch):
    """Whether many live or few, with and without a past, and after a gap in time."""
    scene = BenchScene(OBLONG, side, (160, 90), instances=4 if side is Side.COOPERATIVE else 0)
    network = bench_network(OBLONG, side, None)
    settle_live_tracks(AgentTracker(network, OBLONG, side), scene, 12)
    trackers = [AgentTracker(network, OBLONG, side, execution='fast')]
    monkeypatch.setattr(fast_network, 'Traced', Direct)
    trackers.append(AgentTracker(network, OBLONG, side, execution='fast'))
    states, counts = [t.initial() for t in trackers], set()
    for index in (*range(9), *range(30, 39)):
        messages = scene.messages(index) if index % 2 else []
        outputs = []
        for i, tracker in enumerate(trackers):
            states[i], output = tracker.step(states[i], scene.frame(index), messages)
            outputs.append(output)
        traced, direct = outputs
        for name in ('centre', 'size', 'yaw', 'velocity', 'score', 'track_id'):
            assert getattr(traced.detections, name).tolist() == getattr(direct.detections, name).tolist()
        assert traced.instances.semantic.tolist() == direct.instances.semantic.tolist()
        counts.add(len(traced.instances))
    assert len(counts) > 2


def test_what_a_camera_needed_is_given_back_when_another_one_takes_its_place(monkeypatch):
    given_back = []
    monkeypatch.setattr(fast_network, 'return_freed_memory', lambda: given_back.append(1))
    tracker = AgentTracker(bench_network(OBLONG, Side.ROADSIDE, None), OBLONG, Side.ROADSIDE, execution='fast')
    one, other = (BenchScene(OBLONG, Side.ROADSIDE, size).frame(0) for size in ((160, 90), (120, 90)))
    counts = []
    for frame in (one, one, other, other, one):
        tracker.step(tracker.initial(), frame)
        counts.append(len(given_back))
    assert counts == [0, 0, 1, 1, 2]
