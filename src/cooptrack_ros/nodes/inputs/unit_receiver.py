"""What arrives from one roadside unit is checked, counted, and kept for the frames of the vehicle."""

from __future__ import annotations

import time
from math import isfinite
from typing import Any

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform

from ...common.errors import WireError
from ...common.types import InstanceSet
from ...cooperation.pairing import RateLimit, UnitMessage, UnitPairing
from ...cooperation.sessions import StaleMessage
from ...cooperation.unit_pose import PoseWatch
from ...weights.compact_messages import SenderModel
from ...wire.arrays import has_serialized_stamp, serialized_stamp_ns
from ...wire.features import FeatureLimits, decode_instances
from ...wire.poses import decode_pair
from ...wire.serialized import read_message
from ...wire.topics import FEATURES
from ..health.health import Health


class MessageReceiver:
    """Takes the messages of one unit, from topics or from a bag; sub-classes say of which type and what they mean."""

    kind: type
    topic: str
    """Below the namespace of the unit."""
    has_pairs = False
    """Whether a player of recorded data may say which message belongs to which frame."""

    def __init__(self, pairing: UnitPairing, health: Health, max_rate_hz: float, max_bytes: float):
        """
        Start without messages.

        :param pairing: where they go; :param max_rate_hz: at which they are looked at; :param max_bytes: of each.
        """
        self.unit_id, self._pairing, self._health, self._max_bytes = pairing.unit_id, pairing, health, max_bytes
        self.health = health.add_unit(self.unit_id, pairing.config.max_infra_age_s, pairing.config.max_clock_skew_s)
        self._rate = RateLimit(max_rate_hz)

    def on_message(self, data: bytes) -> None:
        """
        Store a serialized message.

        :raises WireError: if it must be dropped; for ``too_many`` without having looked at it.
        """
        now_s = time.monotonic()
        if not self._rate.allows(now_s):
            raise WireError('too_many', f"unit '{self.unit_id}' sends more than fusion.max_unit_rate allows")
        try:
            self._store(read_message(data, self.kind, self._max_bytes), now_s)
        except WireError:
            self._refused(data)
            raise

    def _store(self, msg: Any, now_s: float) -> None:
        """Check a message and keep it; may raise WireError."""
        raise NotImplementedError

    def _refused(self, data: bytes) -> None:
        """Take note of a message that was refused."""

    def _keep(self, message: UnitMessage, now_s: float, wrong_model: str = '') -> None:
        """Hand on a message; :param wrong_model: see ``UnitHealth.received``; may raise StaleMessage."""
        # With lockstep time is that of the recording.
        if self._pairing.add(message, now_s if isfinite(self._pairing.config.max_rate_hz) else None):
            self._health.count(f'{self.unit_id}.sessions')
            self.health.restarted(self._pairing.alternations)
        self.health.received(message.stamp_ns, now_s, len(message.instances), self._health.image_ns, wrong_model)
        self._health.count(f'{self.unit_id}.received')


class UnitReceiver(MessageReceiver):
    """Takes the features of a unit that runs our network."""

    kind, topic, has_pairs = InstanceFeatureArray, FEATURES, True

    def __init__(self, pairing: UnitPairing, sender: SenderModel | None, map_frame: str, health: Health,
                 limits: FeatureLimits | None = None):
        """
        Start without messages.

        :param pairing: where they go; :param sender: the only model whose features can be fused, None if boxes are
            all that is wanted;
        :param map_frame: that poses must refer to; :param limits: what is accepted.
        """
        self._limits = limits or FeatureLimits()
        super().__init__(pairing, health, pairing.config.max_rate_hz, self._limits.max_bytes)
        self._sender, self._map_frame, self._poses = sender, map_frame, PoseWatch()

    def on_pair(self, msg: PairTransform) -> None:
        """
        Store the exact relation of an ego frame and a roadside frame.

        :raises WireError: if it must be dropped.
        """
        self._pairing.relate(*decode_pair(msg))

    def _refused(self, data: bytes) -> None:
        if has_serialized_stamp(data):
            self._pairing.refuse(serialized_stamp_ns(data))

    def _store(self, msg: InstanceFeatureArray, now_s: float) -> None:
        if msg.unit_id != self.unit_id:
            raise WireError('wrong_unit', f"unit '{msg.unit_id}' on the topic of '{self.unit_id}'")
        instances, meta = decode_instances(msg, self._limits)
        if meta.map_frame != self._map_frame:
            raise WireError('wrong_map_frame', f"its pose refers to '{meta.map_frame}', not to '{self._map_frame}'")
        is_known = self._sender is not None and meta.model_id == self._sender.model_id
        if is_known:
            instances = self._completed(instances)
        message = UnitMessage(self.unit_id, meta.stamp_ns, meta.session, meta.sequence, meta.model_id, instances,
                              meta.map_from_lidar)
        wrong = ''
        if self._sender and not is_known:
            wrong = f"'{meta.model_id}', needed is '{self._sender.model_id}'"
        try:
            self._poses.check(meta.session, meta.stamp_ns, meta.map_from_lidar)
            self._keep(message, now_s, wrong)
        except StaleMessage as error:
            raise WireError(error.reason, str(error)) from error
        if wrong:
            self._health.drop(self.unit_id, 'unknown_model', f"features of model '{meta.model_id}' cannot be fused "
                              f"with '{self._sender.model_id}'; boxes still can")
        self.health.moved(self._poses.moved)

    def _completed(self, instances: InstanceSet) -> InstanceSet:
        """Return instances of the known model with all features that the network needs, or with none."""
        channels = instances.semantic.shape[1]
        if channels not in (0, self._sender.feature_dim):
            raise WireError('wrong_feature_dim', f'features of {channels} channels, those of the model have '
                            f'{self._sender.feature_dim}')
        return self._sender.complete(instances)
