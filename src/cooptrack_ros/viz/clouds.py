"""Pictures of point clouds: seen from above, and laid over the image of a camera."""

from __future__ import annotations

import cv2
import numpy as np

from ..common.geometry import project_points
from ..common.types import Boxes
from .bev import BevView, draw_grid
from .draw import polyline

_BACKGROUND = (34, 30, 28)
_HEIGHTS_M = (-2.5, 3.0)
_NEAR_M, _FAR_M = 4.0, 70.0
_BOX = (255, 255, 255)


def draw_cloud(points: np.ndarray, boxes: Boxes, size_px: int = 700, reach_m: float = 55.0,
               centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """
    Return a picture (size, size, 3) BGR of a cloud from above, coloured by height, with boxes.

    :param points: (N, 3 or more) in the lidar frame; :param centre: what lies in the middle, metres.
    """
    view = BevView(size_px, reach_m)
    image = np.full((size_px, size_px, 3), _BACKGROUND, np.uint8)
    shift = np.array([*centre, 0.0])
    if not shift.any():
        draw_grid(image, view)
    # What is high comes last, over the ground.
    points = points[np.argsort(points[:, 2], kind='stable'), :3]
    put_points(image, view.pixels(points - shift), spectrum(points[:, 2], *_HEIGHTS_M))
    for corners in view.footprint(boxes.with_(centre=boxes.centre - shift)):
        polyline(image, corners, _BOX, 1, closed=True)
    return image


def overlay_cloud(image: np.ndarray, points: np.ndarray, img_from_lidar: np.ndarray, radius: int = 1) -> np.ndarray:
    """Return a copy of an image with the points that it shows, coloured by their depth."""
    image = image.copy()
    pixels, depth = project_points(img_from_lidar, points[:, :3].astype(np.float64))
    front = np.flatnonzero(depth > 0.5)
    front = front[np.argsort(-depth[front], kind='stable')]
    put_points(image, pixels[front], spectrum(-np.log(depth[front]), -np.log(_FAR_M), -np.log(_NEAR_M)), radius)
    return image


def spectrum(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return BGR colours (N, 3) uint8 of values, blue for low ones and red for high ones."""
    shares = np.clip((values - low) / (high - low), 0, 1)
    return cv2.applyColorMap(np.round(255 * shares).astype(np.uint8).reshape(-1, 1), cv2.COLORMAP_TURBO).reshape(-1, 3)


def put_points(image: np.ndarray, pixels: np.ndarray, colours: np.ndarray, radius: int = 0) -> None:
    """Paint squares of 2 * radius + 1 pixels at places (N, 2) column, row; later ones lie over earlier ones."""
    places = np.floor(pixels)
    on_image = ((places >= radius) & (places < np.array(image.shape[1::-1]) - radius)).all(1)
    places, colours = places[on_image].astype(np.int64), colours[on_image]
    for row in range(-radius, radius + 1):
        for column in range(-radius, radius + 1):
            image[places[:, 1] + row, places[:, 0] + column] = colours
