"""Publishes the frames of a made-up drive to a node and waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from visualization_msgs.msg import MarkerArray

from cooptrack_msgs.msg import Calibration, Latency, PairTransform, TrackArray

from ..common.types import Side
from ..demo.processes import Process
from ..nodes.qos import LATCHED, LOCKSTEP_INPUT, OUTPUT, features_qos
from ..nodes.start import init_ros
from ..wire.arrays import header_of, set_stamp, stamp_ns
from ..wire.features import FeatureMeta, encode_instances
from ..wire.images import encode_jpeg
from ..wire.topics import PAIR, features_topic, unit_topic
from .scene import START_NS, STEP_NS, BenchScene

UNIT = 'rsu_1'
_CAMERA_FRAME, _EGO_LIDAR, _EGO_BODY, _INFRA_LIDAR = 'camera', 'ego/lidar', 'ego/base_link', f'infra/{UNIT}/lidar'
_PATIENCE_S = 60.0
_ANSWER_S = 5.0
"""After that a frame counts as left out: on a busy machine a message may be lost between the processes."""
_RETRY_S = 0.05
_QUIET_S = 0.5


@dataclass
class Answer:
    """
    What a node answered to one frame, and the seconds that it took.

    ``stages`` and ``total_s`` are the node's own account from the arrival of the message, ``round_trip_s`` is from the
    publication of the image to the arrival of the tracks.
    """

    sent: float
    round_trip_s: float = 0.0
    tracks: int = -1
    total_s: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Tell whether tracks and latency have come."""
        return self.tracks >= 0 and bool(self.stages)


class Feeder:
    """Plays camera, odometry and roadside unit; use as a context manager."""

    def __init__(self, node: str, scene: BenchScene, model_id: str, listens_to_markers: bool, rate_hz: float = 0.0):
        """
        Join the graph.

        :param node: ``ego`` or ``roadside``; :param model_id: of the unit whose messages are sent.
        :param rate_hz: of the frames, 0 for each after the answer to the one before.
        """
        self._period_s, self._due = 1 / rate_hz if rate_hz else 0.0, 0.0
        self._last_answer_s = time.monotonic()
        self._scene, self._model_id, self._is_ego = scene, model_id, node == 'ego'
        self._name = f'/{node}_node'
        self._index = 0
        self._answers: dict[int, Answer] = {}
        self._jpegs = [encode_jpeg(image, header_of(0, _CAMERA_FRAME)) for image in scene.images]
        self._context = rclpy.Context()
        init_ros([], self._context)
        self._node = rclpy.create_node('feeder', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._publishers: dict[str, Any] = {}
        self._listen(TrackArray, 'output/tracks', self._on_tracks)
        self._listen(Latency, 'debug/latency', self._on_latency)
        if listens_to_markers:
            self._listen(MarkerArray, 'output/markers', lambda msg: None)
        self._announce()

    def __enter__(self) -> Feeder:
        """Return the feeder."""
        return self

    def __exit__(self, *exception) -> None:
        """Leave the graph."""
        self._node.destroy_node()
        self._executor.shutdown()
        rclpy.try_shutdown(context=self._context)

    @property
    def jpeg_bytes(self) -> float:
        """Mean size of the images."""
        return float(np.mean([len(msg.data) for msg in self._jpegs]))

    def first_answer(self, process: Process) -> None:
        """Send frames at 20 Hz until the node answers, then wait until nothing more comes."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._has_answered():
            self._watch(process, deadline, 'gave no first answer')
            self._send(self._index)
            self._spin_until(self._has_answered, _RETRY_S)
        self._spin_until(lambda: False, _QUIET_S)
        self._taken()
        self._answers.clear()

    def frame(self, process: Process) -> list[Answer]:
        """
        Send a frame, wait for the answer or until the next frame is due, return the answers that came.

        :raises UserError: if the node ends or does not answer any more.
        """
        answer = self._send(self._index)
        self._watch(process, self._last_answer_s + _PATIENCE_S, 'gave no answer')
        if self._period_s:
            now = time.monotonic()
            self._due = max(self._due, now) + self._period_s
            self._spin_until(lambda: False, self._due - now)
        else:
            self._spin_until(lambda: answer.is_complete or process.status() is not None, _ANSWER_S)
        return self._taken()

    def rest(self) -> list[Answer]:
        """Return the answers that came after the last frame was sent; what a node has left out gets none."""
        self._spin_until(lambda: all(answer.is_complete for answer in self._answers.values()), _QUIET_S)
        return self._taken()

    def _taken(self) -> list[Answer]:
        complete = [stamp for stamp, answer in self._answers.items() if answer.is_complete]
        if complete:
            self._last_answer_s = time.monotonic()
        return [self._answers.pop(stamp) for stamp in complete]

    def _watch(self, process: Process, deadline: float, complaint: str) -> None:
        if process.status() is not None:
            raise process.failure(f'ended with status {process.status()}')
        if time.monotonic() > deadline:
            raise process.failure(f'{complaint} within {_PATIENCE_S:.0f} s')

    def _has_answered(self) -> bool:
        return any(answer.is_complete for answer in self._answers.values())

    def _spin_until(self, done: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not done() and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=min(0.05, max(deadline - time.monotonic(), 0.0)))

    def _send(self, index: int) -> Answer:
        """Publish the image of a frame, and all that belongs to the next one, which so is there in time."""
        self._index = index + 1
        image: CompressedImage = self._jpegs[self._scene.image_number(index)]
        set_stamp(image.header.stamp, self._stamp(index))
        answer = self._answers[self._stamp(index)] = Answer(time.monotonic())
        self._publish('input/image/compressed', image, LOCKSTEP_INPUT)
        self._send_company(index + 1)
        return answer

    def _send_company(self, index: int) -> None:
        """Publish pose, roadside message and its relation of a frame."""
        if not self._is_ego:
            return
        stamp = self._stamp(index)
        pose = Odometry(header=header_of(stamp, 'map'), child_frame_id=_EGO_BODY)
        pose.pose.pose.position.x = float(self._scene.pose(index)[0, 3])
        pose.pose.pose.orientation.w = 1.0
        self._publish('input/odometry', pose, LOCKSTEP_INPUT)
        for message in self._scene.messages(index):
            relation = PairTransform(header=header_of(stamp, _EGO_LIDAR), unit_id=UNIT,
                                     ego_from_infra=message.ego_from_infra.reshape(16))
            set_stamp(relation.infra_stamp, stamp)
            self._publish(unit_topic(UNIT, PAIR), relation, OUTPUT)
            meta = FeatureMeta(UNIT, 1, index, self._model_id, stamp, _INFRA_LIDAR, 'map')
            self._publish(features_topic(UNIT), encode_instances(message.instances, meta),
                          features_qos('reliable', 5))

    def _announce(self) -> None:
        lidar, base = (_EGO_LIDAR, _EGO_BODY) if self._scene.side is Side.COOPERATIVE else (_INFRA_LIDAR, 'map')
        rows, columns = self._scene.images[0].shape[:2]
        self._publish('input/calibration', Calibration(
            header=header_of(START_NS, _CAMERA_FRAME), lidar_frame=lidar, base_frame=base, width=columns, height=rows,
            img_from_lidar=self._scene.img_from_lidar[:3].reshape(12), base_from_lidar=np.eye(4).reshape(16),
            is_rectified=True), LATCHED)

    @staticmethod
    def _stamp(index: int) -> int:
        return START_NS + STEP_NS * index

    def _publish(self, topic: str, message: Any, qos: QoSProfile) -> None:
        if topic not in self._publishers:
            name = topic if topic.startswith('/') else f'{self._name}/{topic}'
            self._publishers[topic] = self._node.create_publisher(type(message), name, qos)
        self._publishers[topic].publish(message)

    def _listen(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self._node.create_subscription(kind, f'{self._name}/{topic}', callback, OUTPUT)

    def _on_tracks(self, msg: TrackArray) -> None:
        answer = self._answers.get(stamp_ns(msg.header.stamp))
        if answer is not None:
            answer.round_trip_s, answer.tracks = time.monotonic() - answer.sent, len(msg.tracks)

    def _on_latency(self, msg: Latency) -> None:
        answer = self._answers.get(stamp_ns(msg.header.stamp))
        if answer is not None:
            answer.total_s, answer.stages = msg.total_s, dict(zip(msg.stages, msg.stage_duration_s, strict=True))
