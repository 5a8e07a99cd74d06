"""Lens distortion of raw images, taken out before the network sees them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

COEFFICIENTS = {'plumb_bob': (4, 5), 'brown_conrady': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
"""
Known distortion models, under the names of drivers, with the numbers of coefficients that they may have.

``brown_conrady`` is another name of ``plumb_bob``; 12 and 14 coefficients add a thin prism and a tilted sensor.
"""


@dataclass(frozen=True, eq=False)
class Lens:
    """
    How one camera bends its images of ``width`` x ``height`` pixels.

    ``matrix`` is K (3, 3), also of the image without distortion; ``coefficients`` belong to ``model``, a key of
    ``COEFFICIENTS``.
    """

    width: int
    height: int
    matrix: np.ndarray
    model: str
    coefficients: np.ndarray
    _maps: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """By reduction."""

    def undistort(self, image: np.ndarray) -> np.ndarray:
        """
        Return an image as a pinhole camera with the same K would show it; black where unseen.

        :param image: (height, width, 3), or reduced to whole fractions of that.
        """
        reduction = self.width // image.shape[1]
        if reduction not in self._maps:
            # Once for a calibration: the maps cost more than an image.
            self._maps[reduction] = self._map(reduction)
        return cv2.remap(image, *self._maps[reduction], cv2.INTER_LINEAR)

    def _map(self, reduction: int) -> tuple[np.ndarray, np.ndarray]:
        make = cv2.fisheye.initUndistortRectifyMap if self.model == 'equidistant' else cv2.initUndistortRectifyMap
        # The centre of a pixel of the reduced image lies in the middle of those that it stands for.
        shift = (reduction - 1) / 2
        matrix = self.matrix.copy()
        matrix[:2, 2] -= shift
        matrix[:2] /= reduction
        return make(matrix, self.coefficients, np.eye(3), matrix, (self.width // reduction, self.height // reduction),
                    cv2.CV_16SC2)
