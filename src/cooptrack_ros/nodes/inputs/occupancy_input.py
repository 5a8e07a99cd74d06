"""The voxels of one roadside unit, as the ego node listens to them."""

from __future__ import annotations

from cooptrack_msgs.msg import RoadsideOccupancy

from ...common.errors import WireError
from ...cooperation.pairing import UnitPairing
from ...wire.topics import occupancy_topic
from ..context import NodeContext
from ..qos import features_qos
from .infra_input import FLOOD_PAUSE_S
from .occupancy_receiver import OccupancyReceiver
from .pausing_subscription import PausingSubscription


class OccupancyInput:
    """Hands on what comes, and waits for what belongs to a frame in lockstep."""

    def __init__(self, context: NodeContext, receiver: OccupancyReceiver, pairing: UnitPairing):
        """Take where messages go, :param pairing: and which of them belongs to a frame."""
        self._context, self._receiver, self._pairing = context, receiver, pairing
        self._topic = occupancy_topic(receiver.unit_id)
        self._subscription: PausingSubscription | None = None

    def subscribe(self) -> None:
        """Listen until ``close``."""
        settings = self._context.settings
        self._subscription = PausingSubscription(
            self._context, RoadsideOccupancy, self._topic, self._on_occupancy,
            features_qos(settings.features__reliability, settings.features__depth), self._receiver.source)

    def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def wait_for(self, stamp_ns: int) -> None:
        """Wait until the voxels that the pair of a frame names came or were refused, if somebody sends any."""
        with self._context.arrived:
            infra_ns = self._pairing.paired_ns(stamp_ns)
        if infra_ns is None or not self._context.is_published(self._topic):
            return
        if self._context.wait_for(lambda: self._receiver.is_settled(infra_ns) or None) is None:
            self._context.health.drop(self._receiver.source, 'late', 'no voxels in time for an image in lockstep')

    def _on_occupancy(self, data: bytes) -> None:
        try:
            with self._context.arrived:
                # Also for what is refused: the worker may be waiting for just that.
                self._context.arrived.notify_all()
                self._receiver.on_occupancy(data)
        except WireError as error:
            if error.reason == 'too_many':
                self._subscription.pause(FLOOD_PAUSE_S)
            raise
