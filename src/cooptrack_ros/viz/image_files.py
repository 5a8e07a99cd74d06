"""Images and videos in files of any name: OpenCV itself takes only names that are UTF-8."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from ..common.errors import UserError
from ..common.files import replacing, write_atomically


def write_image(path: Path, pixels: np.ndarray) -> None:
    """
    Write an image (H, W, 3) BGR in the format that the name ends with.

    :raises UserError: for a name that does not end with a known one.
    """
    try:
        _, data = cv2.imencode(path.suffix, pixels)
    except cv2.error as error:
        raise UserError(f'{path}: an image cannot be written under this name; expected one like {path.stem}.png'
                        ) from error
    write_atomically(path, data.tobytes())


class VideoFile:
    """Writes MPEG-4; where OpenCV was built without it, nothing is written and ``close`` says so."""

    def __init__(self, path: Path, frames_per_second: float):
        """Prepare a file; it is opened with the first picture, which decides the size."""
        self.path, self._rate = path, frames_per_second
        self._scratch = TemporaryDirectory(prefix='cooptrack_video_')
        self._part = Path(self._scratch.name) / 'tracks.mp4'
        self._writer: cv2.VideoWriter | None = None

    def add(self, picture: np.ndarray) -> None:
        """Append a picture (H, W, 3) BGR."""
        if self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            self._writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*'mp4v'), self._rate, size)
        if self._writer.isOpened():
            self._writer.write(picture)

    def close(self) -> bool:
        """Finish; return whether there is a video."""
        written = self._writer is not None and self._writer.isOpened()
        if self._writer is not None:
            self._writer.release()
        if written:
            with replacing(self.path) as part:
                shutil.copyfile(self._part, part)
        self._scratch.cleanup()
        return written
