"""
What decoding a camera image costs with OpenCV and with other libraries on libjpeg-turbo, and whether the pixels differ.

    python -m pip install --target /tmp/jpeg --no-deps simplejpeg
    PYTHONPATH=/tmp/jpeg python benchmarks/jpeg.py --json benchmarks/results/jpeg.json

`ours` is what nodes do: OpenCV, after all checks of images that come from others. PyTurboJPEG calls the same library as
simplejpeg, but one of the system. All take turns, and time is that of the thread alone, so that a busy machine disturbs
all alike.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from steps import store

from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.bench.timing import statistics_ms
from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.image.preprocess import least_size
from cooptrack_ros.sensors.image_decoding import decode_reduced

SCHEMA = 'cooptrack-bench-jpeg/1'
SIZES = ((960, 540), (1920, 1080))
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_HALF = cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION


def decoders(size: tuple[int, int]) -> dict[str, tuple[str, Callable[[bytes], np.ndarray]]]:
    """Return what decodes images of a size, each with the name of that whose pixels it should give."""
    import simplejpeg
    width, height = size
    return {
        'OpenCV': ('OpenCV', lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), _COLOUR)),
        'simplejpeg': ('OpenCV', lambda data: simplejpeg.decode_jpeg(data, 'BGR')),
        'simplejpeg, fast': ('OpenCV', lambda data: simplejpeg.decode_jpeg(
            data, 'BGR', fastdct=True, fastupsample=True)),
        'OpenCV, half size': ('OpenCV, half size', lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), _HALF)),
        'simplejpeg, half size': ('OpenCV, half size', lambda data: simplejpeg.decode_jpeg(
            data, 'BGR', min_height=height // 2, min_width=width // 2)),
        'ours, all pixels': ('OpenCV', lambda data: decode_reduced(data).pixels),
        'ours, for mini': ('', lambda data: decode_reduced(data, least_size(MINI)).pixels)}


def measure(size: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Return a row for every decoder."""
    image = BenchScene(MINI, Side.VEHICLE, size).images[0]
    data = cv2.imencode('.jpg', image)[1].tobytes()
    known = decoders(size)
    seconds: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(rounds):
        for name, (_, decode) in known.items():
            started = time.thread_time()
            decode(data)
            seconds[name].append(time.thread_time() - started)
    pixels = {name: decode(data).astype(np.int16) for name, (_, decode) in known.items()}
    return [{'decoder': name, 'size': list(size), 'bytes': len(data), 'cpu_ms': statistics_ms(seconds[name]),
             'largest_difference': int(np.abs(pixels[name] - pixels[like]).max()) if like else None}
            for name, (like, _) in known.items()]


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=40)
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args(argv)
    if find_spec('simplejpeg') is None:
        parser.error('simplejpeg is missing: see the head of this help')
    cv2.setNumThreads(1)
    rows = [row for size in SIZES for row in measure(size, args.rounds)]
    store(args.json, {'schema': SCHEMA, 'machine': describe_machine(), 'rounds': args.rounds,
                      'versions': {'OpenCV': cv2.__version__, 'simplejpeg': version('simplejpeg')}, 'rows': rows})
    for row in rows:
        print(f"{row['size'][0]}x{row['size'][1]} {row['decoder']}: {row['cpu_ms']['p50']:.2f} ms, "
              f"difference {row['largest_difference']}")
    return 0


if __name__ == '__main__':
    sys.exit(main())
