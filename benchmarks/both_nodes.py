"""
Both nodes on one machine in real time: how many images of a recording they answer, and how late.

    python benchmarks/both_nodes.py --json benchmarks/results/both_nodes.json

A made-up scene is played to a roadside node and an ego node, with the topics and without the limits of the launch
files: images of both cameras at 10 Hz, at the same moments. The player and what receives all answers run on the same
cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from steps import store

from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.demo.processes import Process, environment, finish, tool_command
from cooptrack_ros.wire.topics import EGO_NAMESPACE, features_topic, unit_namespace

SCHEMA = 'cooptrack-bench-both-nodes/1'
UNIT = 'rsu_1'
_SPACES = {'ego': EGO_NAMESPACE, 'roadside': unit_namespace(UNIT)}
_LONGEST_S = 600.0


def node_command(kind: str, weights: str) -> list[str]:
    """Return the command of a node."""
    space = _SPACES[kind]
    topics = {f'~/input/{t}': f'{space}/camera/{t}' for t in ('image/compressed', 'calibration', 'camera_info')}
    topics |= {'~/input/odometry': '/ego/odometry', '__ns': space}
    parameters = {'weights': weights, 'use_sim_time': 'true'}
    parameters |= {'infra_units': UNIT} if kind == 'ego' else {'unit_id': UNIT}
    words = [w for name, topic in topics.items() for w in ('-r', f'{name}:={topic}')]
    words += [w for name, value in parameters.items() for w in ('-p', f'{name}:={value}')]
    return [sys.executable, '-m', 'cooptrack_ros.programs', f'{kind}_node', '--ros-args', *words]


def play(bag: Path, weights: str, scratch: Path) -> dict[str, Any]:
    """Start the nodes, play the bag, and return what the player counted."""
    report = scratch / 'replay.json'
    with ExitStack() as running:
        variables = environment(running.enter_context(reserve_domains()).first, scratch)
        del variables['OMP_NUM_THREADS']
        nodes = [running.enter_context(Process(
            f'{kind} node', node_command(kind, weights), scratch / f'{kind}.log', variables)) for kind in _SPACES]
        player = running.enter_context(Process('replay', tool_command(
            'replay', bag, '--rate', 1, '--json', report), scratch / 'replay.log', variables))
        finish(player, nodes, _LONGEST_S, threading.Event())
    return json.loads(report.read_text(encoding='utf-8'))


def summary(replay: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of both nodes."""
    answered = {'ego': replay['tracks'], 'roadside': replay['features'][features_topic(UNIT)]}
    images = {'ego': replay['ego_images'], 'roadside': replay['unit_images'][UNIT]}
    return {'nodes': {kind: {
        'images': images[kind], 'answered': answered[kind], 'answered_share': answered[kind] / images[kind],
        'latency_ms': replay['latency_ms'][f'{space}/{kind}_node']} for kind, space in _SPACES.items()},
        'modes': replay['modes']}


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--seed', type=int, default=20002, help='of the scene')
    parser.add_argument('--seconds', type=float, default=20.0, help='length of the recording')
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args(argv)
    machine, size = describe_machine(), (960, 540)
    with tempfile.TemporaryDirectory() as scratch:
        scene, bag = Path(scratch) / 'scene', Path(scratch) / 'bag'
        generate(scene, args.seed, args.seconds, size)
        dataset = open_dataset(scene)
        convert(dataset, dataset.sequences()[0], bag)
        found = summary(play(bag, args.weights, Path(scratch)))
    store(args.json, {'schema': SCHEMA, 'weights': args.weights, 'seed': args.seed, 'seconds': args.seconds,
                      'camera_size': list(size), 'machine': machine, **found})
    for kind, node in found['nodes'].items():
        print(f"{kind}: {node['answered']} of {node['images']} images, "
              f"p50 {node['latency_ms']['total']['p50']:.0f} ms, p95 {node['latency_ms']['total']['p95']:.0f} ms")
    return 0


if __name__ == '__main__':
    sys.exit(main())
