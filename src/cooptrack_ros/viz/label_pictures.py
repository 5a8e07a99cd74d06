"""Labels drawn into the images of their cameras, so that a wrong calibration is seen at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from ..common.errors import UserError
from ..common.files import printable
from ..data.checks.rule import SINGLE_SIDES, CheckedData
from ..data.dataset import CameraFrame, FrameRecord
from .draw import text
from .image_files import write_image
from .overlay import draw_boxes

_FRAMES = 3
_WORDS = (235, 235, 235)


def write_label_pictures(folder: Path, data: CheckedData) -> list[Path]:
    """Write the pictures of three frames of each side, spread over its records; return the files."""
    files = []
    sides = sorted(data.of(*SINGLE_SIDES), key=lambda r: (r.name, r.side))
    for (name, side), own in groupby(sides, key=lambda r: (r.name, r.side)):
        drawable = [(record, camera) for recording in own for record in recording.records if len(record.boxes)
                    for camera in record.cameras if camera.image_path.is_file()]
        for record, camera in _spread(drawable):
            title = f'{name}, {side}, {camera.name}, sequence {record.sequence}, frame {record.token}'
            path = folder / (printable(Path(title)).replace(', ', '_').replace('/', '_').replace(' ', '_') + '.jpg')
            try:
                image, projection = camera.read()
            except UserError:
                # The rules say what is wrong with it.
                continue
            pixels = np.ascontiguousarray(image)
            draw_boxes(pixels, record.boxes, projection)
            words = f'{side} {camera.name}, frame {record.token}: {len(record.boxes)} labels'
            text(pixels, words, (8, 18), _WORDS, 0.45)
            write_image(path, pixels)
            files.append(path)
    return files


def _spread(drawable: list[tuple[FrameRecord, CameraFrame]]) -> Iterator[tuple[FrameRecord, CameraFrame]]:
    """Yield all cameras of three frames."""
    frames = list(dict.fromkeys((record.sequence, record.token) for record, _ in drawable))
    chosen = {frames[i] for i in np.linspace(0, len(frames) - 1, _FRAMES).astype(int)} if frames else set()
    return ((record, camera) for record, camera in drawable if (record.sequence, record.token) in chosen)
