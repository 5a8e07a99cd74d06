"""
What each way of making a step faster is worth: predicted from what is counted, and measured in the same run.

    python benchmarks/levers.py --config r50 --threads 2 --json benchmarks/results/levers_r50.json
    python benchmarks/levers.py --config mini --side cooperative --threads 1 --json benchmarks/results/levers_mini.json

Networks that lack one lever each run in turn with the one that has all, on the same frames; measured is the median of
the differences within a frame, over the stages of the step that a lever acts on. The prediction is made of what a lever
saves by count: multiply-adds at the speed of a matrix product, bytes that other operations read and write (whole lines
of the cache where they sample features) at the speed of a sum, and operations at the cost of one on a single number;
all three speeds are measured here too. For 8-bit integers it is the number of multiply-adds in an instruction, for
graphs what an operation on a single number costs less in one.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from steps import prepared, step_arguments, store
from torch import Tensor

from cooptrack_ros.bench.arithmetic import Counter
from cooptrack_ros.bench.machine import describe_machine, matmul_flops_per_second
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.bench.timing import Stopwatch, in_turn
from cooptrack_ros.model.fast import decoder, encoder
from cooptrack_ros.model.fast import network as fast_network
from cooptrack_ros.model.fast.network import FastNetwork
from cooptrack_ros.model.fast.quantized import Int8Network
from cooptrack_ros.model.fast.sampling import GridMaps, SampleHead, Samples
from cooptrack_ros.model.fast.traced import Direct, Traced, graph_of
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.weights.int8_ranges import activation_ranges

SCHEMA = 'cooptrack-bench-levers/1'
VISION, BEV, DECODER, REASONING = 'image_features', 'bev_encoder', 'decoder', 'reasoning'


class Lever(NamedTuple):
    """A way of being faster: the network that has it, the one that lacks only it, and the stages that it acts on."""

    name: str
    has: str
    lacks: str
    stages: tuple[str, ...]


LEVERS = (
    Lever('backbone and neck: norms folded, convolutions packed with what follows them', 'fast', 'image_features',
          (VISION,)),
    Lever('BEV encoder: merged layers, kept projections, table sampling', 'fast', 'encode_bev', (BEV,)),
    Lever('decoder: merged layers, points only before the last layer, table sampling', 'fast', 'decode', (DECODER,)),
    Lever('reasoning: one product where there is one key, histories of old instances only', 'fast', 'reason',
          (REASONING,)),
    Lever('BEV encoder, decoder and reasoning: graphs, without Python between the operations', 'fast', 'direct',
          (BEV, DECODER, REASONING)),
    Lever('of encoder and decoder: a bordered table in place of grid_sample, the form for GPUs', 'fast', 'grid',
          (BEV, DECODER)),
    Lever('of encoder and decoder: softmax across rows', 'fast', 'softmax', (BEV, DECODER)),
    Lever('int8: backbone and neck', 'int8', 'int8_layers', (VISION,)),
    Lever('int8: large linear layers', 'int8', 'int8_vision', (BEV, DECODER, REASONING)))
_INT8_GAIN = 32 / 3 / 8
"""AVX2: 32 multiply-adds in 8-bit integers take three instructions, 8 in float32 take one."""
_CALIBRATION_FRAMES = 4
_SUM_NUMBERS = 2 ** 23
_CHAIN = 500


class _SideBySide(SampleHead):
    """A sampling head that does its softmax over numbers that lie side by side."""

    def __init__(self, offsets, weights, heads: int, maps: int = 1):
        super().__init__(offsets, weights, heads, maps)
        for values in (self.weight, self.bias):
            last = values[2 * self.samples:]
            last.copy_(last.unflatten(0, (self.points, -1)).transpose(0, 1).flatten(0, 1).clone())

    def samples_of(self, raw: Tensor, x: Tensor, y: Tensor) -> Samples:
        """See ``SampleHead``."""
        n, shape = self.samples, (len(raw), self.heads, self.maps * self.points)
        weights = raw[:, 2 * n:].unflatten(1, (self.heads, self.maps, self.points)).softmax(-1)
        return Samples((raw[:, :n] + x).reshape(shape), (raw[:, n:2 * n] + y).reshape(shape), weights.view(shape))


@torch.no_grad()
def networks(network: CoopTrackNetwork, ranges) -> dict[str, FastNetwork]:
    """Return all that is compared, by name; a method's name stands for the network that has the readable one."""
    made = {name: FastNetwork(network) for name in ('fast', 'image_features', 'encode_bev', 'decode', 'reason')}
    for name in ('image_features', 'encode_bev', 'decode', 'reason'):
        setattr(made[name], name, getattr(network, name))
    with mock.patch.object(fast_network, 'BorderedMaps', GridMaps):
        made['grid'] = FastNetwork(network)
    with mock.patch.object(fast_network, 'Traced', Direct):
        made['direct'] = FastNetwork(network)
    with mock.patch.object(encoder, 'SampleHead', _SideBySide), mock.patch.object(decoder, 'SampleHead', _SideBySide):
        made['softmax'] = FastNetwork(network)
    made |= {'int8': Int8Network(network, ranges), 'int8_layers': Int8Network(network, ranges)}
    made['int8_vision'] = FastNetwork(network, traces=made['int8']._settles is Traced)
    made['int8_layers']._vision, made['int8_vision']._vision = made['fast']._vision, made['int8']._vision
    return made


@dataclass(frozen=True)
class Cost:
    """What a step computes (multiply-adds), moves (bytes), and how many operations it is made of."""

    macs: float
    moved: float
    operations: float

    def __sub__(self, other: Cost) -> Cost:
        """Return what is saved."""
        return Cost(self.macs - other.macs, self.moved - other.moved, self.operations - other.operations)


@torch.inference_mode()
def rates() -> Cost:
    """Return what this machine does in a second with the threads that it is given."""
    def best(action, repeats: int) -> float:
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - started)
        return min(seconds)
    a, b, total = torch.rand(3, _SUM_NUMBERS)
    one = torch.ones(1)
    return Cost(matmul_flops_per_second(torch.device('cpu')) / 2,
                total.nbytes * 3 / best(lambda: torch.add(a, b, out=total), 10),
                1 / best(lambda: one + one, 1000))


class _Sums(torch.nn.Module):
    """Operations on a single number, one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the number of operations."""
        for _ in range(_CHAIN):
            x = x + 1.0
        return x


@torch.inference_mode()
def graph_gain_s() -> float:
    """Return what an operation on a single number takes less in a graph."""
    module, x = _Sums(), torch.ones(1)
    graph, seconds = graph_of(module, (x,)), {}
    for _ in range(50):
        for name, function in (('python', module), ('graph', graph)):
            started = time.perf_counter()
            function(x)
            seconds[name] = min(seconds.get(name, float('inf')), time.perf_counter() - started)
    return (seconds['python'] - seconds['graph']) / _CHAIN


def operations_in_graphs(tracker: AgentTracker, scene: BenchScene) -> int:
    """Return how many operations of a step are in graphs; :param tracker: one that has none."""
    counted = []

    def count(self: Direct, key, *inputs: Tensor):
        with Counter() as counter:
            result = self._function(*inputs)
        counted.append(counter.operations)
        return result
    state, _ = tracker.step(tracker.initial(), scene.frame(0), scene.messages(0))
    with mock.patch.object(Direct, '__call__', count):
        tracker.step(state, scene.frame(1), scene.messages(1))
    return sum(counted)


def costs(trackers: dict[str, AgentTracker], scene: BenchScene) -> dict[str, Cost]:
    """Return the counts of the second step; nothing inside packed or integer layers is counted."""
    found = {}
    for name, tracker in trackers.items():
        state, _ = tracker.step(tracker.initial(), scene.frame(0), scene.messages(0))
        with Counter() as counter:
            tracker.step(state, scene.frame(1), scene.messages(1))
        found[name] = Cost(counter.flops / 2, counter.moved, counter.operations)
    return found


def predicted_ms(lever: Lever, counts: dict[str, Cost], vision_macs: float, speed: Cost) -> float:
    """Return what a lever should save."""
    saved = counts[lever.lacks] - counts[lever.has]
    if lever.has == 'int8':
        # What is not counted is done in integers.
        macs = vision_macs if lever.stages == (VISION,) else saved.macs
        return 1e3 * macs / speed.macs * (1 - 1 / _INT8_GAIN)
    if lever.stages == (VISION,):
        # The packed layers do the same multiply-adds, in operations that are not counted.
        saved = Cost(0.0, saved.moved, saved.operations)
    return 1e3 * (saved.macs / speed.macs + saved.moved / speed.moved + saved.operations / speed.operations)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return predictions and measurements of all levers."""
    config, scene, network = prepared(args)
    side, warmup, frames = args.side, args.warmup, args.frames
    ranges = activation_ranges(network, config, side, [map(scene.frame, range(_CALIBRATION_FRAMES))])
    trackers = {}
    for name, made in networks(copy.deepcopy(network), ranges).items():
        trackers[name] = AgentTracker(network, config, side)
        trackers[name].network = made
    machine, speed = describe_machine(), rates()
    counts = costs(trackers, scene)
    vision_macs = counts['image_features'].macs - counts['fast'].macs
    graphs_ms = 1e3 * graph_gain_s() * operations_in_graphs(trackers['direct'], scene)
    states = {name: tracker.initial() for name, tracker in trackers.items()}
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in trackers}
    for index in range(warmup + frames):
        frame, messages = scene.frame(index), scene.messages(index)
        results = in_turn({name: partial(tracker.step, states[name], frame, messages)
                           for name, tracker in trackers.items()}, index, Stopwatch())
        states = {name: state for name, (state, _) in results.items()}
        for name, (_, output) in results.items():
            seconds[name].append(output.stage_seconds)
        print(f'frame {index + 1} of {warmup + frames}', end='\r', flush=True)
    levers = []
    for lever in LEVERS:
        has, lacks = (np.array([[stages[s] for s in lever.stages] for stages in seconds[name][warmup:]]).sum(1) * 1e3
                      for name in (lever.has, lever.lacks))
        levers.append({'name': lever.name, 'stages': lever.stages, 'without_ms': float(np.median(lacks)),
                       'with_ms': float(np.median(has)), 'measured_ms': float(np.median(lacks - has)),
                       'predicted_ms': graphs_ms if lever.lacks == 'direct' else predicted_ms(
                           lever, counts, vision_macs, speed)})
    return {'schema': SCHEMA, 'config': args.config, 'side': side.value, 'input_size': list(config.input_size),
            'frames': frames, 'machine': machine,
            'rates': {'gmac_per_s': speed.macs / 1e9, 'gb_per_s': speed.moved / 1e9,
                      'us_per_operation': 1e6 / speed.operations}, 'levers': levers}


def main() -> int:
    """Measure and write."""
    parser = step_arguments(__doc__, 15)
    parser.add_argument('--warmup', type=int, default=8)
    args = parser.parse_args()
    result = measure(args)
    store(args.json, result)
    for lever in result['levers']:
        print(f"{lever['name']:80s} predicted {lever['predicted_ms']:7.1f} ms, measured {lever['measured_ms']:7.1f} ms")
    return 0


if __name__ == '__main__':
    sys.exit(main())
