"""The core on the inputs of a bag, without nodes: same conversions, same answers as in lockstep."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import PointCloud2

from cooptrack_msgs.msg import Calibration, PairTransform

from ..common.errors import UserError, WireError
from ..common.types import Sensors
from ..data.bags.reader import BagReader
from ..data.bags.types import EGO, roadside_names
from ..data.bags.writer import BagWriter
from ..nodes.health.health import Health
from ..nodes.settings import LATE_MODES, EgoSettings, RoadsideSettings
from ..nodes.voxel_pipelines import VoxelAnswer
from ..sensors.video_decoding import check_video_decoder
from ..weights.store import ModelPackage
from ..wire.arrays import stamp_ns
from ..wire.cameras import decode_calibration
from ..wire.images import AnyImage
from ..wire.occupancy import encode_occupancy
from ..wire.poses import decode_odometry
from ..wire.serialized import read_message
from ..wire.topics import (
    EGO_NODE,
    FEATURES,
    IMAGE_TRANSPORTS,
    OCCUPANCY,
    PAIR,
    POINTS,
    TRACKED_OBJECTS,
    VIDEO_TRANSPORTS,
    calibrated_by,
    features_topic,
    kind_of,
    occupancy_topic,
    tracks_topic,
    unit_kind,
    unit_namespace,
    units_of,
    voxels_topic,
)
from ..wire.video import VideoStream
from .agents import Images, OfflineEgo, OfflineUnit, Seen, stamp_of
from .camera_frames import EGO as EGO_AGENT
from .camera_frames import CameraFrames, ImageTopic, namespace_of
from .collector import fused_units

_PATIENCE_NS = 500_000_000
"""So long, in time of the bag, an image waits for its pose and for what units send for it."""


@dataclass(frozen=True)
class OfflineOptions:
    """
    How to run; ``limit`` is the number of ego images at most, ``ego_only`` runs no roadside network.

    ``confirm_only`` names units as the parameter ``fusion.confirm_only`` does; ``occupancy`` finds voxels, too.
    ``sensors`` are those of all agents; without cameras every point cloud makes a frame.
    """

    mode: str = 'auto'
    limit: int | None = None
    ego_only: bool = False
    confirm_only: str = ''
    occupancy: bool = False
    sensors: Sensors = Sensors.CAMERA

    @property
    def of_nodes(self) -> dict[str, bool]:
        """Parameters of both nodes that say the same."""
        return {'occupancy__enabled': self.occupancy, 'lidar__enabled': self.sensors.has_lidar,
                'camera__enabled': self.sensors.has_camera}


@dataclass(frozen=True)
class _Route:
    """
    What is done with the messages of a topic; ``source`` is the name under which drops are counted.

    Without a ``kind`` they are handed on as they are stored.
    """

    kind: type | None
    source: str
    handle: Callable[[Any], None]


def _camera_of(agent: OfflineEgo | OfflineUnit, camera: str) -> _Route:
    return _Route(Calibration, 'calibration', lambda m: agent.eyes.describe(
        camera, stamp_ns(m.header.stamp), decode_calibration(m)))


class OfflineReplay:
    """Feeds a bag to the core in the order of lockstep: an image after everything that belongs to it."""

    def __init__(self, bag: Path, package: ModelPackage, options: OfflineOptions, writer: BagWriter | None = None):
        """Take bag and model; :param writer: takes features, tracks and detections."""
        self._bag, self._options, self._writer = bag, options, writer
        self._health = Health(EGO_NODE, 'offline')
        self._counts: Counter[str] = Counter()
        self._modes: Counter[str] = Counter()
        self._fused: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._bytes = 0
        self._voxels: Counter[str] = Counter()
        self._voxel_bytes = 0
        self._now_ns = 0
        self._held: deque[tuple[int, Seen]] = deque()
        self._frames: CameraFrames
        self._gathered: dict[tuple[str, int], dict[str, AnyImage]] = defaultdict(dict)
        """Images of frames that are not complete, by agent and stamp."""
        self._ends: list[Callable[[], None]] = []
        """Hand on the images that the decoders of video hold back."""
        self._routes: dict[str, _Route] = {}
        self._package = package

    def run(self, advance: Callable[[int], None] = lambda n: None) -> dict[str, Any]:
        """
        Return counts, modes, times and drops in the form of the other replays.

        Times are those of the vehicle's step, from the decoded message to the tracks.

        :param advance: called with the number of ego images done.
        :raises UserError: if the bag cannot be read or holds nothing that makes frames of the vehicle.
        """
        started, images = time.perf_counter(), 0
        for topic, log_ns, message in self._entries():
            is_ego = self._frames.agent_of(topic) == EGO_AGENT
            images += self._frames.counted_for(topic) == EGO_AGENT
            if self._options.limit is not None and images > self._options.limit:
                if not self._held:
                    break
                if is_ego:
                    # Only what the last images still wait for is read on.
                    continue
            self._now_ns = log_ns
            route = self._routes[topic]
            self._guarded(route.source, route.handle, message)
            self._release(advance)
        for end in self._ends:
            end()
        self._release(advance, everything=True)
        return {
            'ego_images': self._counts['ego'], 'wall_s': time.perf_counter() - started,
            'unit_images': {u: self._counts[u] for u in self._ego.units if self._counts[u]},
            'tracks': sum(self._modes.values()),
            'features': {features_topic(u): self._counts[u] for u in self._ego.units if self._counts[u]},
            'modes': dict(sorted(self._modes.items())), 'fused': dict(sorted(self._fused.items())),
            'latency_ms': self._latency(),
            'dropped': {EGO_NODE: {k: v for k, v in self._health.counts.items() if k.startswith('dropped.')}},
            'occupancy': dict(sorted(self._voxels.items())),
            'serialized_bytes': self._bytes, 'occupancy_bytes': self._voxel_bytes}

    def _latency(self) -> dict[str, Any]:
        """Return p50 and p95 in milliseconds, without the first frame, which pays for memory and caches."""
        seconds = self._seconds[1:] or self._seconds
        return {EGO_NODE: {'total': {f'p{q}': round(1e3 * float(np.percentile(seconds, q)), 3) for q in (50, 95)}}
                } if seconds else {}

    def _entries(self) -> Iterator[tuple[str, int, Any]]:
        """Yield topic, log time and message of everything that has a route."""
        with BagReader(self._bag) as reader:
            self._prepare({c.topic for c in reader.connections if c.msgcount})
            for connection, log_ns, data in reader.messages([c for c in reader.connections
                                                             if c.topic in self._routes]):
                yield connection.topic, log_ns, self._message(connection.topic, data)

    def _message(self, topic: str, data: bytes) -> Any:
        kind = self._routes[topic].kind
        try:
            return data if kind is None else read_message(data, kind)
        except WireError as error:
            raise UserError(f'{self._bag} cannot be read: a message on {topic} is no {kind.__name__}: '
                            f'{error}') from error

    def _prepare(self, topics: set[str]) -> None:
        """Set up the agents that the bag has inputs for, and what is done with each topic."""
        options = self._options
        mode = options.mode
        self._frames = CameraFrames(topics, options.sensors)
        self._frames.check(self._bag)
        settings = EgoSettings(
            lockstep=True, fusion__mode=mode, fusion__confirm_only=options.confirm_only, **options.of_nodes)
        # Where the map is on the Earth, which Collective Perception Messages need, no bag says.
        taken = (FEATURES, TRACKED_OBJECTS) if mode in LATE_MODES else (FEATURES,)
        units = {unit: kind for unit in (units_of(topics) if mode != 'none' else [])
                 if (kind := unit_kind(unit, topics)) in taken}
        self._ego = OfflineEgo(self._package, settings, units, self._health)
        self._routes = {
            **self._sensor_routes(EGO_AGENT, self._ego, self._source,
                                  lambda m: self._held.append((self._now_ns, m)), topics),
            EGO.topic('odometry'): _Route(Odometry, 'odometry', lambda m: self._ego.poses.add(*decode_odometry(m)))}
        for name, received in self._ego.units.items():
            topic = roadside_names(name).topic
            self._routes[topic(received.topic)] = _Route(None, name, received.on_message)
            if received.has_pairs:
                self._routes[topic(PAIR)] = _Route(PairTransform, name, received.on_pair)
            if name in self._ego.voxel_units:
                self._routes[topic(OCCUPANCY)] = _Route(
                    None, self._ego.voxel_units[name].source, self._ego.voxel_units[name].on_occupancy)
                self._ego.awaited |= {name} if topic(OCCUPANCY) in topics else set()
            if topic(received.topic) in topics or options.ego_only:
                continue
            unit = OfflineUnit(self._package, RoadsideSettings(unit_id=name, **options.of_nodes), self._health)
            self._routes |= self._sensor_routes(name, unit, name, partial(self._send, name, unit), topics)

    @property
    def _source(self) -> str:
        """Name under which is counted that a frame of the vehicle is dropped."""
        return 'image' if self._options.sensors.has_camera else 'points'

    def _sensor_routes(self, name: str, agent: OfflineEgo | OfflineUnit, source: str,
                       take: Callable[[Seen], None], topics: set[str]) -> dict[str, _Route]:
        """Return the routes of what an agent looks with; :param take: gets what makes a frame."""
        clouds, below = agent.eyes.clouds, f'{namespace_of(name)}/'
        routes = {topic: _camera_of(agent, camera) for topic in topics if topic.startswith(below)
                  and (camera := calibrated_by(topic.removeprefix(below))) is not None}
        if not self._options.sensors.has_camera:
            def make_frame(cloud: PointCloud2) -> None:
                clouds.add(cloud)
                take(cloud)
            return routes | {f'{below}{POINTS}': _Route(PointCloud2, source, make_frame)}
        if clouds is not None:
            routes[f'{below}{POINTS}'] = _Route(PointCloud2, source, clouds.add)
        return routes | {images.topic: self._image_route(images, source, agent, partial(self._gather, images, take))
                         for images in self._frames.images.get(name, ())}

    def _image_route(self, images: ImageTopic, source: str, agent: OfflineEgo | OfflineUnit,
                     handle: Callable[[AnyImage], None]) -> _Route:
        """Return what is done with the images of a camera; those of a video are handled as they can be seen."""
        kind = kind_of(IMAGE_TRANSPORTS[images.transport].kind)
        if images.transport not in VIDEO_TRANSPORTS:
            return _Route(kind, source, handle)
        check_video_decoder(f'{self._bag}: video on {images.topic}')
        stream = VideoStream()

        def take(message: Any) -> None:
            for image in stream.take(message, agent.eyes.size(images.camera)):
                handle(image)

        def end() -> None:
            for image in stream.end():
                self._guarded(source, handle, image)
        self._ends.append(end)
        return _Route(kind, source, take)

    def _gather(self, source: ImageTopic, take: Callable[[Images], None], image: AnyImage) -> None:
        """Hand on the images of a frame when the last one of its cameras is there."""
        name, stamp = source.agent, stamp_ns(image.header.stamp)
        self._gathered[name, stamp][source.camera] = image
        if self._frames.completes(source.topic, stamp):
            images = self._gathered[name, stamp]
            for old in [key for key in self._gathered if key[0] == name and key[1] <= stamp]:
                del self._gathered[old]
            take(images)

    def _guarded(self, source: str, act: Callable[[Any], None], message: Any) -> None:
        """Handle a message, or count that it is dropped."""
        try:
            act(message)
        except WireError as error:
            self._health.drop(source, error.reason, str(error))

    def _send(self, name: str, unit: OfflineUnit, seen: Seen) -> None:
        message = unit.step(seen)
        data = serialize_message(message)
        self._counts[name] += 1
        self._bytes += len(data)
        self._write(features_topic(name), message)
        self._ego.units[name].on_message(data)
        answer = unit.find_voxels()
        if answer is not None:
            data = serialize_message(answer.link)
            self._voxels[occupancy_topic(name)] += 1
            self._voxel_bytes += len(data)
            self._write(occupancy_topic(name), answer.link)
            self._write_voxels(f'{unit_namespace(name)}/roadside_node', answer)
            self._ego.voxel_units[name].on_occupancy(data)

    def _release(self, advance: Callable[[int], None], everything: bool = False) -> None:
        """Process the frames whose turn has come."""
        while self._held:
            log_ns, seen = self._held[0]
            overdue = everything or self._now_ns - log_ns > _PATIENCE_NS
            if not overdue and not self._ego.is_ready(stamp_of(seen)):
                return
            self._held.popleft()
            self._counts['ego'] += 1
            self._guarded(self._source, self._answer, seen)
            advance(1)

    def _answer(self, seen: Seen) -> None:
        started = time.perf_counter()
        tracks, detections = self._ego.step(seen)
        self._seconds.append(time.perf_counter() - started)
        self._modes[tracks.mode] += 1
        self._fused.update(fused_units(tracks))
        self._write(tracks_topic(), tracks)
        self._write(f'{EGO_NODE}/output/detections', detections)
        answer = self._ego.find_voxels()
        if answer is not None:
            self._write_voxels(EGO_NODE, answer)

    def _write_voxels(self, node: str, answer: VoxelAnswer) -> None:
        self._voxels[voxels_topic(node)] += 1
        if self._writer is not None:
            self._write(voxels_topic(node), encode_occupancy(answer.voxels, answer.meta))

    def _write(self, topic: str, message: Any) -> None:
        if self._writer is not None:
            self._writer.write(topic, message, self._now_ns)
