"""What was read of a camera so far, so that an image or a matrix that does not fit is noticed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from ..common.errors import UserError
from ..sensors.calibration_check import check_matrix, is_impossible

_LOG = logging.getLogger(__name__)


class CameraHistory:
    """Remembers the first image and the last matrix of one camera of a data set."""

    def __init__(self) -> None:
        """Start without images."""
        self._first: tuple[Path, tuple[int, int]] | None = None
        self._matrix: np.ndarray | None = None
        self._said: set[str] = set()

    def check(self, path: Path, image_size: tuple[int, int], matrix: np.ndarray,
              calibrated: tuple[int, int] | None) -> None:
        """
        Compare an image with the others and with its camera matrix.

        :param matrix: (3, 3); :param calibrated: width and height that it is for, None: those of the image.
        :raises UserError: if they cannot belong together.
        """
        if calibrated is None:
            self._check_size(path, image_size)
        if self._matrix is None or not np.array_equal(self._matrix, matrix):
            self._check_matrix(path, matrix, calibrated or image_size)
            self._matrix = matrix

    def _check_size(self, path: Path, size: tuple[int, int]) -> None:
        first, expected = self._first = self._first or (path, size)
        if size != expected:
            raise UserError(f'{path} is an image of {size[0]}x{size[1]}, but {first} of the same camera of '
                            f'{expected[0]}x{expected[1]}: the calibration can only be for one of them')

    def _check_matrix(self, path: Path, matrix: np.ndarray, size: tuple[int, int]) -> None:
        findings = check_matrix(matrix, size)
        text = '; '.join(f'{f.problem}: {f.evidence}; {f.advice}' for f in findings)
        if is_impossible(matrix, size):
            raise UserError(f'the calibration of {path} ({size[0]}x{size[1]}) is not for this image: {text}')
        if findings and not self._said.issuperset(f.problem for f in findings):
            self._said.update(f.problem for f in findings)
            _LOG.warning('%s (%dx%d) and its calibration hardly fit: %s', path, *size, text)
