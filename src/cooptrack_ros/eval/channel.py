"""A bad link between roadside unit and vehicle: delay, loss and a wrong relative pose (paper C.4, C.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import UserError
from ..core.geometry import make_pose, rotation_z
from ..core.types import RoadsideMessage

_HALF_FRAME_NS = 50_000_000


@dataclass(frozen=True)
class Channel:
    """What happens to messages; the default delivers each one at once and unchanged."""

    latency_ms: float = 0.0
    """A frame gets the message that was current so long before; none in the first frames of a sequence."""
    rotation_noise_deg: float = 0.0
    """Standard deviation of a turn about z, drawn anew in each frame, of the relative pose."""
    yaw_error_deg: float = 0.0
    """A constant turn of the unit about its own z: its calibration is wrong."""
    drop_rate: float = 0.0
    """Share of the messages that never arrive."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.latency_ms <= 10_000:
            raise UserError(f'latency must be 0 to 10000 ms, not {self.latency_ms:g}')
        if not 0 <= self.rotation_noise_deg <= 90:
            raise UserError(f'rotation noise must be 0 to 90 degrees, not {self.rotation_noise_deg:g}')
        if abs(self.yaw_error_deg) > 90:
            raise UserError(f'the yaw error must be -90 to 90 degrees, not {self.yaw_error_deg:g}')
        if not 0 <= self.drop_rate <= 1:
            raise UserError(f'drop rate must be 0 to 1, not {self.drop_rate:g}')

    def deliver(self, name: str, sent: Iterable[tuple[str, RoadsideMessage]]) -> Iterator[list[RoadsideMessage]]:
        """
        Yield what arrives for each frame.

        A late message keeps its own stamp and gets the pose of the frame that uses it, as on a real vehicle,
        which knows where it is now.

        :param name: of the data set; noise depends on it and on the seed alone.
        :param sent: sequence and current message of each frame.
        """
        rng = np.random.default_rng([self.seed, *name.encode()])
        under_way: list[RoadsideMessage] = []
        last_sequence = None
        for sequence, message in sent:
            if sequence != last_sequence:
                under_way, last_sequence = [], sequence
            # Drawn for every frame, so that settings that differ in one number share the rest.
            turn, lost = np.deg2rad(self.rotation_noise_deg) * rng.standard_normal(), rng.random() < self.drop_rate
            if not lost:
                under_way.append(message)
            arrived = self._newest_arrived(under_way, message.stamp_ns)
            if arrived is None:
                yield []
                continue
            pose = _turned(message.ego_from_infra, turn) @ make_pose(
                rotation_z(np.deg2rad(self.yaw_error_deg)), np.zeros(3))
            yield [replace(arrived, ego_from_infra=pose)]

    def _newest_arrived(self, under_way: list[RoadsideMessage], now_ns: int) -> RoadsideMessage | None:
        wanted_ns = now_ns - round(self.latency_ms * 1e6)
        arrived = [m for m in under_way if m.stamp_ns <= wanted_ns + _HALF_FRAME_NS]
        if not arrived or wanted_ns - arrived[-1].stamp_ns > _HALF_FRAME_NS:
            # The newest one was used before already: a message is used for the frame it was sent for.
            return None
        del under_way[:len(arrived) - 1]
        return arrived[-1]


def _turned(pose: np.ndarray, angle: float) -> np.ndarray:
    """Return a pose whose rotation is turned about z of the target frame; the translation stays (section 4)."""
    if angle == 0.0:
        return pose
    c, s = np.cos(angle), np.sin(angle)
    turned = pose.copy()
    turned[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ pose[:3, :3]
    return turned
