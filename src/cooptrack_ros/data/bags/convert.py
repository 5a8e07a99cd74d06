"""Conversion of one sequence of a data set to a ROS 2 bag (docs/data.md)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rosbags.interfaces import Qos
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from ...common.colours import TRUTH_COLOUR
from ...common.errors import UserError
from ...wire.marker_board import MarkerBoard
from ...wire.markers import track_markers
from ...wire.topics import PAIR, POINTS, calibration_topic, image_topic
from ..dataset import CameraFrame, DataSet, FrameRecord, SensorFrame
from . import standard_messages as messages
from .custom_messages import calibration, ground_truth, pair_transform
from .info import CUSTOM_DATA_KEY
from .types import EGO, LATCHED, MAP_FRAME, VOLATILE, AgentNames, roadside_names
from .video import VideoEncoder, check_video_encoder
from .writer import BagWriter

_LOG = logging.getLogger(__name__)
STAMPS = ('pointcloud', 'image')


@dataclass(frozen=True)
class _Event:
    """Messages of one kind of one frame: made only when their turn comes, so that images do not pile up."""

    log_ns: int
    rank: int
    make: Callable[[], list[tuple[str, Any, Qos]]]


def convert(dataset: DataSet, sequence: str, target: Path, stamp: str = 'pointcloud',
            progress: Callable[[int, int], None] | None = None, video: str | None = None) -> int:
    """
    Write a bag of one sequence: the paired frames of both sides, or all of the only side there is.

    :param stamp: ``pointcloud`` stamps images with the time that the network works with and puts the true
        image time into CameraInfo; ``image`` stamps both with the image time. Poses, clouds and ground truth
        always carry the point-cloud time.
    :param progress: called with the number of events done and of all.
    :param video: ``h264`` or ``h265``: images are written so, instead of as they are stored.
    :returns: number of messages.
    """
    if stamp not in STAMPS:
        raise UserError(f"stamp must be one of {', '.join(STAMPS)}, not '{stamp}'")
    if video is not None:
        check_video_encoder()
    ego, units = _records(dataset, sequence)
    by_image = stamp == 'image'
    static: dict[str, TransformStamped] = {}
    events = _Agent(EGO, ego, by_image, next(iter(units)), static, video).events()
    for name, side in units.items():
        events += _pair_events(name, side.pairs, by_image)
        events += _Agent(roadside_names(name), side.frames, by_image, name, static, video).events()
    if not events:
        raise UserError(f"{dataset.root}: sequence '{sequence}' has no usable frame")
    events.sort(key=lambda event: (event.log_ns, event.rank))
    count = 0
    with BagWriter(target) as bag:
        bag.set_custom_data(CUSTOM_DATA_KEY, json.dumps(_description(dataset, sequence, stamp, ego, units)))
        for done, event in enumerate(events, 1):
            for topic, message, qos in event.make():
                bag.write(topic, message, event.log_ns, qos)
                count += 1
            if progress is not None:
                progress(done, len(events))
    return count


@dataclass(frozen=True)
class _UnitRecords:
    """Frames of a roadside unit, and the pairs of vehicle frames with them."""

    frames: list[FrameRecord]
    pairs: list[FrameRecord]


def _records(dataset: DataSet, sequence: str) -> tuple[list[FrameRecord], dict[str, _UnitRecords]]:
    """Return records of the vehicle (cooperative labels where there are pairs) and of each roadside unit."""
    if not dataset.has_side('cooperative'):
        ego, infra = (dataset.records(side, sequence) if dataset.has_side(side) else []
                      for side in ('vehicle-side', 'infrastructure-side'))
        return ego, {name: _UnitRecords(infra, []) for name in dataset.units}
    ego, units = dataset.records('cooperative', sequence), {}
    for name, pairs in dataset.partners(ego).items():
        used = {pair.infra_token for pair in pairs}
        frames = [r for r in dataset.units[name].records('infrastructure-side', sequence) if r.token in used]
        units[name] = _UnitRecords(frames, pairs)
    return ego, units


def _pair_events(unit: str, records: Sequence[FrameRecord], by_image: bool) -> list[_Event]:
    """Return the exact relation of each pair, due with the vehicle's image."""
    names = roadside_names(unit)

    def make(record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        pair = pair_transform(
            record, unit, messages.header(_image_stamp(record, by_image), EGO.lidar_frame),
            messages.header(_image_stamp(record.infra, by_image), names.lidar_frame))
        return [(names.topic(PAIR), pair, VOLATILE)]
    return [_Event(_image_stamp(record, by_image), 3, partial(make, record)) for record in records]


def _description(dataset: DataSet, sequence: str, stamp: str, ego: Sequence[FrameRecord],
                 units: Mapping[str, _UnitRecords]) -> dict[str, Any]:
    """
    Return what cannot be seen from the messages; times are the stamps of the images in nanoseconds.

    With several units, their frames and pairs have the name of the unit as a third column.
    """
    def of(name: str) -> list[str]:
        return [name] if len(units) > 1 else []

    def stamp_ns(sensor: SensorFrame) -> int:
        return _image_stamp(sensor, stamp == 'image')

    return {
        'format': 'cooptrack-bag/1', 'dataset': dataset.root.name, 'sequence': sequence, 'unit': ','.join(units),
        'stamp': stamp, **dataset.options,
        'splits': [name for name, ids in dataset.split.items() if sequence in ids],
        'ego_frames': [[r.token, stamp_ns(r)] for r in ego],
        'infra_frames': [[r.token, stamp_ns(r), *of(name)] for name, unit in units.items() for r in unit.frames],
        'pairs': [[stamp_ns(r), stamp_ns(r.infra), *of(name)] for name, unit in units.items() for r in unit.pairs],
    }


def _image_stamp(sensor: SensorFrame, by_image: bool) -> int:
    """Return the stamp of the images of a frame, nanoseconds; image time is that of the first camera."""
    return (sensor.image_stamp_us if by_image else sensor.stamp_us) * 1000


class _Agent:
    """
    Events of one agent's frames in order of time.

    ``static`` holds the fixed transforms of all agents by child frame: every /tf_static message has them all,
    because a player offers a late subscriber only the last few messages of a latched topic.
    """

    def __init__(self, names: AgentNames, records: Sequence[FrameRecord], by_image: bool, unit: str,
                 static: dict[str, TransformStamped], video: str | None) -> None:
        self._names = names
        self._records = records
        self._by_image = by_image
        self._unit = unit
        self._static = static
        self._encoders: dict[str, VideoEncoder] = {}
        self._video = video
        self._fixed: tuple[np.ndarray, ...] = ()
        self._place: np.ndarray | None = None
        self._moves = names is not EGO and _moves(records)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._truth_board = MarkerBoard()

    def events(self) -> list[_Event]:
        """Return the events; fixed things come first, images last, where times are equal."""
        events = []
        for record in self._records:
            stamp_ns, image_ns = record.stamp_us * 1000, _image_stamp(record, self._by_image)
            events.append(_Event(min(stamp_ns, image_ns), 0, lambda r=record: self._fixed_messages(r)))
            events.append(_Event(stamp_ns, 1, lambda r=record: self._pose(r)))
            events.append(_Event(stamp_ns, 2, lambda r=record: self._truth(r)))
            if record.point_cloud is not None:
                events.append(_Event(stamp_ns, 4, lambda r=record: self._cloud(r)))
            events.append(_Event(image_ns, 5, lambda r=record: self._images(r)))
        return events

    def _fixed_messages(self, record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        """
        Return static transforms and exact calibration, at the first frame and whenever they change.

        The calibration of a unit tells where it stands, so that one that moves has another one in every frame.
        """
        fixed = (*(m for c in record.cameras for m in (c.intrinsic, c.cam_from_lidar)), record.ego_from_lidar)
        place = None if self._names is EGO else record.stored_global_from_lidar
        is_mounted_anew = len(self._fixed) != len(fixed) or not all(map(np.array_equal, self._fixed, fixed))
        is_elsewhere = place is not None and (self._place is None or not np.array_equal(self._place, place))
        if not is_mounted_anew and not is_elsewhere:
            return []
        self._fixed, self._place = fixed, place
        stamp_ns = _image_stamp(record, self._by_image)
        exact = []
        for camera, own in self._cameras(record):
            header = messages.header(stamp_ns, own.camera_frame)
            exact.append((own.topic(calibration_topic(own.camera)), calibration(
                record, camera, own, header, self._size(camera, own, stamp_ns)), LATCHED))
        if self._moves and not is_mounted_anew:
            return exact
        # The place of a unit that moves is on /tf.
        transforms = messages.static_transforms(record, self._names, stamp_ns)[int(self._moves):]
        self._static.update((t.child_frame_id, t) for t in transforms)
        return [('/tf_static', TFMessage(transforms=list(self._static.values())), LATCHED), *exact]

    def _size(self, camera: CameraFrame, names: AgentNames, stamp_ns: int) -> tuple[int, int]:
        """Return width and height of the images of a camera, which are all of one size."""
        if camera.name not in self._sizes:
            _, *size = messages.compressed_image(camera, names, stamp_ns)
            self._sizes[camera.name] = camera.size or tuple(size)
        return self._sizes[camera.name]

    def _cameras(self, record: FrameRecord) -> list[tuple[CameraFrame, AgentNames]]:
        return [(camera, self._names.of_camera(camera.name, len(record.cameras))) for camera in record.cameras]

    def _pose(self, record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        stamp_ns = record.stamp_us * 1000
        if self._moves:
            place = messages.transform(record.global_from_lidar, stamp_ns, MAP_FRAME, self._names.lidar_frame)
            return [('/tf', TFMessage(transforms=[place]), VOLATILE)]
        if self._names is not EGO:
            return []
        pose = messages.transform(record.global_from_ego, stamp_ns, MAP_FRAME, EGO.body_frame)
        return [('/tf', TFMessage(transforms=[pose]), VOLATILE),
                (EGO.topic('odometry'), messages.odometry(record, EGO, stamp_ns), VOLATILE)]

    def _truth(self, record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        if not record.labelled:
            return []
        header = messages.header(record.stamp_us * 1000, self._names.lidar_frame)
        markers = self._truth_board.update(
            track_markers(record.boxes, header, record.classes, [TRUTH_COLOUR] * len(record.boxes), opacity=0.25),
            header)
        tracks = ground_truth(record, self._names, self._unit)
        return [(self._names.topic('ground_truth/tracks'), tracks, VOLATILE),
                (self._names.topic('ground_truth/markers'), markers, VOLATILE)]

    def _cloud(self, record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        try:
            cloud = messages.point_cloud(record, self._names, record.stamp_us * 1000)
        except UserError as error:
            # Nothing but the cloud depends on it.
            _LOG.warning('%s; the bag has no cloud for this frame', error)
            return []
        return [(self._names.topic(POINTS), cloud, VOLATILE)]

    def _images(self, record: FrameRecord) -> list[tuple[str, Any, Qos]]:
        made: list[tuple[str, Any, Qos]] = []
        for camera, names in self._cameras(record):
            image, *size = messages.compressed_image(camera, names, _image_stamp(record, self._by_image))
            info = messages.camera_info(camera, names, camera.stamp_us * 1000, camera.size or tuple(size))
            made += [(names.topic(f'{names.camera}/camera_info'), info, VOLATILE), self._image(image, names)]
        return made

    def _image(self, image: CompressedImage, names: AgentNames) -> tuple[str, Any, Qos]:
        """Return an image as it is stored, or as the next packet of the video of its camera."""
        if self._video is None:
            return names.topic(image_topic(names.camera)), image, VOLATILE
        encoder = self._encoders.setdefault(names.camera, VideoEncoder(self._video))
        return names.topic(image_topic(names.camera, 'ffmpeg')), encoder.packet(image), VOLATILE


def _moves(records: Sequence[FrameRecord]) -> bool:
    """Tell an agent that moves from one that stands, whose calibration may be another from some frame on."""
    changes = [not np.array_equal(a.stored_global_from_lidar, b.stored_global_from_lidar)
               for a, b in pairwise(records)]
    return 2 * sum(changes) > len(changes)
