"""Voxels that arrive from one roadside unit are checked, counted, and kept for the frames of the vehicle."""

from __future__ import annotations

import time
from collections import deque
from math import isfinite

from cooptrack_msgs.msg import RoadsideOccupancy

from ...common.errors import WireError
from ...common.types import RoadsideMessage
from ...cooperation.pairing import PairingConfig, RateLimit
from ...cooperation.sessions import StaleMessage
from ...cooperation.voxels.buffer import VoxelBuffer, VoxelMessage
from ...cooperation.voxels.fill import UnitVoxels
from ...wire.arrays import has_serialized_stamp, serialized_stamp_ns
from ...wire.occupancy import MAX_ROADSIDE_BYTES, decode_roadside
from ...wire.serialized import read_message
from ..health.health import Health
from ..health.unit_health import UnitHealth
from ..health.voxel_health import VoxelHealth

_MAX_REFUSED = 200


class OccupancyReceiver:
    """Takes the voxels of one unit, from a topic or from a bag."""

    def __init__(self, unit_id: str, config: PairingConfig, grid: str, health: Health, unit_health: UnitHealth):
        """
        Start without messages.

        :param config: that of its instances; :param grid: name of the only one that can be used.
        :param unit_health: where what became of the messages is told.
        """
        self.unit_id, self._config, self._grid, self._health = unit_id, config, grid, health
        self.source = f'occupancy.{unit_id}'
        """Name under which messages are counted."""
        self.health = unit_health.voxels = VoxelHealth(config.max_infra_age_s)
        self._buffer, self._rate = VoxelBuffer(config), RateLimit(config.max_rate_hz)
        self._refused: deque[int] = deque(maxlen=_MAX_REFUSED)

    def on_occupancy(self, data: bytes) -> None:
        """
        Store a serialized message.

        :raises WireError: if it must be dropped; for ``too_many`` without having looked at it.
        """
        try:
            now_s = time.monotonic()
            if not self._rate.allows(now_s):
                raise WireError('too_many', f"unit '{self.unit_id}' sends more voxels than fusion.max_unit_rate allows")
            self._store(read_message(data, RoadsideOccupancy, MAX_ROADSIDE_BYTES), now_s)
        except WireError as error:
            self.health.refused(str(error))
            if has_serialized_stamp(data):
                self._refused.append(serialized_stamp_ns(data))
            raise

    def _store(self, msg: RoadsideOccupancy, now_s: float) -> None:
        if msg.unit_id != self.unit_id:
            raise WireError('wrong_unit', f"unit '{msg.unit_id}' on the topic of '{self.unit_id}'")
        voxels, meta = decode_roadside(msg, self._grid)
        try:
            # With lockstep time is that of the recording.
            self._buffer.add(VoxelMessage(self.unit_id, meta.stamp_ns, meta.session, meta.sequence, voxels),
                             now_s if isfinite(self._config.max_rate_hz) else None)
        except StaleMessage as error:
            raise WireError(error.reason, str(error)) from error
        self.health.received(meta.session, meta.sequence, meta.stamp_ns, self._health.image_ns)
        self._health.count(f'{self.source}.received')

    def is_settled(self, stamp_ns: int) -> bool:
        """Tell whether the message with a stamp was taken or refused."""
        return self._buffer.has(stamp_ns) or stamp_ns in self._refused

    def used_with(self, message: RoadsideMessage, ego_ns: int) -> UnitVoxels | None:
        """Return the voxels for a frame, see ``VoxelBuffer.used_with``."""
        return self._buffer.used_with(message, ego_ns)

    def restart(self, stamp_ns: int) -> None:
        """Go on after a jump of time to a stamp."""
        self._buffer.restart(stamp_ns)
        self.health.restarted()
