"""Point Cloud Data files: reads ascii, binary and binary_compressed; writes binary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import UserError

_NUMPY_KINDS = {'F': 'f', 'U': 'u', 'I': 'i'}
_PCD_KINDS = {kind: letter for letter, kind in _NUMPY_KINDS.items()}


@dataclass(frozen=True)
class PcdFile:
    """The point cloud of a file."""

    path: Path

    def read(self) -> np.ndarray:
        """Return (N, 4) float32, see ``xyz_intensity``; raise a UserError for a file that is none."""
        return xyz_intensity(read_pcd(self.path))


def read_pcd(path: Path) -> np.ndarray:
    """
    Return all points as a structured array (N,) with the fields of the file.

    :raises UserError: if the file is missing, is no PCD file, or ends too early.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    try:
        header, body = _split_header(content)
        dtype = _point_type(header)
        count = int(header['POINTS'][0])
        return _READERS[header['DATA'][0]](body, dtype, count)
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f'{path} is not a complete PCD file: {error}') from error


def write_pcd(path: Path, points: np.ndarray) -> None:
    """Write a structured array (N,) of numbers as ``DATA binary``."""
    names = points.dtype.names
    fields = [points.dtype[name] for name in names]
    header = [
        '# .PCD v0.7 - Point Cloud Data file format', 'VERSION 0.7', f"FIELDS {' '.join(names)}",
        f"SIZE {' '.join(str(f.itemsize) for f in fields)}", f"TYPE {' '.join(_PCD_KINDS[f.kind] for f in fields)}",
        f"COUNT {' '.join('1' for _ in fields)}", f'WIDTH {len(points)}', 'HEIGHT 1', 'VIEWPOINT 0 0 0 1 0 0 0',
        f'POINTS {len(points)}', 'DATA binary', '']
    packed = np.dtype([(name, field.newbyteorder('<')) for name, field in zip(names, fields)])
    path.write_bytes('\n'.join(header).encode() + points.astype(packed).tobytes())


def xyz_intensity(points: np.ndarray) -> np.ndarray:
    """
    Return (N, 4) float32 x, y, z, intensity without points that are not finite.

    Intensity is 0 to 1: whole-number fields (the vehicle) are divided by 255, real ones (the roadside) are as
    stored, a missing one is 0.
    """
    values = np.zeros((len(points), 4), np.float32)
    for i, name in enumerate('xyz'):
        values[:, i] = points[name]
    if 'intensity' in points.dtype.names:
        whole = points.dtype['intensity'].kind in 'ui'
        values[:, 3] = points['intensity'] / np.float32(255 if whole else 1)
    return values[np.isfinite(values).all(axis=1)]


def _split_header(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    position = 0
    while 'DATA' not in header:
        end = content.index(b'\n', position)
        words = content[position:end].decode('ascii').split()
        position = end + 1
        if words and not words[0].startswith('#'):
            header[words[0]] = words[1:]
    return header, content[position:]


def _point_type(header: dict[str, list[str]]) -> np.dtype:
    counts = header.get('COUNT', ['1'] * len(header['FIELDS']))
    fields = []
    columns = zip(header['FIELDS'], header['TYPE'], header['SIZE'], counts)
    for i, (name, letter, size, count) in enumerate(columns):
        # Padding fields are all called '_'.
        unique = name if name != '_' else f'_{i}'
        fields.append((unique, f'<{_NUMPY_KINDS[letter]}{size}', *([(int(count),)] if int(count) > 1 else [])))
    return np.dtype(fields)


def _read_binary(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    return np.frombuffer(body, dtype, count)


def _read_ascii(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    values = np.array(body.split(), dtype=np.float64).reshape(count, -1)
    points = np.zeros(count, dtype)
    column = 0
    for name in dtype.names:
        width = int(np.prod(dtype[name].shape, dtype=int))
        points[name] = values[:, column:column + width].reshape(points[name].shape)
        column += width
    return points


def _read_compressed(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    """Return points whose fields are stored one after another, compressed as one LZF block."""
    packed, unpacked = (int(n) for n in np.frombuffer(body, '<u4', 2))
    data = _decompress_lzf(body[8:8 + packed])
    if len(data) != unpacked:
        raise ValueError(f'{len(data)} bytes after decompression, {unpacked} expected')
    points = np.zeros(count, dtype)
    position = 0
    for name in dtype.names:
        field = dtype[name]
        points[name] = np.frombuffer(data, field, count, position)
        position += field.itemsize * count
    return points


def _decompress_lzf(data: bytes) -> bytearray:
    """Return the content of one LibLZF block: runs of literals and references to what came before."""
    out = bytearray()
    position = 0
    while position < len(data):
        control = data[position]
        position += 1
        if control < 32:
            out += data[position:position + control + 1]
            position += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[position]
            position += 1
        start = len(out) - ((control & 31) << 8) - data[position] - 1
        position += 1
        if start < 0:
            raise ValueError('a reference before the start of the compressed block')
        length += 2
        repeated = out[start:start + length]
        # A reference may reach into what it produces itself: then it repeats.
        out += (repeated * (length // len(repeated) + 1))[:length]
    return out


_READERS = {'ascii': _read_ascii, 'binary': _read_binary, 'binary_compressed': _read_compressed}
