"""What the ego node receives of its roadside units."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform

from ..core.pairing import PairingConfig, StaleMessage, UnitBuffer
from ..core.types import RoadsideMessage
from ..wire.errors import WireError
from ..wire.features import decode_instances
from ..wire.inputs import decode_pair
from .health import Health

_MAX_PAIRS = 200


class InfraInput:
    """Checks and stores the messages and pairs of one unit, and finds what belongs to an ego frame."""

    def __init__(self, unit_id: str, model_id: str, config: PairingConfig, health: Health):
        """
        Start without messages.

        :param model_id: the only model whose features can be fused.
        """
        self.unit_id, self._model_id, self._health = unit_id, model_id, health
        self._buffer = UnitBuffer(config)
        self._map_from_lidar: dict[int, np.ndarray] = {}
        self._pairs: OrderedDict[int, tuple[int, np.ndarray]] = OrderedDict()
        self._foreign: set[int] = set()

    def on_features(self, msg: InstanceFeatureArray) -> None:
        """
        Store a message.

        :raises WireError: if it must be dropped.
        """
        if msg.unit_id != self.unit_id:
            raise WireError('wrong_unit', f"unit '{msg.unit_id}' on the topic of '{self.unit_id}'")
        instances, meta = decode_instances(msg)
        message = RoadsideMessage(self.unit_id, meta.stamp_ns, instances, np.eye(4))
        try:
            restarted = self._buffer.add(message, meta.session, meta.sequence)
        except StaleMessage as error:
            raise WireError(error.reason, str(error)) from error
        if restarted:
            self._health.count(f'{self.unit_id}.sessions')
            self._map_from_lidar.clear()
            self._foreign.clear()
        self._map_from_lidar[meta.stamp_ns] = meta.map_from_lidar
        if meta.model_id != self._model_id or instances.semantic.shape[1] == 0:
            self._foreign.add(meta.stamp_ns)
            if meta.model_id != self._model_id:
                self._health.drop(self.unit_id, 'unknown_model', f"features of model '{meta.model_id}' cannot be fused "
                                  f"with '{self._model_id}'; boxes still can")
        for stamp in sorted(self._map_from_lidar)[:-64]:
            del self._map_from_lidar[stamp]
            self._foreign.discard(stamp)
        self._health.count(f'{self.unit_id}.received')

    def on_pair(self, msg: PairTransform) -> None:
        """Store the exact relation of an ego frame and a roadside frame."""
        ego_ns, infra_ns, pose = decode_pair(msg)
        self._pairs[ego_ns] = infra_ns, pose
        while len(self._pairs) > _MAX_PAIRS:
            self._pairs.popitem(last=False)

    def has_pair(self, ego_ns: int) -> bool:
        """Tell whether an exact relation is known for an ego frame."""
        return ego_ns in self._pairs

    def paired(self, ego_ns: int) -> RoadsideMessage | None:
        """Return the message that the pair of an ego frame names, once it is there."""
        return self._buffer.at(self._pairs[ego_ns][0])

    def message_for(self, ego_ns: int, map_from_ego_lidar: np.ndarray) -> tuple[RoadsideMessage | None, bool]:
        """
        Return the message to fuse with an ego frame, in the ego frame, and whether its features can be used.

        The exact relation of the pair is used when the chosen message is its partner; otherwise the pose of the unit
        and of the vehicle in the map.
        """
        pair = self._pairs.get(ego_ns)
        message = (self._buffer.at(pair[0]) if pair else None) or self._buffer.newest_for(ego_ns)
        if message is None:
            return None, False
        if pair and pair[0] == message.stamp_ns:
            ego_from_infra = pair[1]
        else:
            ego_from_infra = np.linalg.inv(map_from_ego_lidar) @ self._map_from_lidar[message.stamp_ns]
        return replace(message, ego_from_infra=ego_from_infra), message.stamp_ns not in self._foreign

    def clear(self) -> None:
        """Forget everything, as after a jump in time."""
        self._buffer.clear()
        self._map_from_lidar.clear()
        self._foreign.clear()
