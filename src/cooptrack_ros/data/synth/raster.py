"""A small z-buffer rasteriser: camera, image buffers, textured rectangles and the ground plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

NEAR = 0.15
LARGE_PX = 60_000
SKY, STATIC, GROUND = -1, -2, 0


@dataclass(frozen=True)
class Camera:
    """Pinhole camera in the scene: 3x3 ``intrinsic``, 4x4 rigid ``cam_from_scene`` and image ``size`` (w, h)."""

    intrinsic: np.ndarray
    cam_from_scene: np.ndarray
    size: tuple[int, int]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Return scene points (..., 3) in the camera frame."""
        return points @ self.cam_from_scene[:3, :3].T + self.cam_from_scene[:3, 3]

    @property
    def position(self) -> np.ndarray:
        """Optical centre in the scene."""
        return -self.cam_from_scene[:3, :3].T @ self.cam_from_scene[:3, 3]


class Canvas:
    """Colour (H, W, 3) uint8, inverse depth (H, W) float32 and object numbers (H, W) int16 of one image."""

    def __init__(self, size: tuple[int, int]):
        width, height = size
        self.colour = np.zeros((height, width, 3), np.uint8)
        self.inverse_depth = np.zeros((height, width), np.float32)
        self.ids = np.full((height, width), SKY, np.int16)

    def copy(self) -> Canvas:
        """Return an independent copy."""
        out = Canvas.__new__(Canvas)
        out.colour, out.inverse_depth, out.ids = self.colour.copy(), self.inverse_depth.copy(), self.ids.copy()
        return out


def clip_near(points: np.ndarray) -> np.ndarray:
    """Return the part of a convex polygon (N, 3) in the camera frame that lies beyond the near plane."""
    if points[:, 2].min() >= NEAR:
        return points
    out = []
    for a, b in zip(points, np.roll(points, -1, axis=0)):
        if a[2] >= NEAR:
            out.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            out.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
    return np.array(out).reshape(-1, 3)


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Return pixels (..., 2) of camera-frame points (..., 3) with positive depth."""
    k = camera.intrinsic
    x = points[..., 0] / points[..., 2]
    y = points[..., 1] / points[..., 2]
    return np.stack([k[0, 0] * x + k[0, 1] * y + k[0, 2], k[1, 1] * y + k[1, 2]], axis=-1)


def clipped_outline(camera: Camera, points: np.ndarray) -> np.ndarray | None:
    """Return the pixels (N, 2) of a convex polygon in the camera frame, clipped to the near plane, if any."""
    clipped = clip_near(points)
    if len(clipped) < 3:
        return None
    pixels = project(camera, clipped)
    width, height = camera.size
    if (pixels.max(0) < 0).any() or (pixels.min(0) > [width, height]).any():
        return None
    return np.clip(pixels, -30000, 30000)


def window_of(canvas: Canvas, outline: np.ndarray):
    """Return x0, y0, x1, y1 (exclusive) of the pixels that an outline can touch, or nothing."""
    height, width = canvas.ids.shape
    x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(outline.max(0)).astype(int) + 1, [width, height])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def inside(outline: np.ndarray, window, thin: float) -> np.ndarray:
    """
    Return the mask of pixels of ``window`` inside a convex outline.

    OpenCV also paints the pixels that the outline touches. That keeps thin things visible, but where two large
    faces meet it leaves a ragged edge, so outlines at least ``thin`` wide are filled by pixel centres.
    """
    x0, y0, x1, y1 = window
    if (outline.max(0) - outline.min(0)).min() < thin or (x1 - x0) * (y1 - y0) > LARGE_PX:
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(mask, np.round((outline - [x0, y0]) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        return mask.view(bool)
    begin = outline.astype(np.float32)
    end = np.concatenate([begin[1:], begin[:1]])
    a, b = begin[:, 1] - end[:, 1], end[:, 0] - begin[:, 0]
    kept = (a != 0) | (b != 0)
    begin, a, b = begin[kept], a[kept], b[kept]
    c = -(a * begin[:, 0] + b * begin[:, 1])
    if (a * (outline[:, 0].mean() - begin[:, 0]) + b * (outline[:, 1].mean() - begin[:, 1])).sum() < 0:
        a, b, c = -a, -b, -c
    columns, rows = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
    mask = np.ones((y1 - y0, x1 - x0), bool)
    for k in range(len(a)):
        mask &= (a[k] * columns)[None] >= -(b[k] * rows + c[k])[:, None]
    return mask


def visible_pixels(canvas: Canvas, window, mask, plane, limits, bias) -> np.ndarray:
    """
    Return which pixels of ``mask`` in ``window`` win the depth test, after writing their depth.

    ``limits`` are the inverse depths of the farthest and nearest corner: pixels on the outline lie half
    outside the face, where its plane may run far off.
    """
    x0, y0, x1, y1 = window
    inverse = ((plane[0] * np.arange(x0, x1))[None] + (plane[1] * np.arange(y0, y1) + plane[2])[:, None])
    inverse = np.clip(inverse.astype(np.float32), *limits) * np.float32(bias)
    stored = canvas.inverse_depth[y0:y1, x0:x1]
    visible = mask & (inverse > stored)
    np.copyto(stored, inverse, where=visible)
    return visible


def draw_textured(canvas: Canvas, camera: Camera, rectangle: np.ndarray, texture: np.ndarray, number: int) -> None:
    """Draw a textured rectangle (4, 3): lower left, lower right, upper right, upper left seen from outside."""
    normal = np.cross(rectangle[1] - rectangle[0], rectangle[3] - rectangle[0])
    if (camera.position - rectangle[0]) @ normal <= 0:
        return
    points = camera.to_camera(rectangle)
    outline = clipped_outline(camera, points)
    window = None if outline is None else window_of(canvas, outline)
    if window is None:
        return
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    plane = normal @ np.linalg.inv(camera.intrinsic) / (normal @ points[0])
    x0, y0, x1, y1 = window
    rows, columns = texture.shape[:2]
    # Texture pixel (c, r), r downwards from the upper edge, to camera point, to pixel of the window.
    across, down = (points[2] - points[3]) / columns, (points[0] - points[3]) / rows
    to_camera = np.stack([across, down, points[3] + 0.5 * (across + down)], axis=1)
    shift = np.array([[1.0, 0.0, -x0], [0.0, 1.0, -y0], [0.0, 0.0, 1.0]])
    patch = cv2.warpPerspective(texture, shift @ camera.intrinsic @ to_camera, (int(x1 - x0), int(y1 - y0)),
                                flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    limits = 1.0 / np.maximum([points[:, 2].max(), points[:, 2].min()], NEAR)
    visible = visible_pixels(canvas, window, inside(outline, window, 0.0), plane, limits.astype(np.float32), 1.0)
    np.copyto(canvas.colour[y0:y1, x0:x1], patch, where=visible[..., None])
    canvas.ids[y0:y1, x0:x1][visible] = number


class GroundTexture:
    """A top-down image of the plane z = 0 at several resolutions."""

    def __init__(self, image: np.ndarray, px_per_m: float, half_size: float, levels: int = 5):
        self.levels = [image]
        for _ in range(levels - 1):
            image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self.levels.append(image)
        self.px_per_m, self.half_size = px_per_m, half_size

    def warp(self, camera: Camera, out: np.ndarray, horizon: int) -> None:
        """Fill the rows of ``out`` below ``horizon`` with the ground seen by the camera."""
        width, height = camera.size
        border = cv2.mean(self.levels[-1])
        row = horizon
        while row < height:
            bottom = min(max(row + 6, row + (row - horizon)), height)
            level = self._level(camera, min(row + 1, height - 1), bottom)
            self._band(camera, out, level, row, bottom, border)
            row = bottom

    def _level(self, camera: Camera, row: int, bottom: int) -> int:
        """Return the resolution whose pixels, seen at this row, are about as tall as those of the image."""
        position = camera.position
        ray = camera.cam_from_scene[:3, :3].T @ np.linalg.inv(camera.intrinsic)
        middle = (row + bottom) / 2
        steps = ray @ np.array([[camera.size[0] / 2, v, 1.0] for v in (middle, middle + 1)]).T
        drop = np.minimum(steps[2], -1e-4)
        reach = np.linalg.norm(steps[:2] / drop, axis=0) * position[2]
        # Lengthwise footprint, softened: the crosswise one is much finer.
        footprint = max(abs(reach[0] - reach[1]) * self.px_per_m, 1e-3) ** 0.75
        return int(np.clip(np.round(np.log2(footprint)), 0, len(self.levels) - 1))

    def _band(self, camera: Camera, out, level: int, top: int, bottom: int, border) -> None:
        texture = self.levels[level]
        scale = self.px_per_m / 2 ** level
        # Texture pixel -> scene point (x, y, 0) -> camera.
        metres = np.array([[1 / scale, 0, 0.5 / scale - self.half_size], [0, 1 / scale, 0.5 / scale - self.half_size],
                           [0, 0, 1.0]])
        pose = camera.cam_from_scene
        plane = np.stack([pose[:3, 0], pose[:3, 1], pose[:3, 3]], axis=1)
        shift = np.array([[1.0, 0, 0], [0, 1.0, -top], [0, 0, 1.0]])
        out[top:bottom] = cv2.warpPerspective(
            texture, shift @ camera.intrinsic @ plane @ metres, (camera.size[0], bottom - top),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border).reshape(out[top:bottom].shape)


def ground_depth(camera: Camera) -> tuple[np.ndarray, int]:
    """Return the inverse depth (H, W) of the plane z = 0 (0 above the horizon) and the first row that shows it."""
    width, height = camera.size
    pose = camera.cam_from_scene
    normal = pose[:3, 2]
    plane = normal @ np.linalg.inv(camera.intrinsic) / (normal @ pose[:3, 3])
    inverse = (plane[0] * np.arange(width))[None] + (plane[1] * np.arange(height) + plane[2])[:, None]
    inverse = np.maximum(inverse, 0.0).astype(np.float32)
    rows = np.flatnonzero((inverse > 1e-4).any(1))
    return inverse, int(rows[0]) if len(rows) else height
