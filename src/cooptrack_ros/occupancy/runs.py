"""
Volumes packed for a radio link: runs of voxels with one class and identity, deflated.

Layer by layer, because the ground fills layers and a run in one costs as much as a voxel across them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from .sparse import Occupied, numbered

MAX_SEGMENTS = 4096
"""Combinations of class and identity in one volume."""
_LONGEST_RUN = 255
_LEVEL = 6


@dataclass(frozen=True)
class Packed:
    """
    A packed volume of ``count`` occupied voxels.

    ``runs`` are deflated bytes: lengths of runs of one byte each, then the low and the high bytes of their values.
    These are 0 for free and s for the s-th of ``classes`` (S,) and ``identities`` (S,), counted from 1.
    """

    count: int
    classes: np.ndarray
    identities: np.ndarray
    runs: bytes


class UnpackError(ValueError):
    """What was packed is no volume of the grid."""


def pack(voxels: Occupied, shape: tuple[int, int, int]) -> Packed:
    """
    Return voxels of a grid of a shape, packed.

    :raises ValueError: for more than ``MAX_SEGMENTS`` combinations of class and identity.
    """
    pairs, segment = numbered(voxels.instances * 256 + voxels.semantics)
    if len(pairs) > MAX_SEGMENTS:
        raise ValueError(f'{len(pairs)} combinations of class and identity in a volume, at most {MAX_SEGMENTS} fit')
    layered = np.zeros(int(np.prod(shape)), np.uint16)
    layered[_layered(voxels.index, shape)] = segment + 1
    starts = np.concatenate([[0], np.flatnonzero(layered[1:] != layered[:-1]) + 1])
    lengths, values = np.diff(starts, append=len(layered)), layered[starts]
    pieces = -(-lengths // _LONGEST_RUN)
    split = np.full(int(pieces.sum()), _LONGEST_RUN, np.uint8)
    split[np.cumsum(pieces) - 1] = lengths - _LONGEST_RUN * (pieces - 1)
    values = np.repeat(values, pieces)
    data = b''.join(part.astype(np.uint8).tobytes() for part in (split, values & 255, values >> 8))
    return Packed(len(voxels), (pairs % 256).astype(np.uint8), pairs // 256, zlib.compress(data, _LEVEL))


def unpack(packed: Packed, shape: tuple[int, int, int]) -> Occupied:
    """
    Return the voxels of a grid of a shape; nothing is allocated for more than the grid has.

    :raises UnpackError: if the bytes are no volume of it.
    """
    size = int(np.prod(shape))
    data = _inflated(packed.runs, 3 * size)
    if len(data) % 3:
        raise UnpackError(f'{len(data)} bytes are no lengths and values of runs')
    lengths, low, high = np.frombuffer(data, np.uint8).reshape(3, -1)
    if int(lengths.sum(dtype=np.int64)) != size:
        raise UnpackError(f'runs of {int(lengths.sum(dtype=np.int64))} voxels in a grid of {size}')
    values = low + high.astype(np.uint16) * 256
    if len(values) and values.max() > len(packed.classes):
        raise UnpackError(f'a voxel of segment {values.max()}, there are {len(packed.classes)}')
    occupied = np.flatnonzero(values)
    counts = lengths[occupied].astype(np.int64)
    if counts.sum() != packed.count:
        raise UnpackError(f'{counts.sum()} occupied voxels where {packed.count} were announced')
    starts = (np.cumsum(lengths, dtype=np.int64) - lengths)[occupied]
    layered = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(packed.count)
    layer, column = np.divmod(layered.astype(np.int32), np.int32(shape[0] * shape[1]))
    index = column * np.int32(shape[2]) + layer
    order = np.argsort(index, kind='stable')
    segment = np.repeat(values[occupied], counts)[order] - 1
    return Occupied(index[order].astype(np.int64), packed.classes[segment], packed.identities[segment])


def _layered(index: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return flat indices (V,) of a volume (X, Y, Z) as those of (Z, X, Y)."""
    # Division of 32-bit numbers is faster.
    column, layer = np.divmod(index.astype(np.int32), np.int32(shape[2]))
    return layer * np.int32(shape[0] * shape[1]) + column


def _inflated(data: bytes, most: int) -> bytes:
    """Return what was deflated."""
    inflate = zlib.decompressobj()
    try:
        inflated = inflate.decompress(data, most)
    except zlib.error as error:
        raise UnpackError(f'the runs cannot be inflated: {error}') from error
    if not inflate.eof or inflate.unused_data:
        raise UnpackError(f'the runs are not one deflated block of at most {most} bytes')
    return inflated
