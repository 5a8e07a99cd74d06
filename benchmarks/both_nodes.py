"""
Both nodes on one machine: how many images of a recording they answer in real time, how late, and what that costs.

    python benchmarks/both_nodes.py --json benchmarks/results/both_nodes.json
    python benchmarks/both_nodes.py --before REVISION --rounds 2 --seconds 60 --json benchmarks/results/both_nodes.json

A made-up scene is played to a roadside node and an ego node, with the topics and without the limits of the launch
files: images of both cameras at 10 Hz, at the same moments. The player and what receives all answers run on the same
cores. That is done once for every arrangement of the nodes: with each executor, both in one process, and as they were
in a revision from before. Then each gets the same recording in lockstep, where all have the same to do: what processor
time the nodes take, and whether they answer with the same tracks; where not, in how many frames and how far apart.
Processor time of a busy machine can be compared, the rest needs a machine that does nothing else. How fast a virtual
machine is changes by the hour: with several rounds the arrangements take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import store

from cooptrack_ros.bench.machine import cpu_seconds, describe_machine
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.types import typestore
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.demo.processes import Process, environment, finish, tool_command
from cooptrack_ros.nodes.settings import EXECUTOR
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.topics import EGO_NAMESPACE, features_topic, tracks_topic, unit_namespace

SCHEMA = 'cooptrack-bench-both-nodes/2'
UNIT = 'rsu_1'
_TWO, _ONE = 'two processes', 'one process'
DEFAULT = f'{_TWO}, {EXECUTOR.default}'
"""What users get who change nothing."""
_ROOT = Path(__file__).resolve().parents[1]
_SPACES = {'ego': EGO_NAMESPACE, 'roadside': unit_namespace(UNIT)}
_LONGEST_S, _START_S, _POLL_S = 1800.0, 900.0, 0.1
_READY = "' ready after "
"""What a node says that has loaded its model."""


@dataclass(frozen=True)
class Arm:
    """One arrangement of the nodes."""

    name: str
    executor: str = ''
    """Empty for what the nodes have by themselves."""
    in_one: bool = False
    sources: Path | None = None
    """Of another revision of the package."""

    def commands(self, weights: str, lockstep: bool) -> dict[str, list[str]]:
        """Return the commands of the processes by name."""
        own = {kind: _arguments(kind, weights, self.executor, lockstep) for kind in _SPACES}
        if self.in_one:
            return {'both': _program('single_process', [w for kind in _SPACES for w in (f'--{kind}', *own[kind])])}
        return {kind: _program(f'{kind}_node', words) for kind, words in own.items()}


ARMS = [Arm(f'{processes}, {kind}', kind, processes == _ONE) for processes in (_TWO, _ONE) for kind in EXECUTOR.choices]


def _program(name: str, words: Sequence[str]) -> list[str]:
    return [sys.executable, '-m', 'cooptrack_ros.programs', name, *words]


def _arguments(kind: str, weights: str, executor: str, lockstep: bool) -> list[str]:
    """Return the arguments of a node."""
    space = _SPACES[kind]
    topics = {f'~/input/{t}': f'{space}/camera/{t}' for t in ('image/compressed', 'calibration', 'camera_info')}
    topics |= {'~/input/odometry': '/ego/odometry', '__ns': space}
    parameters = {'weights': weights, 'use_sim_time': 'true', 'lockstep': str(lockstep).lower()}
    parameters |= {'infra_units': UNIT} if kind == 'ego' else {'unit_id': UNIT}
    parameters |= {'executor': executor} if executor else {}
    words = [w for name, topic in topics.items() for w in ('-r', f'{name}:={topic}')]
    words += [w for name, value in parameters.items() for w in ('-p', f'{name}:={value}')]
    return ['--ros-args', *words]


def play(arm: Arm, bag: Path, weights: str, scratch: Path, record: Path | None = None) -> dict[str, Any]:
    """
    Start the nodes, play the bag, and return what the player counted, with ``cpu_s`` of all nodes together.

    :param record: play in lockstep, and record there what the nodes publish.
    """
    report = scratch / 'replay.json'
    with ExitStack() as running:
        variables = environment(running.enter_context(reserve_domains()).first, scratch)
        del variables['OMP_NUM_THREADS']
        of_nodes = {**variables, 'PYTHONPATH': str(arm.sources)} if arm.sources else variables
        nodes = [running.enter_context(Process(f'{name} node', command, scratch / f'{name}.log', of_nodes))
                 for name, command in arm.commands(weights, record is not None).items()]
        _await_models(nodes)
        before = sum(cpu_seconds(node.pid) for node in nodes)
        pace = ['--lockstep', '--record', record] if record else ['--rate', 1]
        player = running.enter_context(Process('replay', tool_command('replay', bag, *pace, '--json', report),
                                               scratch / 'replay.log', variables))
        finish(player, nodes, _LONGEST_S, threading.Event())
        spent = sum(cpu_seconds(node.pid) for node in nodes) - before
    return {**json.loads(report.read_text(encoding='utf-8')), 'cpu_s': spent}


def _await_models(nodes: Sequence[Process]) -> None:
    """Wait until the model of both sides is loaded, which is no part of what is measured."""
    deadline = time.monotonic() + _START_S
    while sum(node.log.read_text(errors='replace').count(_READY) for node in nodes) < len(_SPACES):
        for node in nodes:
            if node.status() is not None or time.monotonic() > deadline:
                raise node.failure('has not loaded its model')
        time.sleep(_POLL_S)


def summary(replay: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of both nodes in real time."""
    answered = {'ego': replay['tracks'], 'roadside': replay['features'][features_topic(UNIT)]}
    images = {'ego': replay['ego_images'], 'roadside': replay['unit_images'][UNIT]}
    return {'nodes': {kind: {
        'images': images[kind], 'answered': answered[kind], 'answered_share': answered[kind] / images[kind],
        'latency_ms': replay['latency_ms'][f'{space}/{kind}_node']} for kind, space in _SPACES.items()},
        'modes': replay['modes'], 'cpu_s': replay['cpu_s']}


def tracks_in(record: Path) -> list[Any]:
    """Return the TrackArrays of the ego node in a recording."""
    with BagReader(record) as reader:
        answers = [c for c in reader.connections if c.topic == tracks_topic()]
        return [reader.deserialize(c, data) for c, _, data in reader.messages(answers)]


def lockstep(replay: dict[str, Any], tracks: Sequence[Any], first: Sequence[Any]) -> dict[str, Any]:
    """
    Return what the frames of a recording cost, and whether the answers are those of another run.

    :param tracks: what the ego node answered; :param first: the same of the run that all are compared with.
    """
    return {'images': replay['ego_images'], 'cpu_s': replay['cpu_s'],
            'tracks_sha256': hashlib.sha256(b''.join(map(_content, tracks))).hexdigest(), **apart(tracks, first)}


def _content(message: Any) -> bytes:
    # Written anew: what lies between the fields of a message as it was sent is left to chance.
    return typestore().serialize_cdr(message, message.__msgtype__)


def apart(tracks: Sequence[Any], first: Sequence[Any]) -> dict[str, Any]:
    """
    Return in how many frames two runs answered otherwise, and the stamp of the first such frame.

    ``apart_m`` tells how far the same tracks lie apart at most, None where it is not the same frames or tracks.
    Rounding makes millionths of a metre, a message that one of both did not have makes more.
    """
    one, other = ({stamp_ns(message.header.stamp): message for message in run} for run in (tracks, first))
    stamps = sorted(s for s in one.keys() | other.keys()
                    if s not in one or s not in other or _content(one[s]) != _content(other[s]))
    distances = [_largest_distance(one[s], other[s]) if s in one and s in other else None for s in stamps]
    return {'frames_apart': len(stamps), 'first_apart_ns': stamps[0] if stamps else None,
            'apart_m': None if None in distances else max(distances, default=0.0)}


def _largest_distance(one: Any, other: Any) -> float | None:
    places, others = ({t.id: t.pose.position for t in message.tracks} for message in (one, other))
    if places.keys() != others.keys():
        return None
    return max((abs(getattr(place, axis) - getattr(others[number], axis)) for number, place in places.items()
                for axis in 'xyz'), default=0.0)


def merged(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all rounds of an arm: sums, and for latencies the median of what the rounds had."""
    nodes = {}
    for kind in _SPACES:
        figures = [run['nodes'][kind] for run in runs]
        images, answered = (sum(f[name] for f in figures) for name in ('images', 'answered'))
        nodes[kind] = {'images': images, 'answered': answered, 'answered_share': answered / images,
                       'latency_ms': _median_latencies([f['latency_ms'] for f in figures])}
    played = [run['lockstep'] for run in runs]
    images, cpu_s = (sum(p[name] for p in played) for name in ('images', 'cpu_s'))
    worst = max(played, key=lambda p: p['frames_apart'])
    return {'nodes': nodes, 'modes': dict(sum((Counter(run['modes']) for run in runs), Counter())),
            'cpu_s': sum(run['cpu_s'] for run in runs),
            'lockstep': {**worst, 'images': images, 'cpu_s': cpu_s, 'cpu_ms_per_frame': 1e3 * cpu_s / images}}


def _median_latencies(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {part: {q: statistics.median(r[part][q] for r in rounds) for q in rounds[0][part]}
            for part in rounds[0] if all(part in r for r in rounds)}


@contextmanager
def sources_of(revision: str | None, scratch: Path) -> Iterator[Path | None]:
    """Give the sources of a revision of this clone, None for none."""
    if revision is None:
        yield None
        return
    tree = scratch / 'before'
    git = ['git', '-C', str(_ROOT), 'worktree']
    subprocess.run([*git, 'add', '--quiet', '--detach', str(tree), revision], check=True)
    try:
        yield tree / 'src'
    finally:
        subprocess.run([*git, 'remove', '--force', str(tree)], check=True)


def measure(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return the figures of every arm."""
    generate(scratch / 'scene', args.seed, args.seconds, (960, 540))
    dataset, first = open_dataset(scratch / 'scene'), None
    convert(dataset, dataset.sequences()[0], scratch / 'bag')
    with sources_of(args.before, scratch) as before:
        arms = ([Arm('before', sources=before)] if before else []) + [arm for arm in ARMS if arm.name in args.arms]
        runs: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}
        for number, arm in enumerate(arms * args.rounds):
            folder = scratch / str(number)
            found = summary(play(arm, scratch / 'bag', args.weights, folder))
            replay = play(arm, scratch / 'bag', args.weights, folder, folder / 'record')
            tracks = tracks_in(folder / 'record')
            first = tracks if first is None else first
            runs[arm.name].append({**found, 'lockstep': lockstep(replay, tracks, first)})
            show(arm.name, merged(runs[arm.name][-1:]))
            shutil.rmtree(folder)
    return {name: merged(of_arm) for name, of_arm in runs.items()}


def show(name: str, arm: dict[str, Any]) -> None:
    """Print an arm."""
    for kind, node in arm['nodes'].items():
        print(f"{name}, {kind}: {node['answered']} of {node['images']} images, "
              f"p50 {node['latency_ms']['total']['p50']:.0f} ms, p95 {node['latency_ms']['total']['p95']:.0f} ms")
    lockstep = arm['lockstep']
    print(f"{name}: {arm['cpu_s']:.1f} s of processor time, in lockstep {lockstep['cpu_ms_per_frame']:.1f} ms a frame "
          f"of both, tracks {lockstep['tracks_sha256'][:8]}", flush=True)
    if lockstep['frames_apart']:
        distance = 'not the same tracks' if lockstep['apart_m'] is None else f"up to {lockstep['apart_m']:.2g} m apart"
        print(f"{name}: {lockstep['frames_apart']} frames are not as in the first run, from stamp "
              f"{lockstep['first_apart_ns'] / 1e9:.6f} on, {distance}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write the result."""
    names = [arm.name for arm in ARMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--seed', type=int, default=20002, help='of the scene')
    parser.add_argument('--seconds', type=float, default=20.0, help='length of the recording')
    parser.add_argument('--rounds', type=int, default=1, help='so often, the arrangements in turn')
    parser.add_argument('--before', metavar='REVISION', help='compare with the nodes of a revision of this clone, too')
    parser.add_argument('--arms', nargs='+', metavar='NAME', default=names, choices=names,
                        help=f"arrangements of the nodes: {'; '.join(names)} (default: all)")
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error(f'--rounds is {args.rounds}, expected 1 or more')
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as scratch:
        # As a folder: another revision may have other weights of this name.
        args.weights = str(open_model(args.weights).folder or args.weights)
        arms = measure(args, Path(scratch))
    store(args.json, {'schema': SCHEMA, 'weights': Path(args.weights).name, 'seed': args.seed, 'seconds': args.seconds,
                      'rounds': args.rounds, 'camera_size': [960, 540], 'before': args.before, 'default': DEFAULT,
                      'machine': machine, 'arms': arms})
    return 0


if __name__ == '__main__':
    sys.exit(main())
