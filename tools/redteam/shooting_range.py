"""One ego node in a process of its own, and everybody around it."""

from __future__ import annotations

import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from live.process import NodeProcess
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from scipy.spatial.distance import cdist
from sensor_msgs.msg import CompressedImage

from cooptrack_msgs.msg import Calibration, TrackArray
from cooptrack_ros.bench.machine import cpu_seconds
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.nodes.qos import LATCHED, LOCKSTEP_INPUT, OUTPUT, features_qos
from cooptrack_ros.wire.arrays import set_stamp, stamp_ns
from cooptrack_ros.wire.topics import CALIBRATION, EGO_NAMESPACE, EGO_NODE, IMAGE, tracks_topic
from cooptrack_ros.wire.tracks import decode_tracks

from .attack import Attack, Moment, Shot
from .drive import Drive

BUDGET_S = 0.4
"""An image comes when the one before is answered, or the node has used so much processor time without an answer."""
_LEAST_S, _MOST_S = 0.1, 10.0
"""Time between two images at least, that of the recording, and at most, when the machine is busy with other things."""
_FIRST_S, _LAST_S = 120.0, 10.0
_NEAR_M = 2.0
_NUMBER = re.compile(r'[\d.]+')


@dataclass(frozen=True)
class Figures:
    """
    What came of an attack; means are over the images that count and were answered.

    ``found`` are true objects with a track within 2 m; ``own`` tracks that the vehicle has seen itself (provenance ego
    or fused); ``false`` tracks without an object within 2 m, ``false_own`` those among them that count as the
    vehicle's own. ``said`` are the messages in /diagnostics that differ from "running" and "messages come", the
    most frequent first. Bytes are those of the largest message on /diagnostics and of the log.
    """

    images: int
    answered: int
    found: float
    own: float
    tracks: float
    false: float
    false_own: float
    resets: int
    cpu_ms: float
    peak_mib: float
    diagnostics_bytes: int
    log_bytes: int
    alive: bool
    said: dict[str, list[str]]
    dropped: dict[str, int]


class ShootingRange:
    """Starts the node, and attacks it; use as a context manager."""

    def __init__(self, attack: Attack, drive: Drive, folder: Path, weights: str, source: Path | None = None):
        """
        Join a ROS domain of its own.

        :param source: sources of another version of the package that the node is to run, None for these.
        """
        self._attack, self._drive = attack, drive
        self._reserved = reserve_domains()
        variables = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', 'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}
        os.environ.update(variables)
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, domain_id=self._reserved.first)
        self._node = rclpy.create_node('redteam', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._publishers: dict[str, Any] = {}
        self._answers: dict[int, TrackArray] = {}
        self._said: Counter[tuple[str, str]] = Counter()
        self._counts: dict[str, str] = {}
        self._largest = 0
        self._node.create_subscription(TrackArray, tracks_topic(), self._on_tracks, OUTPUT)
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 100, raw=True)
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(self._reserved.first), 'OMP_NUM_THREADS': '1',
                       'ROS_LOG_DIR': str(folder.resolve() / 'ros')}
        if source is not None:
            environment['PYTHONPATH'] = f'{source}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'
        log = folder / 'ego.log'
        log.unlink(missing_ok=True)
        self._process = NodeProcess('ego_node', EGO_NAMESPACE, log, environment, {
            'weights': weights, 'diagnostics.period': 0.5,
            **({'infra_units': ','.join(attack.units)} if attack.units else {'fusion.mode': 'none'}),
            **attack.parameters})

    def __enter__(self) -> ShootingRange:
        """Start the node."""
        self._process.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """End the node and leave the domain."""
        self._process.end()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)
        self._reserved.close()

    def attack(self, frames: int | None = None) -> Figures:
        """
        Attack; :param frames: the number of images, None for all of the drive.

        :raises TimeoutError: if the node does not answer before the attack.
        """
        count = min(frames or len(self._drive.frames), len(self._drive.frames))
        self._warm_up()
        self._said.clear()
        started = self._cpu_s()
        for index in range(count):
            moment = Moment(index, count, self._drive.frames[index], tuple(self._drive.due(index)), self._drive)
            self._image(moment)
        cpu_s = self._cpu_s() - started if self._process.status is None else 0.0
        last = self._drive.frames[count - 1].stamp_ns
        self._spin_until(lambda: last in self._answers, _LAST_S)
        # The diagnostics of the last images.
        self._spin_until(lambda: False, 1.1)
        return self._figures(count, cpu_s)

    def _cpu_s(self) -> float:
        """Return the processor time of the node; infinite if there is none any more, which ends all waiting."""
        return cpu_seconds(self._process.pid) if self._process.status is None else math.inf

    def _warm_up(self) -> None:
        """Show the first image under earlier stamps until the node answers; nobody attacks yet."""
        first = self._drive.frames[0]
        self._publish(Shot(f'{EGO_NAMESPACE}/{CALIBRATION}', self._drive.calibration, Calibration), LATCHED)
        for topic in {s.topic: s for s in self._everything(0)}.values():
            self._publisher(topic, features_qos('reliable', 5))
        deadline, number = time.monotonic() + _FIRST_S, 0
        while not self._answers:
            if time.monotonic() > deadline or self._process.status is not None:
                raise TimeoutError(f'the node did not answer within {_FIRST_S:g} s: {self._process.last_words()}')
            stamp = first.stamp_ns - 60 * 10**9 + number * 100_000_000
            image, odometry = _copy(first.image), _copy(first.odometry)
            set_stamp(image.header.stamp, stamp)
            set_stamp(odometry.header.stamp, stamp)
            self._show(image, odometry)
            self._spin_until(lambda: bool(self._answers), 0.3)
            number += 1
        self._spin_until(lambda: False, 1.0)
        self._answers.clear()

    def _everything(self, index: int) -> Iterable[Shot]:
        moment = Moment(index, 1, self._drive.frames[index], tuple(self._drive.due(index)), self._drive)
        attack = self._attack
        return [*attack.company(moment), *attack.before(moment), *attack.between(moment)]

    def _image(self, moment: Moment) -> None:
        """Publish what comes before an image and the image, and go on shooting until it is answered."""
        attack, started = self._attack, time.monotonic()
        for shot in (*attack.company(moment), *attack.before(moment)):
            self._publish(shot, features_qos('reliable', 5))
        self._show(moment.frame.image, moment.frame.odometry)
        due, used = started, self._cpu_s()

        def is_over() -> bool:
            now = time.monotonic() - started
            return now >= _LEAST_S and (moment.frame.stamp_ns in self._answers or now >= _MOST_S
                                        or self._cpu_s() - used >= BUDGET_S)
        while not is_over():
            if attack.between_hz and time.monotonic() >= due:
                for shot in attack.between(moment):
                    self._publish(shot, features_qos('reliable', 5))
                due += 1 / attack.between_hz
            self._executor.spin_once(timeout_sec=0.002 if attack.between_hz else 0.02)

    def _show(self, image: CompressedImage, odometry: Odometry) -> None:
        self._publish(Shot(f'{EGO_NAMESPACE}/odometry', odometry, Odometry), LOCKSTEP_INPUT)
        self._publish(Shot(f'{EGO_NAMESPACE}/{IMAGE}', image, CompressedImage), LOCKSTEP_INPUT)

    def _publish(self, shot: Shot, qos: QoSProfile) -> None:
        self._publisher(shot, qos).publish(shot.message)

    def _publisher(self, shot: Shot, qos: QoSProfile) -> Any:
        if shot.topic not in self._publishers:
            self._publishers[shot.topic] = self._node.create_publisher(shot.kind, shot.topic, qos)
        return self._publishers[shot.topic]

    def _spin_until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def _on_tracks(self, msg: TrackArray) -> None:
        self._answers[stamp_ns(msg.header.stamp)] = msg

    def _on_diagnostics(self, data: bytes) -> None:
        self._largest = max(self._largest, len(data))
        for status in deserialize_message(data, DiagnosticArray).status:
            if status.name.startswith(EGO_NODE):
                self._said[status.name.removeprefix(EGO_NODE).removeprefix(': '), status.message] += 1
            if status.name == EGO_NODE:
                self._counts = {v.key: v.value for v in status.values}

    def _figures(self, count: int, cpu_s: float) -> Figures:
        first = round(count * self._attack.counted_from)
        shown = self._drive.frames[:count]
        answered = [self._answers[f.stamp_ns] for f in shown if f.stamp_ns in self._answers]
        rows = [_compare(self._answers[f.stamp_ns], f.truth) for f in shown[first:] if f.stamp_ns in self._answers]
        means = np.mean(rows, axis=0) if rows else np.zeros(5)
        # The first answer after the warm-up is a reset, for its stamp is a minute later.
        resets = max(sum(msg.reset for msg in answered) - 1, 0)
        return Figures(count, len(answered), *(round(float(v), 2) for v in means), resets,
                       round(1e3 * cpu_s / count, 1), self._peak_mib(), self._largest,
                       self._process.log.stat().st_size, self._process.status is None, self._words(), self._dropped())

    def _peak_mib(self) -> float:
        try:
            text = Path(f'/proc/{self._process.pid}/status').read_text(encoding='utf-8')
        except OSError:
            return 0.0
        return round(int(text.split('VmHWM:')[1].split()[0]) / 1024, 1)

    def _words(self) -> dict[str, list[str]]:
        """Return what the node said of itself and of each unit, the most frequent first; numbers make no difference."""
        words: dict[str, dict[str, str]] = {}
        for (name, message), _ in self._said.most_common():
            if message not in ('running', 'messages come'):
                words.setdefault(name or 'node', {}).setdefault(_NUMBER.sub('', message), message[:300])
        return {name: list(texts.values())[:5] for name, texts in sorted(words.items())}

    def _dropped(self) -> dict[str, int]:
        return {key.removeprefix('dropped.')[:120]: int(value) for key, value in sorted(self._counts.items())
                if key.startswith('dropped.') and value.isdigit()}


def _compare(msg: TrackArray, truth: np.ndarray) -> tuple[float, ...]:
    """Return found objects, own tracks, tracks, false tracks and false own ones of a frame."""
    centres = decode_tracks(msg).centre[:, :2]
    own = np.array([bool(t.provenance != t.ROADSIDE) for t in msg.tracks], bool)
    if not len(centres) or not len(truth):
        return 0, own.sum(), len(centres), len(centres), own.sum()
    near = cdist(truth[:, :2], centres) <= _NEAR_M
    false = ~near.any(axis=0)
    return near.any(axis=1).sum(), own.sum(), len(centres), false.sum(), (false & own).sum()


def _copy(message: Any) -> Any:
    from rclpy.serialization import serialize_message
    return deserialize_message(serialize_message(message), type(message))
