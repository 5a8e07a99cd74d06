"""
Bytes and time of feature messages by encoding, with and without embeddings, as markdown tables and JSON.

    python benchmarks/messages.py --json benchmarks/results/messages.json

Sizes are those of serialized messages. Encoding is all that the roadside node does from an instance set to the bytes,
decoding all that the ego node does from there to an instance set, on one CPU thread; completing recomputes embeddings.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

ENCODINGS = ('float32', 'float16', 'int8')
WIDTHS = (256, 96)
COUNT = 64
PAPER_BYTES_PER_INSTANCE = 4 * (3 * 256 + 3)
PAPER = {'10 Hz, R50': (10, 2.85e5), '2 Hz, R101': (2, 5.64e4)}
"""Frames per second and bytes per second (CoopTrack, tables 1 and 3); the number of instances follows from them."""


def instances_of(count: int, width: int):
    """Return plausible instances with normally distributed features."""
    from cooptrack_ros.core.types import Boxes, InstanceSet
    random = np.random.default_rng(0)
    boxes = Boxes(random.uniform(0, 50, (count, 3)), np.full((count, 3), 2.0), random.uniform(-3, 3, count),
                  random.normal(size=(count, 2)), np.zeros(count, np.int64), random.random(count), np.arange(count))
    features = [random.normal(size=(count, width)).astype(np.float32) for _ in range(3)]
    points = random.random((count, 3)).astype(np.float32)
    return InstanceSet(boxes, points, *features, points, np.full(count, 0.1, np.float32), points)


def sender_of(width: int):
    """Return the model of a unit with random weights."""
    from cooptrack_ros.model.layers import mlp
    from cooptrack_ros.model.sender import SenderModel
    weights = mlp(3 * (width // 2), width, width).state_dict()
    return SenderModel('unit', {f'query_position.{k}': v for k, v in weights.items()})


def milliseconds(call: Callable[[], object], runs: int) -> dict[str, float]:
    """Return the shortest and the median time of a call."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return {'best': min(times), 'median': statistics.median(times)}


def measure(width: int, encoding: str, compact: bool, runs: int) -> dict:
    """Return bytes and times of one kind of message."""
    from rclpy.serialization import deserialize_message, serialize_message

    from cooptrack_msgs.msg import InstanceFeatureArray
    from cooptrack_ros.wire.features import FeatureMeta, decode_instances, encode_instances, sendable
    meta = replace(FeatureMeta.example(), encoding=encoding, compact=compact)
    instances, sender = instances_of(COUNT, width), sender_of(width)

    def encode(content) -> bytes:
        return serialize_message(encode_instances(sendable(content, COUNT)[0], meta))

    def decode(data: bytes):
        return decode_instances(deserialize_message(data, InstanceFeatureArray))[0]
    data, fixed = encode(instances), len(encode(instances[:0]))
    received = decode(data)
    times = {'encode': milliseconds(lambda: encode(instances), runs),
             'decode': milliseconds(lambda: decode(data), runs),
             'both': milliseconds(lambda: decode(encode(instances)), runs),
             'complete': milliseconds(lambda: sender.complete(received), runs)}
    return {'bytes_per_message': fixed, 'bytes_per_instance': (len(data) - fixed) / COUNT, 'milliseconds': times}


def size_table(rows: dict[str, dict]) -> list[str]:
    """Return what messages of the published width cost, beside what the paper states."""
    counts = {name: rate / hertz / PAPER_BYTES_PER_INSTANCE for name, (hertz, rate) in PAPER.items()}
    heads = [f'{name}: kB/s with {counts[name]:.2f} instances' for name in PAPER]
    lines = [f'| message | bytes per instance | of the paper\'s | {" | ".join(heads)} |',
             '|---' * (3 + len(heads)) + '|',
             f'| paper, features alone | {PAPER_BYTES_PER_INSTANCE} | 100 % '
             f'| {" | ".join(f"{rate / 1e3:.1f}" for _, rate in PAPER.values())} |']
    for key, row in rows.items():
        width, encoding, kind = key.split()
        if int(width) != WIDTHS[0]:
            continue
        rates = [hertz * (row['bytes_per_message'] + counts[name] * row['bytes_per_instance']) / 1e3
                 for name, (hertz, _) in PAPER.items()]
        lines.append(f'| {encoding}, {kind} | {row["bytes_per_instance"]:.0f} '
                     f'| {row["bytes_per_instance"] / PAPER_BYTES_PER_INSTANCE:.0%} '
                     f'| {" | ".join(f"{rate:.1f}" for rate in rates)} |')
    return lines


def time_table(rows: dict[str, dict]) -> list[str]:
    """Return what messages of 64 instances take, shortest / median."""
    steps = ('encode', 'decode', 'both', 'complete')
    lines = [f'| C | message | {" | ".join(steps)} |', '|---' * (2 + len(steps)) + '|']
    for key, row in rows.items():
        width, encoding, kind = key.split()
        cells = [f'{row["milliseconds"][s]["best"]:.2f} / {row["milliseconds"][s]["median"]:.2f}' for s in steps]
        lines.append(f'| {width} | {encoding}, {kind} | {" | ".join(cells)} |')
    return lines


def main() -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--runs', type=int, default=1000)
    args = parser.parse_args()
    import torch
    torch.set_num_threads(1)
    rows = {f'{width} {encoding} {"compact" if compact else "full"}': measure(width, encoding, compact, args.runs)
            for width in WIDTHS for encoding in ENCODINGS for compact in (False, True)}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {'machine': platform.platform(), 'python': platform.python_version(), 'numpy': np.__version__,
               'runs': args.runs, 'instances': COUNT}
    args.json.write_text(json.dumps({**machine, 'rows': rows}, indent=1), encoding='utf-8')
    print('\n'.join([*size_table(rows), '', *time_table(rows)]))
    return 0


if __name__ == '__main__':
    sys.exit(main())
