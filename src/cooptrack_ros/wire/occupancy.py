"""Voxels with class and identity as messages: ``PanopticOccupancy``, and ``RoadsideOccupancy`` for the radio link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cooptrack_msgs.msg import PanopticOccupancy, RoadsideOccupancy

from ..common.errors import WireError
from ..common.types import Side
from ..occupancy.grids import GRIDS, Grid
from ..occupancy.runs import MAX_SEGMENTS, Packed, UnpackError, pack, unpack
from ..occupancy.sparse import Occupied, numbered
from ..occupancy.taxonomy import Taxonomy
from .arrays import finite, from_field, is_time, set_stamp, stamp_ns, to_field

MAX_VOXELS = 1 << 20
"""Of a grid: the bound of the arrays of ``PanopticOccupancy``."""
_MAX_RUN_BYTES = 1 << 18
_HEAD_BYTES = 1024
"""More than everything of a ``RoadsideOccupancy`` takes that is there once."""
MAX_ROADSIDE_BYTES = _HEAD_BYTES + 5 * MAX_SEGMENTS + _MAX_RUN_BYTES
"""Size of the largest ``RoadsideOccupancy`` that can be accepted."""
_MAX_METRES = 1000.0


@dataclass(frozen=True)
class OccupancyMeta:
    """Everything of a ``PanopticOccupancy`` besides its voxels."""

    stamp_ns: int
    lidar_frame: str
    grid: Grid
    taxonomy: Taxonomy


@dataclass(frozen=True)
class RoadsideMeta:
    """Everything of a ``RoadsideOccupancy`` besides its voxels; ``grid`` is the name of a profile."""

    unit_id: str
    session: int
    sequence: int
    stamp_ns: int
    lidar_frame: str
    grid: str


def encode_occupancy(voxels: Occupied, meta: OccupancyMeta) -> PanopticOccupancy:
    """Return the message of occupied voxels."""
    msg, taxonomy = PanopticOccupancy(), meta.taxonomy
    set_stamp(msg.header.stamp, meta.stamp_ns)
    msg.header.frame_id = meta.lidar_frame
    msg.origin = np.asarray(meta.grid.origin, np.float32)
    msg.voxel_size = np.asarray(meta.grid.voxel, np.float32)
    msg.size = np.asarray(meta.grid.shape, np.uint16)
    msg.class_names, msg.free_class = list(taxonomy.classes), taxonomy.free
    msg.thing_classes = to_field(np.array(taxonomy.things), 'B')
    track_ids, segment = numbered(voxels.instances)
    if len(track_ids) and track_ids[0] == 0:
        track_ids = track_ids[1:]
    else:
        segment = segment + 1
    msg.index, msg.semantic = to_field(voxels.index, 'I'), to_field(voxels.semantics, 'B')
    msg.segment, msg.track_ids = to_field(segment, 'H'), to_field(track_ids, 'Q')
    return msg


def decode_occupancy(msg: PanopticOccupancy) -> tuple[Occupied, OccupancyMeta]:
    """
    Return the voxels of a message and the rest of it; everything is checked before anything is allocated for it.

    :raises WireError: naming what is wrong.
    """
    meta = _decode_meta(msg)
    taxonomy, count = meta.taxonomy, len(msg.index)
    index = from_field(msg.index, 'I', 'index', count).astype(np.int64)
    semantics = from_field(msg.semantic, 'B', 'semantic', count)
    segment = from_field(msg.segment, 'H', 'segment', count)
    track_ids = from_field(msg.track_ids, 'Q', 'track_ids', len(msg.track_ids)).astype(np.int64)
    if len(track_ids) and (track_ids[0] < 1 or (np.diff(track_ids) < 1).any()):
        raise WireError('implausible', 'track_ids are not ascending numbers from 1 on')
    if count:
        if index[-1] >= np.prod(meta.grid.shape) or (np.diff(index) < 1).any():
            raise WireError('implausible', 'index is not ascending within the grid')
        if segment.max() > len(track_ids):
            raise WireError('implausible', f'segment {segment.max()} of {len(track_ids)} track_ids')
        _check_classes(semantics, segment, taxonomy)
    instances = np.concatenate([np.zeros(1, np.int64), track_ids])[segment]
    return Occupied(index, semantics, instances), meta


def encode_roadside(voxels: Occupied, meta: RoadsideMeta) -> RoadsideOccupancy:
    """
    Return the message of the occupied voxels of a unit.

    :raises WireError: if they are too many different ones for a message.
    """
    try:
        packed = pack(voxels, GRIDS[meta.grid].vehicle.shape)
    except ValueError as error:
        raise WireError('too_large', str(error)) from error
    if len(packed.runs) > _MAX_RUN_BYTES:
        raise WireError('too_large', f'{len(packed.runs)} bytes of runs, at most {_MAX_RUN_BYTES} fit')
    msg = RoadsideOccupancy(version=RoadsideOccupancy.VERSION, unit_id=meta.unit_id, session=meta.session,
                            sequence=meta.sequence, grid=meta.grid, count=packed.count)
    set_stamp(msg.header.stamp, meta.stamp_ns)
    msg.header.frame_id = meta.lidar_frame
    msg.classes, msg.track_ids = to_field(packed.classes, 'B'), to_field(packed.identities, 'I')
    msg.runs = to_field(np.frombuffer(packed.runs, np.uint8), 'B')
    return msg


def decode_roadside(msg: RoadsideOccupancy, grid: str) -> tuple[Occupied, RoadsideMeta]:
    """
    Return the voxels of a unit, and the rest of the message; everything is checked before anything is allocated for it.

    :param grid: name of the only grid that can be used.
    :raises WireError: naming what is wrong.
    """
    if msg.version != RoadsideOccupancy.VERSION:
        raise WireError('wrong_version', f'RoadsideOccupancy of version {msg.version}, this receiver reads version '
                        f'{RoadsideOccupancy.VERSION}: both sides must run the same release')
    if msg.grid != grid:
        raise WireError('wrong_grid', f"voxels of grid '{msg.grid}', those of this vehicle are of grid '{grid}'")
    if not is_time(msg.header.stamp):
        raise WireError('implausible', f'stamp {msg.header.stamp.sec} s, {msg.header.stamp.nanosec} ns')
    profile, count = GRIDS[grid], len(msg.classes)
    classes = from_field(msg.classes, 'B', 'classes', count)
    track_ids = from_field(msg.track_ids, 'I', 'track_ids', count)
    _check_classes(classes, track_ids, profile.taxonomy)
    try:
        voxels = unpack(Packed(int(msg.count), classes, track_ids.astype(np.int64), bytes(msg.runs)),
                        profile.grid(Side.ROADSIDE).shape)
    except UnpackError as error:
        raise WireError('undecodable', str(error)) from error
    return voxels, RoadsideMeta(msg.unit_id, int(msg.session), int(msg.sequence), stamp_ns(msg.header.stamp),
                                msg.header.frame_id, grid)


def _decode_meta(msg: PanopticOccupancy) -> OccupancyMeta:
    if not is_time(msg.header.stamp):
        raise WireError('implausible', f'stamp {msg.header.stamp.sec} s, {msg.header.stamp.nanosec} ns')
    names, free = list(msg.class_names), int(msg.free_class)
    things = [int(c) for c in msg.thing_classes]
    if free >= len(names) or any(c >= len(names) or c == free for c in things) or len(set(things)) < len(things):
        raise WireError('implausible', f'free class {free} and things {things} of {len(names)} classes')
    shape = tuple(int(n) for n in msg.size)
    if not 0 < np.prod(shape, dtype=np.int64) <= MAX_VOXELS:
        raise WireError('too_large', f'a grid of {shape} voxels, 1 to {MAX_VOXELS} are accepted')
    origin, voxel = (finite(np.array(field, np.float64), name)
                     for field, name in ((msg.origin, 'origin'), (msg.voxel_size, 'voxel_size')))
    if np.abs(origin).max() > _MAX_METRES or voxel.min() <= 0 or voxel.max() > _MAX_METRES:
        raise WireError('implausible', f'a grid from {origin.tolist()} of voxels of {voxel.tolist()} m')
    return OccupancyMeta(stamp_ns(msg.header.stamp), msg.header.frame_id,
                         Grid(tuple(origin.tolist()), tuple(voxel.tolist()), shape),
                         Taxonomy(tuple(names), tuple(things), free))


def _check_classes(classes: np.ndarray, identified: np.ndarray, taxonomy: Taxonomy) -> None:
    """Check the classes of voxels or segments; :param identified: not 0 where they have an identity."""
    if len(classes) and classes.max() >= len(taxonomy.classes):
        raise WireError('unknown_label', f'class {classes.max()}; known: 0 to {len(taxonomy.classes) - 1}')
    if (classes == taxonomy.free).any():
        raise WireError('implausible', 'a voxel that is listed is free')
    if ((identified != 0) & ~taxonomy.flags(taxonomy.things)[classes]).any():
        raise WireError('implausible', 'a voxel that is no thing has an identity')
