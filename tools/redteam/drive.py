"""A recorded drive: what the vehicle feels and sees, what an honest unit sends, and what is really there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

from cooptrack_msgs.msg import Calibration, InstanceFeatureArray, TrackArray
from cooptrack_ros.common.types import InstanceSet
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.nodes.health.health import Health
from cooptrack_ros.nodes.settings import RoadsideSettings
from cooptrack_ros.replay.agents import OfflineUnit
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.cameras import decode_calibration
from cooptrack_ros.wire.features import FeatureMeta, decode_instances
from cooptrack_ros.wire.topics import CALIBRATION, EGO_NAMESPACE, IMAGE, unit_topic
from cooptrack_ros.wire.tracks import decode_tracks

UNIT = 'rsu_1'
"""The honest unit of the recording."""
SEED, SIZE = 20002, (960, 540)
"""Those of the demonstration."""


@dataclass(frozen=True)
class EgoFrame:
    """One image of the vehicle with its pose, and the true objects (N, 3) in its lidar frame, metres."""

    stamp_ns: int
    image: CompressedImage
    odometry: Odometry
    truth: np.ndarray
    map_from_lidar: np.ndarray


@dataclass(frozen=True)
class UnitMessage:
    """What the honest unit sends for one of its images, taken apart."""

    stamp_ns: int
    instances: InstanceSet
    meta: FeatureMeta


@dataclass(frozen=True)
class Drive:
    """All of a recording; ``calibration`` is that of the camera of the vehicle."""

    calibration: Calibration
    frames: Sequence[EgoFrame]
    sent: Sequence[UnitMessage]

    def due(self, index: int) -> list[UnitMessage]:
        """Return what the honest unit has sent between the image before and this one."""
        first = self.frames[index - 1].stamp_ns if index else 0
        return [m for m in self.sent if first < m.stamp_ns <= self.frames[index].stamp_ns]

    @cached_property
    def pattern(self) -> UnitMessage:
        """Return a message with objects in it, from which lies are made: its features are those of real ones."""
        return max(self.sent, key=lambda m: len(m.instances))


def make_drive(folder: Path, seconds: float, size: tuple[int, int], weights: str) -> Drive:
    """Return the drive of the demonstration in some length; scene and bag are made on the first call."""
    from cooptrack_ros.data.bags.convert import convert
    from cooptrack_ros.data.folders import open_dataset
    from cooptrack_ros.data.synth import generate
    name = f'{seconds:g}_{size[0]}x{size[1]}'
    scene, bag = folder / f'scene_{name}', folder / f'bag_{name}'
    if not scene.exists():
        generate(scene, SEED, seconds, size)
    if not bag.exists():
        convert(open_dataset(scene), '0000', bag)
    return read_drive(bag, weights)


def read_drive(bag: Path, weights: str) -> Drive:
    """Read a bag, and let the roadside network say what the unit sends."""
    topics = {f'{EGO_NAMESPACE}/{IMAGE}': CompressedImage, f'{EGO_NAMESPACE}/odometry': Odometry,
              f'{EGO_NAMESPACE}/{CALIBRATION}': Calibration, f'{EGO_NAMESPACE}/ground_truth/tracks': TrackArray,
              unit_topic(UNIT, CALIBRATION): Calibration, unit_topic(UNIT, IMAGE): CompressedImage}
    found: dict[str, list[Any]] = {topic: [] for topic in topics}
    with BagReader(bag) as reader:
        for connection, _, data in reader.messages([c for c in reader.connections if c.topic in topics]):
            found[connection.topic].append(deserialize_message(data, topics[connection.topic]))
    images, poses, calibrations, truths, own, theirs = (found[topic] for topic in topics)
    at = {stamp_ns(m.header.stamp): m for m in poses}
    labelled = {stamp_ns(m.header.stamp): m for m in truths}
    frames = []
    for image in images:
        stamp = stamp_ns(image.header.stamp)
        truth = labelled[stamp]
        frames.append(EgoFrame(stamp, image, at[stamp], decode_tracks(truth).centre,
                               np.array(truth.map_from_lidar).reshape(4, 4)))
    return Drive(calibrations[0], frames, _sent(own[0], theirs, weights))


def _sent(calibration: Calibration, images: Sequence[CompressedImage], weights: str) -> list[UnitMessage]:
    unit = OfflineUnit(open_model(weights), RoadsideSettings(unit_id=UNIT), Health(UNIT, 'offline'))
    unit.eyes.describe('', stamp_ns(calibration.header.stamp), decode_calibration(calibration))
    messages: list[InstanceFeatureArray] = [unit.step({'': image}) for image in images]
    return [UnitMessage(stamp_ns(m.header.stamp), *decode_instances(m)) for m in messages]
