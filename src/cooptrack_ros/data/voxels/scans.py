"""The scans of one sequence by all agents, in one world, with boxes whose tracks are known across the agents."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from ...common.errors import UserError
from ...common.reading import read_bounded
from ...common.types import Boxes, Side
from ...sensors.image_decoding import MAX_IMAGE_BYTES, read_image
from ...sensors.stated_size import stated_size
from ..dataset import CameraFrame, DataSet, FrameRecord

_SAME_M = 0.5
"""Labels of one object for one time lie on each other, whoever made them."""
VEHICLE = 'vehicle'
_COOPERATIVE = 'cooperative'


@dataclass(frozen=True)
class AgentFrame:
    """
    One frame of the vehicle or of a roadside unit.

    ``record`` is of the agent's own side. ``world_from_lidar`` (4, 4) need not be rigid. ``boxes`` (N) are in the
    lidar frame, ``classes`` names them; ``tracks`` (N) are the same for an object on all sides. ``side_track_id`` (N)
    is its identity in the labels of the side, -1 if it has none there. ``folders`` are those of the side that get
    labels; there are several where the data holds the frame more than once.
    """

    agent: str
    record: FrameRecord
    world_from_lidar: np.ndarray
    boxes: Boxes
    classes: tuple[str, ...]
    tracks: tuple[Hashable, ...]
    side_track_id: np.ndarray
    folders: tuple[Path, ...]

    @property
    def side(self) -> Side:
        """Whose frame it is."""
        return Side.VEHICLE if self.agent == VEHICLE else Side.ROADSIDE


def agent_frames(dataset: DataSet, sequence: str) -> list[AgentFrame]:
    """
    Return the frames of a sequence, those of the vehicle first, then unit by unit.

    Where there are pairs, the vehicle's frames have the boxes that anybody sees, the world is that in which the
    vehicle is placed, and a unit stands where its nearest pair in time puts it. Otherwise the world is that of the
    only side.
    """
    pairs = dataset.records('cooperative', sequence) if dataset.has_side('cooperative') else []
    partners = dataset.partners(pairs) if pairs else {}
    names = _Names(pairs, partners)
    frames = []
    if dataset.has_side('vehicle-side'):
        folders = tuple(sorted({unit.root / 'vehicle-side' for unit in dataset.units.values()}))
        frames += _vehicle_frames(dataset.records('vehicle-side', sequence), pairs, names, folders)
    for name, unit in dataset.units.items():
        if unit.has_side('infrastructure-side') and sequence in unit.sequences():
            frames += _unit_frames(name, unit.records('infrastructure-side', sequence), partners.get(name, []), names,
                                   (unit.root / 'infrastructure-side',))
    return frames


def _vehicle_frames(records: list[FrameRecord], pairs: list[FrameRecord], names: _Names,
                    folders: tuple[Path, ...]) -> Iterator[AgentFrame]:
    pair_of = {pair.token: pair for pair in pairs}
    for record in records:
        pair = pair_of.get(record.token)
        labelled = pair or record
        own = record.boxes.track_id if pair is None else pair.vehicle_track_id
        space = VEHICLE if pair is None else _COOPERATIVE
        yield AgentFrame(VEHICLE, record, record.global_from_lidar, labelled.boxes, labelled.classes,
                         tuple(names.of(space, number) for number in labelled.boxes.track_id), own, folders)


def _unit_frames(unit: str, records: list[FrameRecord], pairs: list[FrameRecord], names: _Names,
                 folders: tuple[Path, ...]) -> Iterator[AgentFrame]:
    stamps = np.array([pair.infra_stamp_us for pair in pairs])
    for record in records:
        pose = record.stored_global_from_lidar
        if pairs:
            pair = pairs[int(np.abs(stamps - record.stamp_us).argmin())]
            pose = pair.global_from_lidar @ pair.ego_from_infra
        yield AgentFrame(unit, record, pose, record.boxes, record.classes,
                         tuple(names.of(unit, number) for number in record.boxes.track_id), record.boxes.track_id,
                         folders)


class _Names:
    """Which identities of the label sets of a sequence are of one object, as the labels of the pairs tell."""

    def __init__(self, pairs: list[FrameRecord], partners: dict[str, list[FrameRecord]]) -> None:
        self._same: dict[Hashable, Hashable] = {}
        for i, pair in enumerate(pairs):
            for joint, own in zip(pair.boxes.track_id, pair.vehicle_track_id, strict=True):
                self._join((_COOPERATIVE, int(joint)), (VEHICLE, int(own)))
            for unit, of_unit in partners.items():
                self._join_unit(pair, unit, of_unit[i])

    def _join_unit(self, pair: FrameRecord, unit: str, partner: FrameRecord) -> None:
        """Join by place: with several units the joint labels do not name the identities of the units."""
        if not len(pair.boxes) or not len(partner.boxes):
            return
        apart = cdist(partner.boxes.centre, pair.boxes.centre)
        apart[partner.boxes.label[:, None] != pair.boxes.label] = np.inf
        for k, joint in enumerate(apart.argmin(1)):
            if apart[k, joint] <= _SAME_M:
                self._join((_COOPERATIVE, int(pair.boxes.track_id[joint])), (unit, int(partner.infra_track_id[k])))

    def _join(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        first, second = self._root(one), self._root(other)
        if other[1] >= 0 and first != second:
            self._same[second] = first

    def _root(self, name: Hashable) -> Hashable:
        while name in self._same:
            name = self._same[name]
        return name

    def of(self, space: str, number: int) -> Hashable:
        """Return the name of an object on all sides."""
        return self._root((space, int(number)))


def image_size(camera: CameraFrame) -> tuple[int, int]:
    """Return width and height of the image for which the calibration of a camera is."""
    if camera.size is not None:
        return camera.size
    try:
        size = stated_size(read_bounded(camera.image_path, MAX_IMAGE_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(
            f'{camera.image_path} cannot be read: {getattr(error, "strerror", None) or error}') from error
    # Of a format without a size that is easily read.
    return size or read_image(camera.image_path).size[::-1]
