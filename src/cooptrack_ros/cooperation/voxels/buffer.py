"""Received voxels of one unit: admitted like its instances, and which of them belong to a frame of the vehicle."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...common.types import RoadsideMessage
from ...occupancy.sparse import Occupied
from ..pairing import PairingConfig, UnitBuffer
from .fill import UnitVoxels

_CAPACITY = 8
"""Volumes are large; a link that delays them by a second still delivers the newest one."""


@dataclass(frozen=True)
class VoxelMessage:
    """A received, checked message of a unit with voxels in its grid."""

    unit_id: str
    stamp_ns: int
    session: int
    sequence: int
    voxels: Occupied


class VoxelBuffer:
    """Keeps the last voxels of a unit by the rules that hold for its instances: ages, numbers, sessions."""

    def __init__(self, config: PairingConfig):
        """Start empty."""
        self._buffer: UnitBuffer[VoxelMessage] = UnitBuffer(replace(config, capacity=_CAPACITY))

    def add(self, message: VoxelMessage, now_s: float | None = None) -> None:
        """
        Keep a message.

        :param now_s: when it arrived, steady clock; None for recorded data.
        :raises StaleMessage: for a number that is a replay or cannot be, or a session that does not count.
        """
        self._buffer.add(message, now_s)

    def has(self, stamp_ns: int) -> bool:
        """Tell whether there is a message with exactly this stamp."""
        return self._buffer.at(stamp_ns) is not None

    def used_with(self, message: RoadsideMessage, ego_ns: int) -> UnitVoxels | None:
        """
        Return the voxels for a frame of the vehicle, None if there are none that can be used.

        Those of the frame that the instances are of, else the newest ones that are not too old; of their session only.

        :param message: instances of the unit that the frame uses, placed.
        """
        newest = self._buffer.newest_for(ego_ns)
        kept = self._buffer.at(message.stamp_ns) or newest
        if kept is None or kept.session != message.session:
            return None
        return UnitVoxels(message, kept.stamp_ns, kept.voxels)

    def restart(self, stamp_ns: int) -> None:
        """Go on after a jump of time to a stamp, see ``UnitBuffer.restart``."""
        self._buffer.restart(stamp_ns)
