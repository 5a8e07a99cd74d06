"""Rule: headings that turn round between two frames."""

from collections.abc import Iterator

import numpy as np

from ...common.geometry import transform_boxes, wrap_angle
from .rule import CheckedData, Found, Rule, Severity, some

_HALF_TURN = np.radians(150)


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        last: dict[int, float] = {}
        turns = []
        for record in recording.records:
            boxes = transform_boxes(record.global_from_lidar, record.boxes)
            yaws = dict(zip(boxes.track_id.tolist(), boxes.yaw.tolist(), strict=True))
            turns += [f'frame {record.token}, identity {track}' for track, yaw in yaws.items()
                      if track in last and abs(wrap_angle(yaw - last[track])) > _HALF_TURN]
            last |= yaws
        if turns:
            yield recording.title, some(turns, 'steps')


RULE = Rule('half-turn', Severity.WARNING, 'the yaw of an object turns by about 180 degrees from one frame to the next',
            'let yaw be where the front of an object points, in all its frames alike', _find)
