"""Rule: a camera matrix or a mounting that a camera can hardly have."""

from collections.abc import Iterator

import numpy as np

from ...common.errors import UserError
from ...sensors.calibration_check import check_matrix
from ...sensors.image_decoding import read_image
from ..dataset import CameraFrame
from .rule import SINGLE_SIDES, CheckedData, Found, Rule, Severity


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of(*SINGLE_SIDES):
        seen: set[bytes] = set()
        told: set[str] = set()
        for camera in (camera for record in recording.records for camera in record.cameras):
            key = camera.name.encode() + camera.intrinsic.tobytes() + camera.cam_from_lidar.tobytes()
            if key not in seen and camera.name not in told and camera.image_path.is_file():
                seen.add(key)
                evidence = _wrong(camera)
                if evidence:
                    told.add(camera.name)
                    yield f'{recording.title}, {camera.name}', f'{camera.image_path}: {evidence}'


def _wrong(camera: CameraFrame) -> str:
    try:
        size = camera.size or read_image(camera.image_path).size[::-1]
    except UserError as error:
        return str(error)
    words = [f'{f.problem}: {f.evidence}; {f.advice}' for f in check_matrix(camera.intrinsic, size)]
    if np.linalg.det(camera.cam_from_lidar[:3, :3]) < 0:
        words.append('cam_from_lidar mirrors space: one axis has the wrong sign')
    return '; '.join(words)


RULE = Rule('unlikely-calibration', Severity.WARNING, 'calibration and image of a camera hardly belong together',
            'see what is said of the matrix; it must be for images of this size, in pixels', _find)
