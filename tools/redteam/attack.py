"""What an attack is made of: who is listened to, and what is published when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.types import Boxes, InstanceSet
from cooptrack_ros.wire.features import encode_instances
from cooptrack_ros.wire.topics import features_topic

from .drive import UNIT, Drive, EgoFrame, UnitMessage

LIAR = 'rsu_2'
"""The unit that attacks beside the honest one, unless an attack says otherwise."""
_SESSION = 7


class Shot(NamedTuple):
    """A message, or the bytes of one, and where it goes."""

    topic: str
    message: Any
    kind: type = InstanceFeatureArray


@dataclass(frozen=True)
class Moment:
    """The time of one image of the vehicle, before it is published."""

    index: int
    count: int
    """Number of images of the whole attack."""
    frame: EgoFrame
    honest: tuple[UnitMessage, ...]
    """What the honest unit has to say."""
    drive: Drive

    @property
    def seconds(self) -> float:
        """Time since the first image, by the stamps."""
        return (self.frame.stamp_ns - self.drive.frames[0].stamp_ns) / 1e9


def _nothing(moment: Moment) -> Iterable[Shot]:
    return ()


@dataclass(frozen=True)
class Attack:
    """
    One way to attack the vehicle.

    ``before`` gives what is published before each image; ``between`` what is published again and again at
    ``between_hz`` until the vehicle has answered. Figures are counted over the images from ``counted_from`` on, a part
    of all of them. With ``says`` None the honest unit is silent.
    """

    title: str
    before: Callable[[Moment], Iterable[Shot]] = _nothing
    between: Callable[[Moment], Iterable[Shot]] = _nothing
    between_hz: float = 0.0
    units: tuple[str, ...] = (UNIT, LIAR)
    parameters: Mapping[str, object] = field(default_factory=dict)
    says: Callable[[Moment, UnitMessage], InstanceFeatureArray] | None = lambda moment, m: truthful(m)
    seconds: float = 10.0
    counted_from: float = 0.0

    def company(self, moment: Moment) -> list[Shot]:
        """Return what the unit of the recording says before an image."""
        if self.says is None:
            return []
        return [Shot(features_topic(UNIT), self.says(moment, message)) for message in moment.honest]


def truthful(message: UnitMessage) -> InstanceFeatureArray:
    """Return a message as the unit sends it."""
    return encode_instances(message.instances, message.meta)


def lie(moment: Moment, instances: InstanceSet, unit: str = LIAR, **changes: Any) -> Shot:
    """Return a message of a unit with objects in the lidar frame of the honest one, at the time of the image."""
    meta = replace(moment.drive.pattern.meta, **{
        'unit_id': unit, 'session': _SESSION, 'sequence': moment.index, 'stamp_ns': moment.frame.stamp_ns, **changes})
    return Shot(features_topic(unit), encode_instances(instances, meta))


def objects_at(pattern: UnitMessage, centres: np.ndarray, score: float = 0.9, first_id: int = 0) -> InstanceSet:
    """
    Return cars that stand at places (N, 3) of the lidar frame of the honest unit, with features of real objects.

    Nothing in such a message tells that it is a lie.
    """
    copies = pattern.instances[np.argsort(-pattern.instances.boxes.score)[np.arange(len(centres)) % len(
        pattern.instances)]]
    low, high = np.array(pattern.meta.pc_range).reshape(2, 3)
    points = ((centres - low) / (high - low)).astype(np.float32)
    count = len(centres)
    boxes = Boxes(
        centres, np.tile((4.5, 1.9, 1.6), (count, 1)), np.zeros(count), np.zeros((count, 2)),
        np.zeros(count, np.int64), np.full(count, score), np.arange(first_id, first_id + count))
    return replace(copies, boxes=boxes, ref_points=points, position_points=points,
                   previous_position=centres.astype(np.float32), previous_age_s=np.full(count, 0.1, np.float32))


def of_unit(moment: Moment, places: np.ndarray) -> np.ndarray:
    """Return places (N, 3) of the lidar frame of the vehicle in that of the honest unit."""
    unit_from_ego = np.linalg.inv(moment.drive.pattern.meta.map_from_lidar) @ moment.frame.map_from_lidar
    return places @ unit_from_ego[:3, :3].T + unit_from_ego[:3, 3]


def corner(moment: Moment, count: int, number: int = 0) -> np.ndarray:
    """Return places (count, 3) close together in a corner of the range of the vehicle, where nothing is."""
    side = int(np.ceil(np.sqrt(count)))
    grid = np.array([(i // side, i % side) for i in range(count)], float)
    # 15 m wide, however many there are.
    places = np.column_stack([30 + 15 * grid[:, 0] / side + number, 30 + 15 * grid[:, 1] / side,
                              np.full(count, -1.0)])
    return of_unit(moment, places)
