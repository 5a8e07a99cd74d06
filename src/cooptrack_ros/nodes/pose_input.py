"""Where the vehicle is: from odometry, from poses or from /tf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry

from ..core.pose_history import PoseHistory
from ..wire.errors import WireError
from ..wire.poses import check_frames, decode_odometry, decode_pose
from .qos import input_qos
from .silence_watch import WatchedInput
from .tf_input import TfInput

if TYPE_CHECKING:
    from .ego_node import EgoNode

_TOPICS = {'odometry': (Odometry, '~/input/odometry', decode_odometry),
           'pose': (PoseStamped, '~/input/pose', decode_pose)}


class PoseInput(Protocol):
    """A source of poses of the vehicle base in the map."""

    def subscribe(self) -> list:
        """Create the subscriptions and return them."""

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """Return map_from_base (4, 4) at a stamp, None if it is not known (yet); call it under ``node.arrived``."""

    def missing(self) -> WireError:
        """Return the error for a picture without a pose."""

    def waiting(self) -> list[str]:
        """Return what was never received, in words."""

    def watched(self) -> list[WatchedInput]:
        """Return the topics whose silence is to be explained."""


class TopicPoses:
    """Poses from messages, interpolated between the two around a stamp."""

    def __init__(self, node: EgoNode, source: str):
        """
        Start without poses.

        :param source: ``odometry`` or ``pose``, which is also the name under which messages are counted.
        """
        self._node, self._source = node, source
        self._kind, self._topic, self._decode = _TOPICS[source]
        self._history = PoseHistory()

    def subscribe(self) -> list:
        """Listen to the topic."""
        return [self._node.create_subscription(
            self._kind, self._topic, self._on_message, input_qos(self._node.settings.image__qos))]

    def _on_message(self, msg: Odometry | PoseStamped) -> None:
        self._node.health.count(f'{self._source}.received')
        try:
            check_frames(msg, self._node.settings.map_frame, self._node.base_frame)
            stamp, pose = self._decode(msg)
        except WireError as error:
            self._node.refuse(self._source, error)
            return
        with self._node.arrived:
            self._history.add(stamp, pose)
            self._node.arrived.notify_all()

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """Return the pose at a stamp."""
        pose = self._history.at(stamp_ns, self._node.settings.odometry__tolerance_ms / 1e3)
        if pose is not None:
            self._node.health.gauge('pose_age_ms', (stamp_ns - self._history.newest_ns) / 1e6)
        return pose

    def missing(self) -> WireError:
        """Return the error for a picture without a pose."""
        return WireError('missing_pose', f'no pose on {self._node.resolve_topic_name(self._topic)} within '
                         f'{self._node.settings.odometry__tolerance_ms:g} ms of the picture')

    def waiting(self) -> list[str]:
        """Return whether poses are missing."""
        received = self._node.health.counts[f'{self._source}.received']
        return [] if received else [f'poses on {self._node.resolve_topic_name(self._topic)}']

    def watched(self) -> list[WatchedInput]:
        """Return the topic."""
        return [WatchedInput(self._source, 'poses', self._topic, self._kind, input_qos(self._node.settings.image__qos),
                             lambda: self._node.health.events(self._source), 'image.qos')]


class TfPoses:
    """Poses from the tree of frames."""

    def __init__(self, node: EgoNode, tf: TfInput):
        """Take the tree, which somebody else fills."""
        self._node, self._tf, self._found = node, tf, False

    def subscribe(self) -> list:
        """Return nothing: the tree has its own subscriptions."""
        return []

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """Return the pose at a stamp."""
        pose = self._tf.lookup(self._node.settings.map_frame, self._node.base_frame, stamp_ns)
        self._found |= pose is not None
        return pose

    def missing(self) -> WireError:
        """Return the error for a picture without a pose."""
        error = self._tf.missing(self._node.settings.map_frame, self._node.base_frame)
        return WireError('missing_pose', str(error))

    def waiting(self) -> list[str]:
        """Return whether no pose was found so far."""
        frames = f"'{self._node.settings.map_frame}' from '{self._node.base_frame}'"
        return [] if self._found else [f'the transform {frames} on /tf']

    def watched(self) -> list[WatchedInput]:
        """Return nothing: many publish /tf, and which of them is missing the drops tell."""
        return []
