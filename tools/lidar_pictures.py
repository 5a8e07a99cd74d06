"""
Draw what the lidars of a scene see beside what its cameras see, docs/lidar_clouds.jpg.

Makes a synthetic scene, or takes the first frame of a data set with ``--data``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from cooptrack_ros.data.dataset import FrameRecord
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.viz.clouds import draw_cloud, overlay_cloud
from cooptrack_ros.viz.draw import text
from cooptrack_ros.viz.image_files import write_image

HEIGHT = 440
REACH_M = 55.0


def picture(record: FrameRecord, name: str, ahead_m: float) -> np.ndarray:
    """Return the image with the points of a frame on it, and its cloud from above around a point ahead."""
    image, projection = record.cameras[0].read()
    points = record.point_cloud.read()
    overlay = overlay_cloud(image, points, projection)
    overlay = cv2.resize(overlay, (round(image.shape[1] * HEIGHT / image.shape[0]), HEIGHT))
    above = draw_cloud(points, record.boxes, HEIGHT, REACH_M, (ahead_m, 0.0))
    text(above, f'{name}: {len(points)} points', (8, 18))
    return np.hstack([overlay, above])


def main() -> None:
    """Draw both sides, one above the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path(__file__).resolve().parents[1] / 'docs' / 'lidar_clouds.jpg')
    parser.add_argument('--seed', type=int, default=10007)
    parser.add_argument('--data', type=Path)
    args = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = args.data
        if folder is None:
            folder = Path(scratch) / 'scene'
            generate(folder, args.seed, 0.5, lidar=True)
        data = open_dataset(folder)
        sides = [picture(data.records(side)[0], name, ahead) for side, name, ahead in (
            ('vehicle-side', 'vehicle', 0.0), ('infrastructure-side', 'roadside', REACH_M))]
    write_image(args.out, np.vstack(sides))


if __name__ == '__main__':
    main()
