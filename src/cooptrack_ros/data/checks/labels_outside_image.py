"""Rule: labels that no image shows."""

from collections.abc import Iterator

import numpy as np

from ...common.errors import UserError
from ...common.geometry import project_points
from ...sensors.image_decoding import read_image
from ..dataset import CameraFrame, FrameRecord
from .rule import SINGLE_SIDES, CheckedData, Found, Recording, Rule, Severity

_FEWEST, _LEAST = 5, 0.5


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of(*SINGLE_SIDES):
        sizes = _sizes(recording)
        inside = [_inside(record, sizes) for record in recording.records if sizes]
        count = sum(map(len, inside))
        seen = sum(int(row.sum()) for row in inside)
        if count >= _FEWEST and seen < _LEAST * count:
            yield recording.title, f'{count - seen} of {count} labels have their centre outside of all images'


def _sizes(recording: Recording) -> dict[str, tuple[int, int]]:
    """Return width and height of the images of each camera, of the first image that can be read."""
    sizes: dict[str, tuple[int, int]] = {}
    for camera in (camera for record in recording.records for camera in record.cameras):
        if camera.name not in sizes:
            size = _size(camera)
            if size:
                sizes[camera.name] = size
    return sizes


def _size(camera: CameraFrame) -> tuple[int, int] | None:
    if camera.size or not camera.image_path.is_file():
        return camera.size
    try:
        return read_image(camera.image_path).size[::-1]
    except UserError:
        return None


def _inside(record: FrameRecord, sizes: dict[str, tuple[int, int]]) -> np.ndarray:
    """Return (N,) whether some image shows the centre of a box."""
    shown = np.zeros(len(record.boxes), bool)
    for camera in record.cameras:
        if camera.name in sizes:
            pixels, depth = project_points(camera.img_from_lidar, record.boxes.centre)
            shown |= (depth > 0) & (pixels >= 0).all(1) & (pixels < sizes[camera.name]).all(1)
    return shown


RULE = Rule('labels-outside-image', Severity.ERROR, 'most labels are projected to where no image is',
            'check the axes (lidar x forward, y left, z up; camera x right, y down, z forward), that cam_from_lidar is '
            'not its inverse, and that labels are in the lidar frame; look at --pictures', _find)
