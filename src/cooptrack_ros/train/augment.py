"""Changes of training frames: colour, masks, and mirroring of the whole scene."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..common.geometry import wrap_angle
from ..common.types import Boxes, Frame

_MIRROR = np.diag([1.0, -1.0, 1.0, 1.0])


def photometric(image: np.ndarray, rng: np.random.Generator, probability: float) -> np.ndarray:
    """
    Return a float32 BGR image on 0..255 with random brightness, contrast, saturation, hue and channels.

    See method.md 13.8.
    """
    def coin() -> bool:
        return rng.random() < probability
    out = image.astype(np.float32)
    if coin():
        out += rng.uniform(-32, 32)
    contrast_first = rng.random() < 0.5
    contrast = rng.uniform(0.5, 1.5) if coin() else None
    if contrast is not None and contrast_first:
        out *= contrast
    saturation = rng.uniform(0.5, 1.5) if coin() else None
    hue = rng.uniform(-18, 18) if coin() else None
    if saturation is not None or hue is not None:
        hsv = cv2.cvtColor(out, cv2.COLOR_BGR2HSV)
        if saturation is not None:
            hsv[..., 1] *= saturation
        if hue is not None:
            hsv[..., 0] = (hsv[..., 0] + hue) % 360
        out = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if contrast is not None and not contrast_first:
        out *= contrast
    if coin():
        out = out[..., rng.permutation(3)]
    return np.ascontiguousarray(out, dtype=np.float32)


def grid_mask(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """
    Return a mask (height, width) float32 of 1 on horizontal and vertical stripes and 0 in the cells between.

    See method.md 13.8.

    Period, stripe and phases are drawn for a canvas 1.5 times as large, of which the middle is taken.
    """
    period = int(rng.integers(2, height))
    stripe = min(max(round(period / 2), 1), period - 1)

    def stripes(size: int) -> np.ndarray:
        canvas = int(1.5 * size)
        along = np.arange(canvas) - int(rng.integers(period))
        on = (along >= 0) & (along % period < stripe) & (along // period < canvas // period)
        first = (canvas - size) // 2
        return on[first:first + size]
    return (stripes(height)[:, None] | stripes(width)[None]).astype(np.float32)


def with_modalities(frame: Frame, lidar_off: float, camera_off: float, rng: np.random.Generator) -> Frame:
    """
    Return a frame that may lack its cloud or its images, but not both.

    :param lidar_off: and :param camera_off: probabilities; without a cloud the images stay.
    """
    draw = rng.random()
    if frame.cloud is not None and draw < camera_off:
        return replace(frame, images=(), img_from_lidar=np.zeros((0, 4, 4)))
    return replace(frame, cloud=None) if draw < camera_off + lidar_off else frame


def mirror_frame(frame: Frame) -> Frame:
    """Return the frame of a world mirrored left to right (y to -y); images, projections and cloud agree."""
    projections = []
    for image, projection in zip(frame.images, frame.img_from_lidar, strict=True):
        flip = np.eye(4)
        flip[0, 0], flip[0, 2] = -1.0, image.shape[1] - 1.0
        projections.append(flip @ projection @ _MIRROR)
    return Frame(
        frame.sequence + '~', frame.stamp_ns, tuple(np.ascontiguousarray(i[:, ::-1]) for i in frame.images),
        np.array(projections).reshape(-1, 4, 4), _MIRROR @ frame.ego_from_lidar @ _MIRROR,
        _MIRROR @ frame.global_from_ego @ _MIRROR,
        None if frame.cloud is None else frame.cloud * np.float32([1, -1, 1, 1]))


def mirror_boxes(boxes: Boxes) -> Boxes:
    """Return boxes mirrored left to right."""
    return boxes.with_(centre=boxes.centre * [1, -1, 1], yaw=wrap_angle(-boxes.yaw),
                       velocity=boxes.velocity * [1, -1])
