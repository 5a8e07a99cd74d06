"""Where the vehicle is: from odometry, from poses or from /tf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry

from ...common.errors import WireError
from ...common.timeline import StampOrder
from ...sensors.pose_history import PoseHistory
from ...wire.poses import check_frames, decode_odometry, decode_pose
from ..context import NodeContext
from ..health.silence_watch import WatchedInput
from ..qos import input_qos
from .tf_input import TfInput

_TOPICS = {'odometry': (Odometry, '~/input/odometry', decode_odometry),
           'pose': (PoseStamped, '~/input/pose', decode_pose)}


class PoseInput(Protocol):
    """A source of poses of the vehicle base in the map."""

    def subscribe(self) -> list:
        """Create the subscriptions and return them."""

    def wait_for(self, stamp_ns: int, lockstep_s: float | None = None) -> np.ndarray:
        """
        Return map_from_base (4, 4) at a stamp; runs in the worker thread and may wait.

        :param lockstep_s: longest wait in lockstep, None: as the parameter says.
        :raises WireError: if it does not come.
        """

    def waiting(self) -> list[str]:
        """Return what was never received, in words."""

    def watched(self) -> list[WatchedInput]:
        """Return the topics whose silence is to be explained."""


def pose_input(context: NodeContext, base_frame: Callable[[], str], tf: TfInput | None) -> PoseInput:
    """
    Return what the parameter ``pose.source`` names.

    :param base_frame: returns the vehicle's frame as far as it is known; :param tf: needed if that is the source.
    """
    source = context.settings.pose__source
    return TfPoses(context, base_frame, tf) if source == 'tf' else TopicPoses(context, base_frame, source)


def _wait_for(context: NodeContext, at: Callable[[int], np.ndarray | None], stamp_ns: int,
              missing: Callable[[int], WireError], lockstep_s: float | None) -> np.ndarray:
    # In real time the pose after an image may come shortly after it.
    pose = context.wait_for(lambda: at(stamp_ns), context.settings.odometry__tolerance_ms / 1e3, lockstep_s)
    if pose is None:
        raise missing(stamp_ns)
    return pose


class TopicPoses:
    """Poses from messages, interpolated between the two around a stamp."""

    def __init__(self, context: NodeContext, base_frame: Callable[[], str], source: str):
        """
        Start without poses.

        :param source: ``odometry`` or ``pose``, which is also the name under which messages are counted.
        """
        self._context, self._base_frame, self._source = context, base_frame, source
        self._kind, self._topic, self._decode = _TOPICS[source]
        self._history = PoseHistory()

    def subscribe(self) -> list:
        """Listen to the topic."""
        qos = input_qos(self._context.settings.image__qos)
        return [self._context.subscribe(self._kind, self._topic, self._on_message, qos, self._source)]

    def _on_message(self, msg: Odometry | PoseStamped) -> None:
        self._context.health.count(f'{self._source}.received')
        check_frames(msg, self._context.settings.map_frame, self._base_frame())
        stamp, pose = self._decode(msg)
        with self._context.arrived:
            order = self._history.add(stamp, pose)
            self._context.arrived.notify_all()
        if order in (StampOrder.LATE, StampOrder.JUMP):
            self._context.health.count(f'{self._source}.{order.value}')

    def wait_for(self, stamp_ns: int, lockstep_s: float | None = None) -> np.ndarray:
        """Return the pose at a stamp, see ``PoseInput``."""
        return _wait_for(self._context, self._at, stamp_ns, self._missing, lockstep_s)

    def _at(self, stamp_ns: int) -> np.ndarray | None:
        pose = self._history.at(stamp_ns, self._context.settings.odometry__tolerance_ms / 1e3)
        if pose is not None:
            self._context.health.gauge('pose_age_ms', (stamp_ns - self._history.newest_ns) / 1e6)
        return pose

    def _missing(self, stamp_ns: int) -> WireError:
        with self._context.arrived:
            found = self._history.describe(stamp_ns)
        return WireError('missing_pose', f'no pose on {self._context.topic(self._topic)} within '
                         f'{self._context.settings.odometry__tolerance_ms:g} ms of the image: {found}')

    def waiting(self) -> list[str]:
        """Return whether poses are missing."""
        received = self._context.health.counts[f'{self._source}.received']
        return [] if received else [f'poses on {self._context.topic(self._topic)}']

    def watched(self) -> list[WatchedInput]:
        """Return the topic."""
        return [WatchedInput(
            self._source, 'poses', self._topic, self._kind, input_qos(self._context.settings.image__qos),
            lambda: self._context.health.events(self._source), 'image.qos')]


class TfPoses:
    """Poses from the tree of frames."""

    def __init__(self, context: NodeContext, base_frame: Callable[[], str], tf: TfInput):
        """Take the tree, which somebody else fills."""
        self._context, self._base_frame, self._tf, self._found = context, base_frame, tf, False

    def subscribe(self) -> list:
        """Return nothing: the tree has its own subscriptions."""
        return []

    def wait_for(self, stamp_ns: int, lockstep_s: float | None = None) -> np.ndarray:
        """Return the pose at a stamp, see ``PoseInput``."""
        return _wait_for(self._context, self._at, stamp_ns, self._missing, lockstep_s)

    def _at(self, stamp_ns: int) -> np.ndarray | None:
        pose = self._tf.lookup(self._context.settings.map_frame, self._base_frame(), stamp_ns)
        self._found |= pose is not None
        return pose

    def _missing(self, stamp_ns: int) -> WireError:
        error = self._tf.missing(self._context.settings.map_frame, self._base_frame())
        return WireError('missing_pose', str(error))

    def waiting(self) -> list[str]:
        """Return whether no pose was found so far."""
        frames = f"'{self._context.settings.map_frame}' from '{self._base_frame()}'"
        return [] if self._found else [f'the transform {frames} on /tf']

    def watched(self) -> list[WatchedInput]:
        """Return nothing: many publish /tf, and which of them is missing the drops tell."""
        return []
