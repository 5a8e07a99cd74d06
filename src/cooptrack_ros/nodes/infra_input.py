"""What the ego node receives of its roadside units."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform

from ..core.pairing import PairingConfig, StaleMessage, UnitBuffer, UnitMessage
from ..core.rate_limit import RateLimit
from ..core.types import InstanceSet, RoadsideMessage
from ..model.sender import SenderModel
from ..wire.arrays import stamp_ns
from ..wire.errors import WireError
from ..wire.features import FeatureLimits, decode_instances
from ..wire.poses import decode_pair
from .health import Health

_MAX_PAIRS = 200
FEATURE_MODES = ('auto', 'cooperative', 'rule')
"""Values of ``fusion.mode`` with which features are fused."""


def gather(units: Iterable[InfraInput], stamp_ns: int, map_from_ego_lidar: np.ndarray,
           mode: str) -> tuple[list[RoadsideMessage], list[RoadsideMessage]]:
    """
    Return the messages for an ego frame: those whose features are fused, and those of which only boxes are.

    :param mode: as the parameter ``fusion.mode``.
    """
    fused, late = [], []
    for unit in units:
        message, is_known = unit.message_for(stamp_ns, map_from_ego_lidar)
        if message is not None and is_known and mode in FEATURE_MODES:
            fused.append(message)
        elif message is not None and mode not in ('cooperative', 'rule'):
            late.append(message)
    return fused, late


class InfraInput:
    """Checks and stores the messages and pairs of one unit, and finds what belongs to an ego frame."""

    def __init__(self, unit_id: str, sender: SenderModel | None, map_frame: str, config: PairingConfig,
                 health: Health, max_rate_hz: float = float('inf'), may_create: bool = True,
                 limits: FeatureLimits | None = None):
        """
        Start without messages.

        :param sender: the only model whose features can be fused, None if boxes are all that is wanted;
        :param map_frame: that poses must refer to; :param max_rate_hz: of messages that are looked at.
        :param may_create: whether the unit may add objects, see ``RoadsideMessage``;
        :param limits: what is accepted.
        """
        self.unit_id, self._sender, self._map_frame, self._health = unit_id, sender, map_frame, health
        self.health = health.add_unit(unit_id, config.max_infra_age_s, config.max_clock_skew_s)
        self._buffer = UnitBuffer(config)
        self._rate, self._may_create, self._limits = RateLimit(max_rate_hz), may_create, limits
        self._pairs: OrderedDict[int, tuple[int, np.ndarray]] = OrderedDict()
        self._refused: deque[int] = deque(maxlen=_MAX_PAIRS)

    def on_features(self, msg: InstanceFeatureArray) -> None:
        """
        Store a message.

        :raises WireError: if it must be dropped.
        """
        if not self._rate.allows(time.monotonic()):
            raise WireError('too_many', f"unit '{self.unit_id}' sends more than fusion.max_unit_rate allows")
        try:
            self._store(msg)
        except WireError:
            self._refused.append(stamp_ns(msg.header.stamp))
            raise

    def _store(self, msg: InstanceFeatureArray) -> None:
        if msg.unit_id != self.unit_id:
            raise WireError('wrong_unit', f"unit '{msg.unit_id}' on the topic of '{self.unit_id}'")
        instances, meta = decode_instances(msg, self._limits)
        if meta.map_frame != self._map_frame:
            raise WireError('wrong_map_frame', f"its pose refers to '{meta.map_frame}', not to '{self._map_frame}'")
        if self._knows(meta.model_id):
            instances = self._completed(instances)
        message = UnitMessage(self.unit_id, meta.stamp_ns, meta.session, meta.sequence, meta.model_id, instances,
                              meta.map_from_lidar)
        try:
            if self._buffer.add(message):
                self._health.count(f'{self.unit_id}.sessions')
                self.health.restarted()
        except StaleMessage as error:
            raise WireError(error.reason, str(error)) from error
        wrong = ''
        if self._sender and not self._knows(meta.model_id):
            wrong = f"'{meta.model_id}', needed is '{self._sender.model_id}'"
            self._health.drop(self.unit_id, 'unknown_model', f"features of model '{meta.model_id}' cannot be fused "
                              f"with '{self._sender.model_id}'; boxes still can")
        self.health.received(meta.stamp_ns, time.monotonic(), len(instances), self._health.picture_ns, wrong)
        self._health.count(f'{self.unit_id}.received')

    def _knows(self, model_id: str) -> bool:
        return self._sender is not None and model_id == self._sender.model_id

    def _completed(self, instances: InstanceSet) -> InstanceSet:
        """Return instances of the known model with all features that the network needs, or with none."""
        channels = instances.semantic.shape[1]
        if channels not in (0, self._sender.feature_dim):
            raise WireError('wrong_feature_dim', f'features of {channels} channels, those of the model have '
                            f'{self._sender.feature_dim}')
        return self._sender.complete(instances)

    def on_pair(self, msg: PairTransform) -> None:
        """Store the exact relation of an ego frame and a roadside frame."""
        ego_ns, infra_ns, pose = decode_pair(msg)
        self._pairs[ego_ns] = infra_ns, pose
        while len(self._pairs) > _MAX_PAIRS:
            self._pairs.popitem(last=False)

    def has_pair(self, ego_ns: int) -> bool:
        """Tell whether an exact relation is known for an ego frame."""
        return ego_ns in self._pairs

    def is_settled(self, ego_ns: int) -> bool:
        """Tell whether the message that the pair of an ego frame names was taken or refused."""
        infra_ns = self._pairs[ego_ns][0]
        return self._buffer.at(infra_ns) is not None or infra_ns in self._refused

    def message_for(self, ego_ns: int, map_from_ego_lidar: np.ndarray) -> tuple[RoadsideMessage | None, bool]:
        """
        Return the message to fuse with an ego frame, in the ego frame, and whether its features can be used.

        The exact relation is used when there is one: it holds for every message of a unit that does not move.
        Otherwise the pose of the unit and of the vehicle in the map.
        """
        infra_ns, ego_from_infra = self._pairs.get(ego_ns, (None, None))
        message = (self._buffer.at(infra_ns) if infra_ns else None) or self._buffer.newest_for(ego_ns)
        if message is None:
            return None, False
        if ego_from_infra is None:
            ego_from_infra = np.linalg.inv(map_from_ego_lidar) @ message.map_from_infra
        has_features = message.instances.semantic.shape[1] > 0 or not len(message.instances)
        placed = message.placed(ego_from_infra, self._buffer.before(message))
        return replace(placed, may_create=self._may_create), self._knows(message.model_id) and has_features

    def restart(self, stamp_ns: int) -> None:
        """Go on after a jump of time to a stamp."""
        self._buffer.restart(stamp_ns)
