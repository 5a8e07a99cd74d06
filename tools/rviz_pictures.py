"""
Draw the markers of a recorded bag as RViz would show them: from above, beside the camera's image.

    python tools/rviz_pictures.py out/demo/recording -o OUT
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rviz_display import MarkerDisplay, draw_from_above, draw_in_camera

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.markers import MarkerFrame, read_markers
from cooptrack_ros.viz.draw import text
from cooptrack_ros.viz.image_files import write_image

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
            write_image(files[-1], _compose(markers, frame, reach_m, (frame.stamp_ns - start_ns) / 1e9))
    return files


def _compose(markers: list[Any], frame: MarkerFrame, reach_m: float, time_s: float) -> np.ndarray:
    """Return the figure (720, 720 or more, 3) BGR of one frame."""
    above = draw_from_above(markers, frame.lidar_from, HEIGHT_PX, reach_m)
    text(above, f't = {time_s:.1f} s', (10, 22), size=0.55)
    if frame.image is None or frame.img_from_lidar is None:
        return above
    seen = draw_in_camera(markers, frame.lidar_from, frame.image, frame.img_from_lidar)
    width = round(seen.shape[1] * HEIGHT_PX / seen.shape[0])
    return np.concatenate([above, cv2.resize(seen, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)], axis=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw; return 0 if there was something to draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bag', metavar='BAG', help='bag with the outputs of a node, such as out/demo/recording')
    parser.add_argument('-o', '--output', required=True, metavar='OUT', help='folder for the pictures')
    parser.add_argument('--node', default='/ego/ego_node', metavar='NAME',
                        help='whose markers, with its namespace (default: %(default)s)')
    parser.add_argument('--step', type=int, default=10, metavar='N',
                        help='draw every N-th frame (default: %(default)s)')
    parser.add_argument('--range-m', type=float, default=50.0, metavar='M',
                        help='metres to each side in the view from above (default: %(default)g)')
    parser.add_argument('--exclude', nargs='+', default=[], metavar='NAMESPACE', help='namespaces to leave out')
    args = parser.parse_args(arguments)
    try:
        return _draw(args)
    except UserError as error:
        print(f'rviz_pictures: {error}', file=sys.stderr)
        return 2


def _draw(args: argparse.Namespace) -> int:
    if args.step < 1 or args.range_m <= 0:
        raise UserError(f'--step is {args.step}, --range-m is {args.range_m:g}: both must be positive')
    files = write_marker_pictures(
        Path(args.output), read_markers(Path(args.bag), args.node), args.step, args.range_m, args.exclude)
    print(f'{args.output}: {len(files)} pictures')
    return 0 if files else 1


if __name__ == '__main__':
    sys.exit(main())
