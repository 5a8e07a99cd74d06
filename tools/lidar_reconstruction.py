"""Draw what several pretrained encoders rebuild of one frame, one above the other, docs/lidar_reconstruction.jpg."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.train.lidar.gather import gatherings
from cooptrack_ros.train.lidar.measure import picture_of
from cooptrack_ros.train.lidar.run import open_run
from cooptrack_ros.viz.image_files import write_image
from cooptrack_ros.viz.reconstruction import draw_reconstruction

DOCS = Path(__file__).resolve().parents[1] / 'docs'


def main() -> None:
    """Draw one row for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', metavar='RUN', type=Path, nargs='+', help='run folders of train lidar-pretraining')
    parser.add_argument('--data', type=Path, required=True, help='folder whose first frame is drawn')
    parser.add_argument('--out', type=Path, default=DOCS / 'lidar_reconstruction.jpg')
    args = parser.parse_args()
    frame = gatherings(open_datasets([args.data]))[0][0]
    rows = []
    for run in args.runs:
        stage, settings = open_run(run)
        rows.append(draw_reconstruction(f'agents {settings.agents}', **picture_of(stage, frame, settings)))
    write_image(args.out, np.vstack(rows))


if __name__ == '__main__':
    main()
