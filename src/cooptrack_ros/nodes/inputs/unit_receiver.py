"""What arrives from one roadside unit is checked, counted, and kept for the frames of the vehicle."""

from __future__ import annotations

import time
from math import isfinite

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
from ..health.health import Health


class UnitReceiver:
    """Takes the messages of one unit, from topics or from a bag."""

    def __init__(self, pairing: UnitPairing, sender: SenderModel | None, map_frame: str, health: Health,
                 limits: FeatureLimits | None = None):
        """
        Start without messages.

        :param pairing: where they go; :param sender: the only model whose features can be fused, None if boxes are
            all that is wanted;
        :param map_frame: that poses must refer to; :param limits: what is accepted.
        """
        self.unit_id, self._pairing, self._sender = pairing.unit_id, pairing, sender
        self._map_frame, self._health, self._poses = map_frame, health, PoseWatch()
        self.health = health.add_unit(self.unit_id, pairing.config.max_infra_age_s, pairing.config.max_clock_skew_s)
        self._rate, self._limits = RateLimit(pairing.config.max_rate_hz), limits or FeatureLimits()

    def on_features(self, data: bytes) -> None:
        """
        Store a serialized message.

        :raises WireError: if it must be dropped; for ``too_many`` without having looked at it.
        """
        now_s = time.monotonic()
        if not self._rate.allows(now_s):
            raise WireError('too_many', f"unit '{self.unit_id}' sends more than fusion.max_unit_rate allows")
        try:
            self._store(read_message(data, InstanceFeatureArray, self._limits.max_bytes), now_s)
        except WireError:
            if has_serialized_stamp(data):
                self._pairing.refuse(serialized_stamp_ns(data))
            raise

    def on_pair(self, msg: PairTransform) -> None:
        """
        Store the exact relation of an ego frame and a roadside frame.

        :raises WireError: if it must be dropped.
        """
        self._pairing.relate(*decode_pair(msg))

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
        try:
            self._poses.check(meta.session, meta.stamp_ns, meta.map_from_lidar)
            # With lockstep time is that of the recording.
            if self._pairing.add(message, now_s if isfinite(self._pairing.config.max_rate_hz) else None):
                self._health.count(f'{self.unit_id}.sessions')
                self.health.restarted(self._pairing.alternations)
        except StaleMessage as error:
            raise WireError(error.reason, str(error)) from error
        wrong = ''
        if self._sender and not is_known:
            wrong = f"'{meta.model_id}', needed is '{self._sender.model_id}'"
            self._health.drop(self.unit_id, 'unknown_model', f"features of model '{meta.model_id}' cannot be fused "
                              f"with '{self._sender.model_id}'; boxes still can")
        self.health.moved(self._poses.moved)
        self.health.received(meta.stamp_ns, now_s, len(instances), self._health.image_ns, wrong)
        self._health.count(f'{self.unit_id}.received')

    def _completed(self, instances: InstanceSet) -> InstanceSet:
        """Return instances of the known model with all features that the network needs, or with none."""
        channels = instances.semantic.shape[1]
        if channels not in (0, self._sender.feature_dim):
            raise WireError('wrong_feature_dim', f'features of {channels} channels, those of the model have '
                            f'{self._sender.feature_dim}')
        return self._sender.complete(instances)
