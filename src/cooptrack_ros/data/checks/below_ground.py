"""Rule: boxes below the ground."""

from collections.abc import Iterator

import numpy as np

from ...common.geometry import transform_points
from ..dataset import FrameRecord
from .rule import CheckedData, Found, Rule, Severity, some

_ROOM_M, _SLOPE = 1.0, 0.04
_FEWEST = 5


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        boxes = [record.boxes for record in recording.records]
        if sum(map(len, boxes)) < _FEWEST:
            continue
        bottoms = [_bottoms(record) for record in recording.records]
        ground = np.median(np.concatenate(bottoms), axis=0)
        below = []
        for record, own, bottom in zip(recording.records, boxes, bottoms, strict=True):
            # A frame may lean over or go up and down against the ground, a road may climb in the world.
            depth = (ground - bottom).min(1)
            room = _ROOM_M + _SLOPE * np.linalg.norm(own.centre[:, :2], axis=1)
            below += [f'frame {record.token}, identity {own.track_id[row]}, {depth[row]:.1f} m'
                      for row in np.flatnonzero(depth > room)]
        if below:
            yield recording.title, some(below, 'boxes stand lower than the others')


def _bottoms(record: FrameRecord) -> np.ndarray:
    """Return (N, 2) the height of the bottom of each box in the lidar frame and in the world."""
    boxes = record.boxes
    world = transform_points(record.global_from_lidar, boxes.centre)
    return np.stack([boxes.centre[:, 2], world[:, 2]], axis=1) - boxes.size[:, 2:] / 2


RULE = Rule('below-ground', Severity.WARNING, 'boxes lie below the ground on which the others of the sequence stand',
            'the centre of a box is its geometric centre: add half the height to a centre at the bottom; is z up?',
            _find)
