"""Pictures of the markers of a recording: from above, beside the camera's picture."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..data.bag_markers import MarkerFrame
from .draw import text
from .marker_picture import MarkerDisplay, draw_from_above, draw_in_camera

HEIGHT_PX = 720


def write_marker_pictures(folder: Path, frames: Iterable[MarkerFrame], step: int, reach_m: float,
                          without: Collection[str] = ()) -> list[Path]:
    """
    Write ``markers_*.png`` of every ``step``-th frame; the number is that of the frame.

    :param frames: in order of time; the display sees all of them.
    :param reach_m: how far the view from above goes to each side; :param without: namespaces that are ticked off.
    """
    folder.mkdir(parents=True, exist_ok=True)
    display, files, start_ns = MarkerDisplay(), [], None
    for number, frame in enumerate(frames):
        start_ns = frame.stamp_ns if start_ns is None else start_ns
        display.take(frame.markers, frame.stamp_ns)
        if number % step == 0:
            markers = [m for m in display.visible(frame.stamp_ns) if m.ns not in without]
            files.append(folder / f'markers_{number:04d}.png')
            cv2.imwrite(str(files[-1]), _compose(markers, frame, reach_m, (frame.stamp_ns - start_ns) / 1e9))
    return files


def _compose(markers: list[Any], frame: MarkerFrame, reach_m: float, time_s: float) -> np.ndarray:
    """Return the figure (720, 720 or more, 3) BGR of one frame."""
    above = draw_from_above(markers, frame.lidar_from, HEIGHT_PX, reach_m)
    text(above, f't = {time_s:.1f} s', (10, 22), size=0.55)
    if frame.picture is None or frame.img_from_lidar is None:
        return above
    seen = draw_in_camera(markers, frame.lidar_from, frame.picture, frame.img_from_lidar)
    width = round(seen.shape[1] * HEIGHT_PX / seen.shape[0])
    return np.concatenate([above, cv2.resize(seen, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)], axis=1)
