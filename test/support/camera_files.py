"""Calibration files of small cameras."""

from pathlib import Path

import yaml

AHEAD = [[0.0, -1, 0, 0], [0, 0, -1, -0.3], [1, 0, 0, -0.5], [0, 0, 0, 1]]
BEHIND = [[0.0, 1, 0, 0], [0, 0, -1, -0.3], [-1, 0, 0, -0.5], [0, 0, 0, 1]]
MOUNTING = [[1.0, 0, 0, 1.5], [0, 1, 0, 0], [0, 0, 1, 1.9], [0, 0, 0, 1]]


def write_camera(path: Path, size: tuple[int, int] = (64, 32), **changes) -> Path:
    """Write a camera with 90 degrees of view that looks ahead; a change to None leaves a field out."""
    width, height = size
    content = {
        'width': width, 'height': height, 'matrix': [[width / 2, 0, width / 2], [0, width / 2, height / 2], [0, 0, 1]],
        'distortion_model': 'plumb_bob', 'distortion': [0.0] * 5, 'camera_from_lidar': AHEAD, 'ground_z': -1.9,
        'lidar_frame': 'ego/lidar', 'base_frame': 'ego/base_link', 'base_from_lidar': MOUNTING, **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}), encoding='utf-8')
    return path
