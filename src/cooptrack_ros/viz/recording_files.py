"""Pictures, animation and video of a recording in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..data.dataset import FrameRecord
from .frames import compose, write_gif
from .image_files import VideoFile, write_image
from .recording_scenes import TrackedFrame, scenes

GIF_LIMIT_BYTES = 6_000_000
_GIF_WIDTHS = (1000, 860, 720, 600, 480)


def write_album(folder: Path, records: Sequence[FrameRecord], partners: Mapping[str, Sequence[FrameRecord]],
                frames: Mapping[str, TrackedFrame], title: str, pictures: int = 5, gif_step: int = 2,
                advance: Callable[[int, int], None] = lambda done, total: None, video: bool = False) -> list[Path]:
    """
    Write ``frame_*.png`` spread over the recording and ``tracks.gif``; replaces an earlier album.

    :param partners: by roadside unit, its pair with each record; :param frames: see ``scenes``.
    :param pictures: number of pictures; :param gif_step: every so many frames go into the animation.
    :param advance: called with frames done and in all.
    :param video: write every frame at full width into ``tracks.mp4`` too, if OpenCV here can.
    :returns: the files, the animation last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob('frame_*.png'), folder / 'tracks.gif', folder / 'tracks.mp4'):
        old.unlink(missing_ok=True)
    chosen = {records[i].token for i in _spread(len(records), pictures)}
    moving = {r.token for r in records[::gif_step]}
    wanted = {r.token for r in records} if video else chosen | moving
    ordered = [r for r in records if r.token in wanted]
    files, small = [], []
    writer = VideoFile(folder / 'tracks.mp4', _frame_rate(records)) if video else None
    shown = scenes(records, partners, frames, title, frozenset(wanted))
    for done, (record, scene) in enumerate(zip(ordered, shown), 1):
        picture = compose(scene)
        if writer:
            writer.add(picture)
        if record.token in chosen:
            files.append(folder / f'frame_{records.index(record):04d}.png')
            write_image(files[-1], picture)
        if record.token in moving:
            small.append(_narrowed(picture, _GIF_WIDTHS[0]))
        advance(done, len(ordered))
    if writer and writer.close():
        files.append(writer.path)
    files.append(folder / 'tracks.gif')
    write_small_gif(files[-1], small, _frame_rate(records) / gif_step)
    return files


def write_small_gif(path: Path, pictures: Sequence[np.ndarray], frames_per_second: float) -> None:
    """Write the widest animation that stays below the limit of size."""
    for width in _GIF_WIDTHS:
        write_gif(path, pictures, width, frames_per_second)
        if path.stat().st_size < GIF_LIMIT_BYTES:
            return


def _spread(count: int, wanted: int) -> list[int]:
    """Return indices of frames spread evenly, neither the first nor the last where there are enough."""
    return sorted({int((i + 0.5) * count / wanted) for i in range(wanted)})


def _narrowed(picture: np.ndarray, width: int) -> np.ndarray:
    height = round(picture.shape[0] * width / picture.shape[1])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _frame_rate(records: Sequence[FrameRecord]) -> float:
    elapsed = (records[-1].stamp_us - records[0].stamp_us) / 1e6
    return (len(records) - 1) / elapsed if elapsed > 0 else 10.0
