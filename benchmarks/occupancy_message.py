"""
Time and bytes of voxels as messages, beside the features of the same width in the same run.

    python benchmarks/occupancy_message.py --voxels 32000 --json benchmarks/results/occupancy_message.json
    python benchmarks/occupancy_message.py --labels DATA... --json OUT.json

``--labels`` takes what the cameras of roadside units see of the exact labels of the grid ``mini``; otherwise a street
is made up on the grid ``v2x``: ground, walls and cars.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray, PanopticOccupancy, RoadsideOccupancy
from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.bench.scene import example_instances
from cooptrack_ros.bench.timing import Stopwatch, in_turn
from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.outputs import check_file, write_figures
from cooptrack_ros.common.types import Side
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.label_file import read_voxels
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.wire.features import FeatureMeta, decode_instances, encode_instances
from cooptrack_ros.wire.occupancy import (
    OccupancyMeta,
    RoadsideMeta,
    decode_occupancy,
    decode_roadside,
    encode_occupancy,
    encode_roadside,
)
from cooptrack_ros.wire.serialized import read_message

SCHEMA = 'cooptrack-bench-occupancy-message/1'
_KINDS = {'occupancy': PanopticOccupancy, 'roadside': RoadsideOccupancy, 'features': InstanceFeatureArray}
_CAR = (9, 4, 3)
_INSTANCES = 13
"""As many as the largest message of the test scenes has."""


def street(count: int) -> Volume:
    """Return a volume of the grid v2x with about so many voxels: ground, walls along it, sixty cars."""
    shape = GRIDS['v2x'].vehicle.shape
    semantics, instances = np.full(shape, V2X.free, np.uint8), np.zeros(shape, np.int64)
    random = np.random.default_rng(0)
    semantics[:, 20:24, 6:12] = V2X.classes.index('general')
    for number in range(60):
        low = random.integers((0, 30, 7), (shape[0] - _CAR[0], shape[1] - _CAR[1], 8))
        where = tuple(slice(a, a + n) for a, n in zip(low, _CAR))
        semantics[where], instances[where] = V2X.classes.index('car'), 1 + number
    columns = np.flatnonzero((semantics != V2X.free).any(axis=2).ravel() == 0)
    ground = columns[:max(count - int((semantics != V2X.free).sum()), 0)]
    semantics.reshape(-1, shape[2])[ground, 6] = V2X.classes.index('ground')
    return Volume(semantics, instances)


def seen_by_units(folders: list[Path]) -> list[Volume]:
    """Return what the cameras of units see of the labels of data sets."""
    volumes = []
    for path in sorted(p for folder in folders for p in folder.glob('infrastructure-side/occupancy/mini/*.npz')):
        labels = read_voxels(path)
        seen = labels.mask_camera != 0
        volumes.append(Volume(np.where(seen, labels.semantics, V2X.free), np.where(seen, labels.instances, 0)))
    return volumes


def send(volume: Volume, grid: str, turn: int, watch: Stopwatch) -> tuple[int, dict[str, bytes]]:
    """Send a volume, and features, and take them apart; return the number of voxels and the bytes on the way."""
    own = OccupancyMeta(10**18, 'lidar', GRIDS[grid].grid(Side.VEHICLE), V2X)
    link, features = RoadsideMeta('rsu_1', 1, 1, 10**18, 'lidar', grid), FeatureMeta.example()
    random = np.random.default_rng(0)
    instances = example_instances(MINI, random.uniform((5.0, -45.0, -1.0), (95.0, 45.0, 0.0), (_INSTANCES, 3)))
    voxels = watch.time('list', lambda: Occupied.of(volume, V2X))
    messages = in_turn({
        'occupancy.encode': lambda: encode_occupancy(voxels, own),
        'roadside.encode': lambda: encode_roadside(voxels, link),
        'features.encode': lambda: encode_instances(instances, features)}, turn, watch)
    data = in_turn({name.replace('encode', 'serialize'): lambda m=message: serialize_message(m)
                    for name, message in messages.items()}, turn, watch)
    read = in_turn({f'{name}.read': lambda n=name, k=kind: read_message(data[f'{n}.serialize'], k)
                    for name, kind in _KINDS.items()}, turn, watch)
    in_turn({'occupancy.decode': lambda: decode_occupancy(read['occupancy.read']),
             'roadside.decode': lambda: decode_roadside(read['roadside.read'], grid),
             'features.decode': lambda: decode_instances(read['features.read'])}, turn, watch)
    return len(voxels), data


def measure(volumes: list[Volume], grid: str, rounds: int) -> dict[str, Any]:
    """Return times of every step, and bytes of the messages."""
    watch, sizes, counts = Stopwatch(), {name: [] for name in _KINDS}, []
    for turn in range(rounds):
        count, data = send(volumes[turn % len(volumes)], grid, turn, watch)
        counts.append(count)
        for name in sizes:
            sizes[name].append(len(data[f'{name}.serialize']))
    return {'schema': SCHEMA, 'grid': grid, 'rounds': rounds, 'machine': describe_machine(),
            'voxels': float(np.mean(counts)), 'share': float(np.mean(counts) / np.prod(GRIDS[grid].vehicle.shape)),
            'instances': _INSTANCES,
            'bytes': {name: {'mean': float(np.mean(s)), 'worst': int(np.max(s))} for name, s in sizes.items()},
            'times_ms': watch.statistics()}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--voxels', type=int, default=32000)
    source.add_argument('--labels', type=Path, nargs='+', metavar='DATA')
    parser.add_argument('--rounds', type=int, default=200)
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args()
    check_file(args.json)
    volumes = seen_by_units(args.labels) if args.labels else [street(args.voxels)]
    if not volumes:
        parser.error('no infrastructure-side/occupancy/mini/*.npz below the folders of --labels')
    result = measure(volumes, 'mini' if args.labels else 'v2x', args.rounds)
    write_figures(args.json, result)
    for name, row in result['times_ms'].items():
        print(f"{name:20s} p50 {row['p50']:7.3f} ms  p99 {row['p99']:7.3f} ms")
    print(f"{result['voxels']:.0f} voxels ({100 * result['share']:.1f} %), bytes: "
          + ', '.join(f"{name} {size['mean']:.0f}" for name, size in result['bytes'].items()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
