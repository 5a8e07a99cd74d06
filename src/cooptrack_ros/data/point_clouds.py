"""Point Cloud Data files: reads ascii, binary and binary_compressed; writes binary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import UserError
from ..common.reading import MIB, read_bounded
from ..sensors.point_clouds import xyz_intensity

_NUMPY_KINDS = {'F': 'f', 'U': 'u', 'I': 'i'}
_PCD_KINDS = {kind: letter for letter, kind in _NUMPY_KINDS.items()}
_SIZES = {'F': ('4', '8'), 'U': ('1', '2', '4', '8'), 'I': ('1', '2', '4', '8')}
_MAX_FILE_BYTES, _MAX_BYTES = 256 * MIB, 64 * MIB
"""Of a file, in which a number may take ten letters or more, and of its points: two million with eight numbers each."""
_MAX_FIELDS = 64
_BLOCK = 4 * MIB


@dataclass(frozen=True)
class PcdFile:
    """
    The point cloud of a file.

    Points are as stored: in the frame of the sensor, wherever ``VIEWPOINT`` says that it stood.

    :param scale: of the kind of sensor, see ``xyz_intensity``.
    """

    path: Path
    scale: int = 1

    def read(self) -> np.ndarray:
        """Return (N, 4) float32, see ``xyz_intensity``; raise a UserError for a file that is none."""
        points = read_pcd(self.path)
        try:
            return xyz_intensity(points, self.scale)
        except ValueError as error:
            raise UserError(f'{self.path}: {error}') from error


def read_pcd(path: Path) -> np.ndarray:
    """
    Return all points as a structured array (N,) with the fields of the file.

    :raises UserError: if the file is missing, is no PCD file, or ends too early.
    """
    try:
        content = read_bounded(path, _MAX_FILE_BYTES)
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{path} is too large for a point cloud: {error}') from error
    try:
        header, body = _split_header(content)
        dtype, count = _point_type(header), _num_points(header)
        if dtype.itemsize * count > _MAX_BYTES:
            raise ValueError(f'{count} points of {dtype.itemsize} bytes, expected at most {_MAX_BYTES} bytes')
        return _READERS[header['DATA'][0].lower()](body, dtype, count)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
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


def _split_header(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    position = 0
    while 'DATA' not in header:
        end = content.index(b'\n', position)
        # Comments may be in any encoding.
        words = content[position:end].decode('ascii', errors='replace').split()
        position = end + 1
        if words and not words[0].startswith('#'):
            header[words[0].upper()] = words[1:]
    return header, content[position:]


def _num_points(header: dict[str, list[str]]) -> int:
    """Return the number of points; the line POINTS repeats what width and height say, and may be missing."""
    count = int(header['POINTS'][0]) if 'POINTS' in header else int(header['WIDTH'][0]) * int(
        header.get('HEIGHT', ['1'])[0])
    if count < 0:
        raise ValueError(f'{count} points')
    return count


def _point_type(header: dict[str, list[str]]) -> np.dtype:
    names = header['FIELDS']
    columns = (header['TYPE'], header['SIZE'], header.get('COUNT', ['1'] * len(names)))
    if not names or any(len(column) != len(names) for column in columns):
        raise ValueError('FIELDS, TYPE, SIZE and COUNT differ in length')
    if len(names) > _MAX_FIELDS:
        raise ValueError(f'{len(names)} fields, expected at most {_MAX_FIELDS}')
    fields: list[tuple] = []
    for i, (name, letter, size, count) in enumerate(zip(names, *columns)):
        if size not in _SIZES.get(letter, ()):
            raise ValueError(f"field '{name}' has TYPE {letter} and SIZE {size}; expected F 4|8, or U|I 1|2|4|8")
        if int(count) < 1:
            raise ValueError(f"field '{name}' has COUNT {count}")
        # Padding fields share a name, mostly '_'.
        unique = name if name not in [n for n, *_ in fields] and name != '_' else f'{name}_{i}'
        fields.append((unique, f'<{_NUMPY_KINDS[letter]}{size}', *([(int(count),)] if int(count) > 1 else [])))
    return np.dtype(fields)


def _read_binary(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    return np.frombuffer(body, dtype, count)


def _read_ascii(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    # A number takes at least two letters.
    if 2 * count * sum(int(np.prod(dtype[name].shape, dtype=int)) for name in dtype.names) > len(body) + 1:
        raise ValueError(f'{len(body)} bytes cannot hold {count} points')
    values = _numbers_of(body).reshape(count, -1) if count else np.zeros((0, 0))
    points = np.zeros(count, dtype)
    column = 0
    for name in dtype.names:
        width = int(np.prod(dtype[name].shape, dtype=int))
        points[name] = values[:, column:column + width].reshape(points[name].shape)
        column += width
    return points


def _numbers_of(text: bytes) -> np.ndarray:
    """Return the numbers of a text, read in parts: as words they take ten times the memory."""
    parts, start = [], 0
    while start < len(text):
        end = text.find(b'\n', start + _BLOCK)
        end = len(text) if end < 0 else end
        parts.append(np.array(text[start:end].split(), np.float64))
        start = end
    return np.concatenate(parts) if parts else np.zeros(0)


def _read_compressed(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    """Return points whose fields are stored one after another, compressed as one LZF block."""
    packed, unpacked = (int(n) for n in np.frombuffer(body, '<u4', 2))
    if unpacked != dtype.itemsize * count:
        raise ValueError(f'{unpacked} bytes after decompression, {dtype.itemsize * count} expected')
    block = body[8:8 + packed]
    # What does not get smaller is stored as it is.
    data = block if packed == unpacked else _decompress_lzf(block, unpacked)
    if len(data) != unpacked:
        raise ValueError(f'{len(data)} bytes after decompression, {unpacked} expected')
    points = np.zeros(count, dtype)
    position = 0
    for name in dtype.names:
        field = dtype[name]
        points[name] = np.frombuffer(data, field, count, position)
        position += field.itemsize * count
    return points


def _decompress_lzf(data: bytes, size: int) -> bytearray:
    """Return the content of one LibLZF block: runs of literals and references to what came before."""
    out = bytearray()
    position = 0
    while position < len(data) and len(out) <= size:
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
