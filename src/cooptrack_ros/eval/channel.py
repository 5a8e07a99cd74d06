"""A bad link between roadside unit and vehicle: delay, loss and a wrong relative pose (paper C.4, C.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import UserError
from ..core.geometry import make_pose, rotation_z
from ..core.link import Link, LinkConfig
from ..core.pairing import PairingConfig, StaleMessage, UnitBuffer, UnitMessage
from ..core.types import RoadsideMessage
from .studies import TwoPoseMessage

SCOPES = ('everywhere', 'alignment', 'points')
"""Which uses of a relative pose get the wrong one: all, only the latent alignment (model.md 8), or all but that."""
_HALF_FRAME_NS = 50_000_000


@dataclass(frozen=True)
class Channel(LinkConfig):
    """What happens to messages and to the pose of their unit; the default delivers each one at once and unchanged."""

    max_age_ms: float = 0.0
    """
    A message is used again until the next one arrives, up to this age, as the ego node does it; 0: a message is used
    in the frame it is due in and in no other (the paper's loss study).
    """
    rotation_noise_deg: float = 0.0
    """Standard deviation of a turn about z, drawn anew in each frame, of the relative pose."""
    translation_noise_m: float = 0.0
    """The same of a shift along x and along y of the ego frame."""
    constant_noise: bool = False
    """Draw turn and shift once per sequence instead: the calibration of the unit is wrong."""
    noise_scope: str = 'everywhere'
    yaw_error_deg: float = 0.0
    """A constant turn of the unit about its own z: its calibration is wrong by just this."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        for name, low, high in (('max_age_ms', 0, 10_000), ('rotation_noise_deg', 0, 90),
                                ('translation_noise_m', 0, 100), ('yaw_error_deg', -90, 90)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UserError(f'{name} must be {low} to {high}, not {value:g}')
        if self.noise_scope not in SCOPES:
            raise UserError(f"noise_scope must be one of {', '.join(SCOPES)}, not '{self.noise_scope}'")

    def deliver(self, name: str, sent: Iterable[tuple[str, RoadsideMessage]]) -> Iterator[list[RoadsideMessage]]:
        """
        Yield what the vehicle uses in each frame, chosen as the ego node does it.

        A late message keeps its own stamp and gets the pose of the frame that uses it, as on a real vehicle,
        which knows where it is now.

        :param name: of the data set; link and noise depend on it and on the seed alone.
        :param sent: sequence and current message of each frame.
        """
        luck, noise = (np.random.default_rng([self.seed, purpose, *name.encode()]) for purpose in (0, 1))
        last_sequence = None
        for number, (sequence, message) in enumerate(sent):
            # Drawn for every frame, so that settings that differ in one number share the rest.
            drawn = noise.standard_normal(3)
            if sequence != last_sequence:
                last_sequence, link, buffer, error = sequence, Link(self, luck), UnitBuffer(self._pairing), drawn
                under_way: list[tuple[int, UnitMessage]] = []
            under_way += [(arrives_ns, _unplaced(message, number)) for arrives_ns in link.send(message.stamp_ns)]
            under_way = _receive(buffer, under_way, message.stamp_ns + _HALF_FRAME_NS)
            used = buffer.newest_for(message.stamp_ns)
            yield [] if used is None else [self._placed(
                used, buffer.before(used), message.ego_from_infra, error if self.constant_noise else drawn)]

    @property
    def _pairing(self) -> PairingConfig:
        due_s = (self.latency_ms + self.jitter_ms) / 1e3 + _HALF_FRAME_NS / 1e9
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


def _unplaced(message: RoadsideMessage, number: int) -> UnitMessage:
    return UnitMessage(message.unit_id, message.stamp_ns, 0, number, '', message.instances, np.eye(4))


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
