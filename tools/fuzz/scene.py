"""A very small data set for entries that read one."""

from __future__ import annotations

from pathlib import Path

SEED = 20001
SIZE = (64, 36)


def make_scene(folder: Path) -> Path:
    """Write a synthetic scene of half a second with small images and clouds."""
    from cooptrack_ros.data.synth import generate
    root = folder / 'scene'
    generate(root, SEED, 0.5, SIZE, lidar=True)
    return root
