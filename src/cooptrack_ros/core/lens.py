"""Lens distortion of raw pictures, taken out before the network sees them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8,), 'equidistant': (4,)}
"""Known distortion models, under the names of ROS, with the numbers of coefficients that they may have."""


@dataclass(frozen=True, eq=False)
class Lens:
    """
    How one camera bends its pictures of ``width`` x ``height`` pixels.

    ``matrix`` is K (3, 3), also of the picture without distortion; ``coefficients`` belong to ``model``, a key of
    ``COEFFICIENTS``.
    """

    width: int
    height: int
    matrix: np.ndarray
    model: str
    coefficients: np.ndarray
    _maps: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def undistort(self, image: np.ndarray) -> np.ndarray:
        """Return a picture (height, width, 3) as a pinhole camera with the same K would show it; black where unseen."""
        if not self._maps:
            # Once for a calibration: the maps cost more than a picture.
            make = cv2.fisheye.initUndistortRectifyMap if self.model == 'equidistant' else cv2.initUndistortRectifyMap
            self._maps.append(make(self.matrix, self.coefficients, np.eye(3), self.matrix, (self.width, self.height),
                                   cv2.CV_16SC2))
        return cv2.remap(image, *self._maps[0], cv2.INTER_LINEAR)
