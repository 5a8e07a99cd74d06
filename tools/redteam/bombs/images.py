"""Images and point clouds."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from cooptrack_ros.data.point_clouds import read_pcd
from cooptrack_ros.sensors.image_decoding import read_image

from ..bomb import Bomb
from ..hollow import hole, zeros

_SIDE = 31_300


def _png(folder: Path) -> Path:
    """Return a black image of one bit a pixel."""
    row = 1 + (_SIDE + 7) // 8
    packer = zlib.compressobj(9)
    packed = b''.join([*(packer.compress(block) for block in zeros(row * _SIDE + 2**20)), packer.flush()])
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', _SIDE, _SIDE, 1, 0, 0, 0, 0)), (b'IDAT', packed), (b'IEND', b'')]
    path = folder / 'bomb.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks))
    return path


def _jpeg(folder: Path) -> Path:
    """Return an image of 64x64 pixels that says it has four thousand million."""
    import cv2
    data = bytearray(cv2.imencode('.jpg', np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    frame = data.index(b'\xff\xc0')
    data[frame + 5:frame + 9] = struct.pack('>HH', 32_000, 32_000)
    path = folder / 'bomb.jpg'
    path.write_bytes(data)
    return path


def _hidden_jpeg(folder: Path) -> Path:
    """Return an image whose larger frame header, with a comment that holds the smaller one, only decoders find."""
    import cv2
    data = cv2.imencode('.jpg', np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    start = data.index(b'\xff\xc0')
    frame = data[start:start + 2 + int.from_bytes(data[start + 2:start + 4], 'big')]
    larger = frame[:5] + struct.pack('>HH', 32_000, 32_000) + frame[9:]
    hidden = larger + b'\xff\xfe' + struct.pack('>H', 2 + len(frame))
    hiding = b'\xff\x00' + struct.pack('>H', 2 + len(hidden)) + hidden
    path = folder / 'bomb.jpg'
    path.write_bytes(data[:start] + hiding + data[start:])
    return path


def _long_chunk(folder: Path) -> Path:
    """Return an image of 64x64 pixels that says its pixels take 2 GB."""
    header = b'IHDR' + struct.pack('>IIBBBBB', 64, 64, 8, 0, 0, 0, 0)
    path = folder / 'bomb.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header))
                     + struct.pack('>I', 2**31 - 16) + b'IDAT' + bytes(100))
    return path


def _two_sizes(folder: Path) -> Path:
    """Return a TIFF image that states its size twice."""
    packer = zlib.compressobj(9)
    packed = b''.join([*(packer.compress(block) for block in zeros(32_000**2 + 2**20)), packer.flush()])
    # Width and height twice, bits, compression, colours, where the pixels are, rows, and their bytes.
    tags = [(256, 32_000), (256, 64), (257, 32_000), (257, 64), (258, 8), (259, 8), (262, 1), (273, 8), (277, 1),
            (278, 32_000), (279, len(packed))]
    path = folder / 'bomb.tiff'
    path.write_bytes(b'II*\0' + struct.pack('<I', 8 + len(packed)) + packed + struct.pack('<H', len(tags)) + b''.join(
        struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags) + bytes(4))
    return path


def _cloud(data: str, points: int, body: bytes, folder: Path) -> Path:
    header = ('VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n'
              f'WIDTH {points}\nHEIGHT 1\nPOINTS {points}\nDATA {data}\n')
    path = folder / 'bomb.pcd'
    path.write_bytes(header.encode() + body)
    return path


def _packed_cloud(folder: Path) -> Path:
    """Return a cloud whose 16 MB become 1.4 GB: references that repeat 264 bytes each."""
    repeat = b'\0\0' + b'\xe0\xff\0' * 5_500_000
    size = 1 + 264 * 5_500_000
    points = size // 12
    return _cloud('binary_compressed', points, struct.pack('<II', len(repeat), points * 12) + repeat, folder)


BOMBS = {
    'png': Bomb(f'PNG image of 120 kB with {_SIDE}x{_SIDE} pixels', _png, read_image),
    'jpeg': Bomb('JPEG image of 1 kB that says 32000x32000 pixels', _jpeg, read_image),
    'jpeg_hidden': Bomb('JPEG image of 1 kB with 64x64 pixels, in which decoders find 32000x32000', _hidden_jpeg,
                        read_image),
    'png_chunk': Bomb('PNG image of 150 bytes that says its pixels take 2 GB', _long_chunk, read_image),
    'tiff': Bomb('TIFF image of 1 MB that says both 64x64 and 32000x32000 pixels', _two_sizes, read_image),
    'image_hole': Bomb('image, a hole of 20 GB', partial(hole, 'bomb.png', start=b'\x89PNG\r\n\x1a\n'), read_image),
    'pcd_points': Bomb('point cloud of 200 bytes with 10^12 points', partial(_cloud, 'ascii', 10**12, b'0 0 0\n'),
                       read_pcd),
    'pcd_packed': Bomb('compressed point cloud of 16 MB that becomes 1.4 GB', _packed_cloud, read_pcd),
    'pcd_hole': Bomb('point cloud, a hole of 20 GB', partial(hole, 'bomb.pcd'), read_pcd),
}
