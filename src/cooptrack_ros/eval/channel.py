"""A bad link between roadside unit and vehicle: delay, loss and a wrong relative pose (method.md 15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.declaration import parameter
from ..common.geometry import make_pose, rotation_z
from ..common.types import RoadsideMessage
from ..cooperation.channel_model import ChannelModel, LinkConfig
from ..cooperation.pairing import PairingConfig, UnitBuffer, UnitMessage
from ..cooperation.sessions import StaleMessage
from .studies import TwoPoseMessage

_FRAME_NS = 100_000_000
_HALF_FRAME_NS = _FRAME_NS // 2


@dataclass(frozen=True)
class Channel(LinkConfig):
    """
    What happens to messages and to the pose of their unit; the default delivers each one at once and unchanged.

    All fields are flags of ``cooptrack eval``: ``--max-age-ms``, ``--rotation-noise-deg`` and so on.
    """

    max_age_ms: float = parameter(
        0.0, 'a message is used again until the next one arrives, up to this age, as the ego node does it; 0: it is '
        'used in the frame it is due in and in no other', unit='ms', low=0, high=10_000)
    rotation_noise_deg: float = parameter(
        0.0, 'standard deviation of a turn of the relative pose about z, drawn anew in each frame', unit='degrees',
        low=0, high=90)
    translation_noise_m: float = parameter(
        0.0, 'standard deviation of a shift of the relative pose along x and along y of the ego frame, drawn anew in '
        'each frame', unit='m', low=0, high=100)
    constant_noise: bool = parameter(
        False, 'draw turn and shift once per sequence instead: the calibration of the unit is wrong')
    noise_scope: str = parameter(
        'everywhere', 'which uses of a relative pose get the wrong one: all, only the latent alignment, or all but '
        'that', choices=('everywhere', 'alignment', 'points'))
    yaw_error_deg: float = parameter(
        0.0, 'constant turn of the unit about its own z: its calibration is wrong by just this', unit='degrees',
        low=-90, high=90)

    def deliver(self, name: str, sent: Iterable[tuple[str, RoadsideMessage]],
                period_s: float = _FRAME_NS / 1e9,
                poses: Sequence[np.ndarray] = ()) -> Iterator[list[RoadsideMessage]]:
        """
        Yield what the vehicle uses in each frame, chosen as the ego node does it.

        A late message keeps its own stamp, tells where the unit was then, and is placed by where the vehicle is in the
        frame that uses it, as on a real vehicle, which knows where it is now.

        :param name: of the data set; link and noise depend on it and on the seed alone.
        :param sent: sequence and current message of each frame; :param period_s: usual time between frames.
        :param poses: where the unit is in the world at each message (4, 4); none: it stands still.
        """
        luck, noise = (np.random.default_rng([self.seed, purpose, *name.encode()]) for purpose in (0, 1))
        last_sequence = None
        for number, (sequence, message) in enumerate(sent):
            current = _unplaced(message, number, poses[number] if poses else np.eye(4))
            # Drawn for every frame, so that settings that differ in one number share the rest.
            drawn = noise.standard_normal(3)
            if sequence != last_sequence:
                last_sequence, error = sequence, drawn
                link, buffer = ChannelModel(self, luck), UnitBuffer(self._pairing(period_s))
                under_way: list[tuple[int, UnitMessage]] = []
            under_way += [(arrives_ns, current) for arrives_ns in link.send(message.stamp_ns)]
            under_way = _receive(buffer, under_way, message.stamp_ns + _HALF_FRAME_NS)
            used = buffer.newest_for(message.stamp_ns)
            yield [] if used is None else [self._placed(
                used, buffer.before(used), current.carried(message.ego_from_infra, used.map_from_infra),
                error if self.constant_noise else drawn)]

    def _pairing(self, period_s: float) -> PairingConfig:
        # Where frames are rarer, the one that a message is due in comes up to so much later.
        later_s = max(period_s - _FRAME_NS / 1e9, 0.0)
        due_s = (self.latency_ms + self.jitter_ms) / 1e3 + _HALF_FRAME_NS / 1e9 + later_s
        return PairingConfig(max_infra_age_s=self.max_age_ms / 1e3 or due_s)

    def _placed(self, message: UnitMessage, earlier: Sequence[UnitMessage], pose: np.ndarray,
                drawn: np.ndarray) -> RoadsideMessage:
        """Return a message with the true or the wrong pose for each use."""
        turn, shift = np.deg2rad(self.rotation_noise_deg) * drawn[0], self.translation_noise_m * drawn[1:]
        wrong = _moved(pose, turn, shift) @ make_pose(rotation_z(np.deg2rad(self.yaw_error_deg)), np.zeros(3))
        if self.noise_scope == 'everywhere':
            return message.placed(wrong, earlier)
        placed, aligned = (pose, wrong) if self.noise_scope == 'alignment' else (wrong, pose)
        return TwoPoseMessage(**vars(message.placed(placed, earlier)), alignment_pose=aligned)


def _unplaced(message: RoadsideMessage, number: int, pose: np.ndarray) -> UnitMessage:
    return UnitMessage(message.unit_id, message.stamp_ns, 0, number, '', message.instances, pose)


def _receive(buffer: UnitBuffer, under_way: list[tuple[int, UnitMessage]],
             now_ns: int) -> list[tuple[int, UnitMessage]]:
    """Put what has arrived into the buffer, in the order of arrival; return the rest."""
    arrived = sorted((m for m in under_way if m[0] <= now_ns), key=lambda m: m[0])
    for _, message in arrived:
        try:
            buffer.add(message)
        except StaleMessage:
            # A duplicate, or overtaken by a newer one.
            continue
    return [m for m in under_way if m[0] > now_ns]


def _moved(pose: np.ndarray, angle: float, shift: np.ndarray) -> np.ndarray:
    """Return a pose turned about z of the target frame, where its origin then is moved by a shift (section 4)."""
    moved = pose.copy()
    moved[:3, :3] = rotation_z(angle) @ pose[:3, :3] if angle else pose[:3, :3]
    moved[:2, 3] += shift
    return moved
