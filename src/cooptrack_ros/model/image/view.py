"""The band of an image in which objects can be, so that a small network input shows them as large as it can."""

from __future__ import annotations

from math import ceil, cos, floor, radians, sin

import numpy as np

from ...common.config import ModelConfig
from ...common.types import Frame, Side
from .preprocess import check_image, prepare_projection

_LEAST_SHARE = 1 / 8
"""A band of fewer of the rows is a calibration that nobody meant: the whole image counts."""


def network_views(frame: Frame, config: ModelConfig, side: Side) -> tuple[list[np.ndarray], np.ndarray]:
    """
    Return what the network of a side sees of the images of a frame, not yet scaled, and where things are in its input.

    :returns: V images (H, W, 3), and projections (V, 4, 4) to pixels of the network input.
    :raises ValueError: for what is no image, and if the numbers of images and projections differ.
    """
    for image in frame.images:
        check_image(image)
    seen = [cut(image, matrix, config.view_of(side))
            for image, matrix in zip(frame.images, frame.img_from_lidar, strict=True)]
    return [image for image, _ in seen], np.array(
        [prepare_projection(matrix, image.shape, config) for image, matrix in seen]).reshape(-1, 4, 4)


def cut(image: np.ndarray, img_from_lidar: np.ndarray, view_deg: tuple[float, float]
        ) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the rows of an image that show a band about the horizon, and the projection to them.

    :param image: (H, W, ...); the result is a view of it.
    :param img_from_lidar: 4x4 to pixels of the image, z of the lidar frame up.
    :param view_deg: see ``rows_in_view``.
    """
    rows = rows_in_view(img_from_lidar, image.shape[0], view_deg)
    if rows == slice(0, image.shape[0]):
        return image, img_from_lidar
    shifted = np.array(img_from_lidar, float)
    shifted[1] -= rows.start * shifted[2]
    return image[rows], shifted


def rows_in_view(img_from_lidar: np.ndarray, rows: int, view_deg: tuple[float, float]) -> slice:
    """
    Return the rows between two elevations, in the direction in which the camera looks.

    A vehicle's objects stand on the ground up to 50 m away, so nearly all of its image is sky, walls and asphalt: cars
    fill a tenth of the rows. All rows of an image in which that band does not begin and end at different sides of the
    horizon: of a camera that looks down, or whose calibration is none.

    :param view_deg: degrees up and down from the horizon, 90 without an end.
    """
    whole, axis = slice(0, rows), img_from_lidar[2, :2]
    level = np.linalg.norm(axis)
    if min(view_deg) >= 90 or not level > 0:
        return whole
    ahead = np.array([*(axis / level), 0.0])

    def row(degrees: float) -> float:
        """Return where a direction is seen; NaN where it is not."""
        pixel = img_from_lidar[:3, :3] @ (cos(radians(degrees)) * ahead + [0.0, 0.0, sin(radians(degrees))])
        return pixel[1] / pixel[2] if pixel[2] > 0 else np.nan

    top, horizon, bottom = row(view_deg[0]), row(0.0), row(-view_deg[1])
    # A camera that hangs upside down has its sky below.
    if top > bottom:
        top, bottom = bottom, top
    if not 0 <= horizon <= rows or not top < horizon < bottom:
        return whole
    first, last = max(floor(top), 0), min(ceil(bottom), rows)
    return slice(first, last) if last - first >= _LEAST_SHARE * rows else whole
