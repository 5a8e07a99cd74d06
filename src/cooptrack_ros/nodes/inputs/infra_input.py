"""The topics of one roadside unit, as the ego node listens to them."""

from __future__ import annotations

from rclpy.qos import QoSProfile

from cooptrack_msgs.msg import PairTransform

from ...common.errors import WireError
from ...cooperation.pairing import UnitPairing
from ...wire.topics import PAIR, unit_topic
from ..context import NodeContext
from ..health.silence_watch import WatchedInput
from ..qos import OUTPUT, features_qos
from .pausing_subscription import PausingSubscription
from .unit_receiver import MessageReceiver

_PAIR_GRACE_S = 0.3
FLOOD_PAUSE_S = 2.0
"""A unit that sends more than it may is not listened to for so long: receiving costs time even if nothing is read."""


class InfraInput:
    """Hands on what comes, and waits for what belongs to a frame in lockstep."""

    def __init__(self, context: NodeContext, receiver: MessageReceiver, pairing: UnitPairing):
        """Take where messages go, :param pairing: and where it can be seen whether they have come."""
        self.unit_id, self._context, self._receiver, self._pairing = pairing.unit_id, context, receiver, pairing
        self._topic = unit_topic(self.unit_id, receiver.topic)
        self._messages: PausingSubscription | None = None

    def subscribe(self) -> list:
        """Listen; the subscription that can pause is ended by ``close``, that of pairs is returned, if there is one."""
        self._messages = PausingSubscription(self._context, self._receiver.kind, self._topic, self._on_message,
                                             self._qos, self.unit_id)
        settings = self._context.settings
        if not self._receiver.has_pairs or (not settings.lockstep and not settings.fusion__pairs):
            return []
        return [self._context.subscribe(PairTransform, unit_topic(self.unit_id, PAIR), self._on_pair, OUTPUT,
                                        self.unit_id)]

    def close(self) -> None:
        """End the subscription of the messages."""
        if self._messages is not None:
            self._messages.close()
            self._messages = None

    def watched(self) -> WatchedInput:
        """Return the topic whose silence is to be explained."""
        return WatchedInput(self.unit_id, f"messages of unit '{self.unit_id}'", self._topic, self._receiver.kind,
                            self._qos, lambda: self._context.health.events(self.unit_id), 'features.reliability')

    def wait_for(self, stamp_ns: int) -> None:
        """Wait until the message that the pair of a frame names was taken or refused, or the time is up."""
        if not self._receiver.has_pairs:
            return
        # The player sends the pair before the image: after a short while there is none for this frame.
        if self._context.wait_for(lambda: self._pairing.has_pair(stamp_ns) or None, timeout_s=_PAIR_GRACE_S) is None:
            return
        if self._context.wait_for(lambda: self._pairing.is_settled(stamp_ns) or None) is None:
            self._context.health.drop(self.unit_id, 'late', 'no message in time for an image in lockstep')

    @property
    def _qos(self) -> QoSProfile:
        settings = self._context.settings
        return features_qos(settings.features__reliability, settings.features__depth)

    def _on_pair(self, msg: PairTransform) -> None:
        with self._context.arrived:
            self._context.arrived.notify_all()
            self._receiver.on_pair(msg)

    def _on_message(self, data: bytes) -> None:
        try:
            with self._context.arrived:
                # Also for what is refused: the worker may be waiting for just that.
                self._context.arrived.notify_all()
                self._receiver.on_message(data)
        except WireError as error:
            if error.reason == 'too_many':
                self._messages.pause(FLOOD_PAUSE_S)
            raise
