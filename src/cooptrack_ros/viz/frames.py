"""One figure per frame: bird's-eye view beside the cameras of both sides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..common.colours import NUM_COLOURS
from ..common.geometry import transform_boxes
from ..common.types import Boxes, Provenance
from .bev import UNIT_COLOUR, draw_bev
from .draw import bgr_of, text
from .overlay import draw_boxes
from .scene import CameraView, SceneView

_HEADER_PX = 34
_TRUTH = (200, 200, 200)
_PICTURE_COLOURS = 100
"""Of the palette of an animation; fewer colours make smaller files."""


def camera_overlay(camera: CameraView, tracks: Boxes, truth: Boxes, width: int, height: int) -> np.ndarray:
    """Return the image fitted into width x height with tracks and dashed ground truth; boxes in its lidar frame."""
    scale = min(width / camera.image.shape[1], height / camera.image.shape[0])
    size = (round(camera.image.shape[1] * scale), round(camera.image.shape[0] * scale))
    image = cv2.resize(camera.image, size, interpolation=cv2.INTER_AREA)
    projection = np.diag([scale, scale, 1, 1]) @ camera.img_from_lidar
    draw_boxes(image, truth, projection, label=False, colour=_TRUTH, is_dashed=True)
    draw_boxes(image, tracks, projection)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[:size[1], :size[0]] = image
    return canvas


def compose(scene: SceneView, height: int = 900) -> np.ndarray:
    """Return the whole figure (height + header, ...) BGR."""
    bev = draw_bev(scene, height)
    half, width = height // 2, round(height / 2 * 16 / 9)
    ego = _panel('ego camera', [(camera, np.eye(4)) for camera in scene.ego_cameras], scene, width, half)
    roadside = _panel('roadside camera', [(camera, np.linalg.inv(unit.ego_from_infra)) for unit in scene.units
                                          for camera in unit.cameras], scene, width, half)
    body = np.concatenate([bev, np.concatenate([ego, roadside])], axis=1)
    header = np.full((_HEADER_PX, body.shape[1], 3), 20, np.uint8)
    counts = [int((scene.provenance == p).sum()) for p in Provenance]
    text(header, f'{scene.caption}    tracks: {counts[0]} ego, {counts[1]} roadside only, {counts[2]} fused'
         f'    ground truth: {len(scene.ground_truth)}', (12, 23), size=0.55)
    return np.concatenate([header, body])


def _panel(title: str, cameras: Sequence[tuple[CameraView, np.ndarray]], scene: SceneView, width: int,
           height: int) -> np.ndarray:
    """Return the pictures of cameras row by row (height, width, 3); each comes with lidar_from_ego (4, 4)."""
    panel = np.zeros((height, width, 3), np.uint8)
    columns = max(math.ceil(math.sqrt(len(cameras))), 1)
    wide, high = width // columns, height // max(math.ceil(len(cameras) / columns), 1)
    for place, (camera, to_lidar) in enumerate(cameras):
        tracks, truth = (transform_boxes(to_lidar, b) for b in (scene.tracks, scene.ground_truth))
        top, left = place // columns * high, place % columns * wide
        panel[top:top + high, left:left + wide] = camera_overlay(camera, tracks, truth, wide, high)
    text(panel, title, (10, 22), size=0.6)
    return panel


def write_gif(path: Path, pictures: Iterable[np.ndarray], width: int, frames_per_second: float) -> None:
    """Write an animation scaled to a width in pixels, with one palette for all frames."""
    frames = []
    for picture in pictures:
        size = (width, round(picture.shape[0] * width / picture.shape[1]))
        frames.append(Image.fromarray(cv2.cvtColor(
            cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)))
    if not frames:
        raise ValueError('an animation needs at least one picture')
    palette = _palette(frames[len(frames) // 2])
    quantised = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    quantised[0].save(path, save_all=True, append_images=quantised[1:], duration=round(1000 / frames_per_second),
                      loop=0, optimize=True)


def _palette(frame: Image.Image) -> Image.Image:
    """Return a palette of the colours of a frame and of what is drawn, which has too few pixels to get in by itself."""
    common = frame.quantize(_PICTURE_COLOURS, method=Image.Quantize.MEDIANCUT).getpalette()[:3 * _PICTURE_COLOURS]
    drawn = [value for i in range(NUM_COLOURS) for value in bgr_of(i)[::-1]]
    palette = Image.new('P', (1, 1))
    palette.putpalette([*common, *drawn, *UNIT_COLOUR[::-1], 255, 255, 255])
    return palette
