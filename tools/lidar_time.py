"""Time that a point cloud branch adds to a frame, of the processor, on one thread."""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from cooptrack_ros.common.types import Side
from cooptrack_ros.model.lidar.sizes import BRANCHES
from cooptrack_ros.weights.store import open_model

_TURNS, _WARM = 30, 5


def main() -> None:
    """Print the median of each number of points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--branch', choices=list(BRANCHES), default='mini_lidar')
    parser.add_argument('--points', type=int, nargs='+', default=[30_000, 60_000])
    args = parser.parse_args()
    torch.set_num_threads(1)
    package = open_model(f'random:{args.branch}')
    branch, random = package.branch(Side.VEHICLE), np.random.default_rng(0)
    rows, columns = package.config.bev_size
    camera = torch.zeros(1, rows * columns, package.config.embed_dims)
    for count in args.points:
        away, angle = random.gamma(1.5, 12.0, count), random.uniform(-np.pi, np.pi, count)
        cloud = torch.from_numpy(np.column_stack([
            away * np.cos(angle), away * np.sin(angle), random.uniform(-2, 1, count),
            random.random(count)]).astype(np.float32))
        seconds = []
        with torch.inference_mode():
            for _ in range(_TURNS):
                started = time.process_time()
                branch(camera, [cloud])
                seconds.append(time.process_time() - started)
        print(f'{args.branch}, {count} points: {1e3 * np.median(seconds[_WARM:]):.1f} ms')


if __name__ == '__main__':
    main()
