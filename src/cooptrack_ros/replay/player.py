"""Plays a bag to running nodes: frame by frame with answers awaited, or in real time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rclpy.duration import Duration
from rclpy.node import Node

from ..common.errors import UserError, WireError
from ..common.types import Sensors
from ..data.bags.info import describe_bag
from ..data.bags.reader import BagReader
from ..nodes.health.graph import publishers_of, subscriptions_of
from ..sensors.video_decoding import check_video_decoder
from ..wire.arrays import serialized_stamp_ns, stamp_ns
from ..wire.serialized import read_message
from ..wire.topics import (
    IMAGE_TRANSPORTS,
    PAIR,
    VIDEO_TRANSPORTS,
    calibration_topic,
    features_topic,
    is_sent_topic,
    is_unit_topic,
    kind_of,
    tracks_topic,
    unit_namespace,
)
from ..wire.video import VideoStream, seen_in
from .camera_frames import EGO, CameraFrames, ImageTopic
from .collector import Collector
from .publishing import CLOCK, ClockPublisher, publisher_for

_SETTLE_S = 0.5
"""The other side of a match may learn of it a little later; nothing announces that."""
_CALIBRATION = calibration_topic('')
_DELIVERY_S = 5.0
"""A listener that does not acknowledge in this time must not stop the replay."""


@dataclass(frozen=True)
class Entry:
    """One serialized message of the bag."""

    topic: str
    log_ns: int
    data: bytes

    @property
    def stamp_ns(self) -> int:
        """Stamp of a message that starts with a header."""
        return serialized_stamp_ns(self.data)


@dataclass(frozen=True)
class PlayOptions:
    """How to play."""

    timeout_s: float = 60.0
    limit: int | None = None
    """Images of the ego vehicle to play at most."""
    ego_only: bool = False
    """No roadside node runs: play nothing of the units but recorded features."""
    rate: float = 1.0
    sensors: Sensors = Sensors.CAMERA
    """Of the nodes: point clouds make frames where there is no camera."""


@dataclass
class PlayReport:
    """What was played."""

    ego_images: int = 0
    """Frames; of several cameras, images of one."""
    unit_images: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    wall_s: float = 0.0


class _Stream:
    """Tells which images a node sees of a video, for it does not answer those that it cannot see."""

    def __init__(self, path: Path, image: ImageTopic) -> None:
        self._what = f'{path}: video on {image.topic}'
        self._kind = IMAGE_TRANSPORTS[image.transport].kind
        self._stream = VideoStream()

    def check(self) -> None:
        """Raise a UserError if video cannot be decoded here."""
        check_video_decoder(self._what)
        kind_of(self._kind)

    def stamps_after(self, data: bytes) -> list[int]:
        """Return the stamps of the images that can be seen after a serialized message."""
        try:
            message = read_message(data, kind_of(self._kind))
        except WireError:
            return []
        return [stamp_ns(image.header.stamp) for image in seen_in(message, self._stream)]


class BagPlayer:
    """Publishes the messages of a bag through a node, as serialized bytes."""

    def __init__(self, node: Node, path: Path, collector: Collector, spin: Callable[[float], None],
                 options: PlayOptions) -> None:
        """
        Create the publishers.

        :param spin: lets callbacks run for at most so many seconds.
        :raises UserError: if there is no readable bag, or nothing in it that makes frames of the ego vehicle.
        """
        self._node, self._path, self._collector = node, path, collector
        self._spin, self._options = spin, options
        summary = describe_bag(path)
        names = {t.name for t in summary.topics if t.count}
        self._frames = CameraFrames(names, options.sensors)
        self._frames.check(path)
        self._streams = {image.topic: _Stream(path, image) for images in self._frames.images.values()
                         for image in images if image.transport in VIDEO_TRANSPORTS}
        sent = set(filter(is_sent_topic, names))
        self.units = self._frames.units
        self._live_units = [u for u in self.units
                            if not options.ego_only and features_topic(u) not in sent]
        # What units sent is kept for a late subscriber: there is no second chance to send them.
        self._publishers = {t.name: publisher_for(node, t.name, t.kind, t.latched, t.name in sent)
                            for t in summary.topics if t.count and self._is_played(t.name)}
        self._clock = ClockPublisher(node)
        self._delivered: set[str] = set()
        self.report = PlayReport()

    def _is_played(self, topic: str) -> bool:
        if topic == CLOCK:
            return False
        return self._frames.agent_of(topic) in (None, EGO, *self._live_units)

    def wait_for_nodes(self) -> None:
        """
        Wait until every node that is meant to answer listens to its images.

        :raises UserError: naming the topic that nobody listens to.
        """
        wanted = [('the ego node', image.topic, [tracks_topic()]) for image in self._frames.images[EGO]]
        wanted += [(f"the roadside node of unit '{u}'", image.topic,
                    [features_topic(u), tracks_topic(f'{unit_namespace(u)}/roadside_node')])
                   for u in self._live_units for image in self._frames.images[u]]
        for who, images, answers in wanted:
            self._await(lambda t=images: self._publishers[t].get_subscription_count() > 0,
                        f'nobody listens to {images}: is {who} running and active, with the same ROS_DOMAIN_ID? '
                        'Without multicast, ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST is needed on both sides')
            self._await(lambda a=answers: any(map(self._node.count_publishers, a)),
                        f'nobody publishes {answers[0]}: is {who} running under its usual name?')
            self._await(lambda t=images, a=answers: self._is_answered(t, a),
                        f'{who} does not listen to {images}, though others do: is it active?')
        self._let_pass(_SETTLE_S)

    def _is_answered(self, images: str, answers: Sequence[str]) -> bool:
        """Tell whether a node listens to images that publishes answers: RViz and recorders listen, too."""
        listening = {e.node for e in subscriptions_of(self._node, images)}
        return any(e.node in listening for topic in answers for e in publishers_of(self._node, topic))

    def _await(self, done: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + self._options.timeout_s
        while not done():
            if time.monotonic() > deadline:
                raise UserError(f'after {self._options.timeout_s:g} s: {problem}{self._collector.last_words()}')
            self._spin(0.05)

    def _let_pass(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._spin(left)

    def entries(self) -> Iterator[Entry]:
        """Yield every message of the topics that are played, in order of log time."""
        with BagReader(self._path) as reader:
            for connection, log_ns, data in reader.messages(
                    [c for c in reader.connections if c.topic in self._publishers]):
                yield Entry(connection.topic, log_ns, data)

    def _is_beyond_limit(self, images: int) -> bool:
        return self._options.limit is not None and images > self._options.limit

    def play_lockstep(self, advance: Callable[[int], None] = lambda n: None) -> PlayReport:
        """
        Publish image by image; the next one goes out only when the last one was answered.

        An ego image is held back until the roadside image that belongs to it was answered, which may be the
        later one of the two in time.

        :param advance: called with the number of ego images done.
        :raises UserError: if an answer does not come, naming who owes it.
        """
        started = time.monotonic()
        for stream in self._streams.values():
            stream.check()
        held: deque[tuple[Entry, list[int]]] = deque()
        partners: dict[int, dict[str, int]] = {}
        done: dict[str, int] = {}

        def ready(stamps: list[int]) -> bool:
            return all(unit not in self._live_units or done.get(unit, -1) >= infra_ns
                       for stamp in stamps for unit, infra_ns in partners.get(stamp, {}).items())

        def release(everything: bool = False) -> None:
            while held and (everything or ready(held[0][1])):
                entry, stamps = held.popleft()
                self._answered(entry, stamps, EGO)
                if self._frames.counted_for(entry.topic) == EGO:
                    advance(1)

        images = 0
        for entry in self.entries():
            agent = self._frames.agent_of(entry.topic)
            images += self._frames.counted_for(entry.topic) == EGO
            if self._is_beyond_limit(images):
                if not held:
                    break
                if agent == EGO:
                    # Only what the last images still wait for is played on.
                    continue
            self._tick(entry.log_ns)
            if agent == EGO:
                held.append((entry, self._stamps_to_answer(entry)))
            elif agent is not None:
                stamps = self._stamps_to_answer(entry)
                self._answered(entry, stamps, agent)
                done[agent] = max([done.get(agent, -1), *stamps])
            else:
                self._publish(entry)
                self._await_delivery(entry.topic)
                if is_unit_topic(entry.topic, PAIR):
                    ego_ns, unit, infra_ns = self._pair(entry)
                    partners.setdefault(ego_ns, {})[unit] = infra_ns
            release()
        release(everything=True)
        self.report.wall_s = time.monotonic() - started
        return self.report

    def _pair(self, entry: Entry) -> tuple[int, str, int]:
        from cooptrack_msgs.msg import PairTransform

        message = read_message(entry.data, PairTransform)
        return entry.stamp_ns, message.unit_id, stamp_ns(message.infra_stamp)

    def _stamps_to_answer(self, entry: Entry) -> list[int]:
        """Return the stamps of the frames that are complete after a message: of a video, not always its own."""
        stream = self._streams.get(entry.topic)
        seen = [entry.stamp_ns] if stream is None else stream.stamps_after(entry.data)
        return [stamp for stamp in seen if self._frames.completes(entry.topic, stamp)]

    def _answered(self, entry: Entry, stamps: Sequence[int], unit: str) -> None:
        who = f"the roadside node of unit '{unit}'" if unit else 'the ego node'
        topic = features_topic(unit) if unit else tracks_topic()
        self._publish(entry)
        for stamp in stamps:
            self._await(lambda s=stamp: self._collector.has(topic, s),
                        f'{who} did not answer the frame with stamp {stamp / 1e9:.6f} on {topic}')

    def play_rate(self, advance: Callable[[int], None] = lambda n: None) -> PlayReport:
        """Publish at the pace of the recording times the rate, whether or not anybody keeps up."""
        started, first = time.monotonic(), None
        images = 0
        for entry in self.entries():
            is_frame = self._frames.counted_for(entry.topic) == EGO
            images += is_frame
            if self._is_beyond_limit(images):
                break
            first = entry.log_ns if first is None else first
            due = started + (entry.log_ns - first) / 1e9 / self._options.rate
            while (left := due - time.monotonic()) > 0:
                self._spin(left)
            self._tick(entry.log_ns)
            self._publish(entry)
            started += self._await_delivery(entry.topic)
            if is_frame:
                advance(1)
        self._collector.settle(self._spin)
        self.report.wall_s = time.monotonic() - started
        return self.report

    def _publish(self, entry: Entry) -> None:
        self._publishers[entry.topic].publish(entry.data)
        self.report.messages += 1
        agent = self._frames.counted_for(entry.topic)
        if agent == EGO:
            self.report.ego_images += 1
        elif agent is not None:
            self.report.unit_images[agent] = self.report.unit_images.get(agent, 0) + 1

    def _await_delivery(self, topic: str) -> float:
        """
        Wait until the first message of a topic, or a calibration, is with all its listeners; return the seconds.

        A listener may learn of the publisher long after the publisher learned of it; until then nothing reaches it,
        and an image that overtakes its calibration is lost.
        """
        if topic in self._delivered and not topic.endswith(_CALIBRATION):
            return 0.0
        self._delivered.add(topic)
        started, publisher = time.monotonic(), self._publishers[topic]
        deadline = started + _DELIVERY_S
        while publisher.get_subscription_count() < self._node.count_subscribers(topic) \
                and time.monotonic() < deadline:
            self._spin(0.05)
        publisher.wait_for_all_acked(Duration(seconds=max(0.0, deadline - time.monotonic())))
        return time.monotonic() - started

    def _tick(self, log_ns: int) -> None:
        if self._clock.tick(log_ns):
            self._collector.now_ns = log_ns
