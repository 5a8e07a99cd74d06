"""Rule: boxes below the ground."""

from collections.abc import Iterator

import numpy as np

from .rule import CheckedData, Found, Rule, Severity, some

_ROOM_M, _SLOPE = 1.0, 0.04
_FEWEST = 5


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        boxes = [record.boxes for record in recording.records]
        bottoms = np.concatenate([np.zeros(0), *(b.centre[:, 2] - b.size[:, 2] / 2 for b in boxes)])
        if len(bottoms) < _FEWEST:
            continue
        ground = np.median(bottoms)
        below = []
        for record, own in zip(recording.records, boxes, strict=True):
            depth = ground - (own.centre[:, 2] - own.size[:, 2] / 2)
            room = _ROOM_M + _SLOPE * np.linalg.norm(own.centre[:, :2], axis=1)
            below += [f'frame {record.token}, identity {own.track_id[row]}, {depth[row]:.1f} m'
                      for row in np.flatnonzero(depth > room)]
        if below:
            yield recording.title, some(below, 'boxes stand lower than the others')


RULE = Rule('below-ground', Severity.WARNING, 'boxes lie below the ground on which the others of the sequence stand',
            'the centre of a box is its geometric centre: add half the height to a centre at the bottom; is z up?',
            _find)
