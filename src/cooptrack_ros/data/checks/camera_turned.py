"""Rule: a camera that looks elsewhere than its calibration says."""

from collections.abc import Iterator

import numpy as np

from ...common.errors import UserError
from ..dataset import CameraFrame
from .edges import Shift, find_shift
from .rule import SINGLE_SIDES, CheckedData, Found, Rule, Severity

_FRAMES = 16
_SMALLEST_DEG, _AGREEMENT_DEG = 0.6, 0.45
_FEWEST = 6
_STEEP_DEG = 25.0


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of(*SINGLE_SIDES):
        labelled = [r for r in recording.records if len(r.boxes) and all(c.image_path.is_file() for c in r.cameras)]
        chosen = [labelled[i] for i in np.unique(np.linspace(0, len(labelled) - 1, _FRAMES).astype(int))
                  ] if labelled else []
        for number, camera in enumerate(chosen[0].cameras if chosen else ()):
            try:
                shift = find_shift(chosen, number)
            except UserError:
                # Images that cannot be used are what other rules speak of.
                continue
            if shift is not None and (words := _words(shift, _looks_down(camera))):
                yield f'{recording.title}, {camera.name}', words


def _looks_down(camera: CameraFrame) -> bool:
    """Tell whether a camera looks so steeply down that the far upper edge of a box lies beyond its object."""
    forward = camera.cam_from_lidar[2, :3]
    return bool(forward[2] < -np.sin(np.radians(_STEEP_DEG)) * np.linalg.norm(forward))


def _words(shift: Shift, looks_down: bool) -> str:
    """
    Say how far a camera is turned; nothing if it is not, or if the two halves of the objects do not agree.

    :param looks_down: up and down are then not judged.
    """
    if shift.objects < _FEWEST:
        return ''
    said = []
    for axis, (angle, ways) in enumerate(((shift.yaw, ('right', 'left')), (shift.pitch, ('down', 'up')))):
        agree = np.abs(shift.halves[:, axis] - angle) <= _AGREEMENT_DEG
        if abs(angle) >= _SMALLEST_DEG and agree.all() and not (axis and looks_down):
            said.append(f'{abs(angle):.1f} degrees too far {ways[int(angle < 0)]}')
    return f"by the edges of {shift.objects} objects the boxes lie {' and '.join(said)}" if said else ''


RULE = Rule('camera-turned', Severity.WARNING, 'the boxes of labels lie beside the objects in the images',
            'calibrate cam_from_lidar anew; look at --pictures: labels and images of different times look alike when '
            'everything moves', _find)
