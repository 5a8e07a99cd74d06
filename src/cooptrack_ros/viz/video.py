"""A video file that grows picture by picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


class VideoFile:
    """Writes MPEG-4; where OpenCV was built without it, nothing is written and ``close`` says so."""

    def __init__(self, path: Path, frames_per_second: float):
        """Prepare a file; it is opened with the first picture, which decides the size."""
        self.path, self._rate = path, frames_per_second
        self._writer: cv2.VideoWriter | None = None

    def add(self, picture: np.ndarray) -> None:
        """Append a picture (H, W, 3) BGR."""
        if self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*'mp4v'), self._rate, size)
        if self._writer.isOpened():
            self._writer.write(picture)

    def close(self) -> bool:
        """Finish; return whether there is a video."""
        written = self._writer is not None and self._writer.isOpened()
        if self._writer is not None:
            self._writer.release()
        return written
