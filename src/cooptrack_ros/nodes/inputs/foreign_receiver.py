"""What arrives from a unit that does not run our network: boxes under types that others know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from math import isfinite
from typing import Any, Protocol

import numpy as np

from ...common.errors import UserError, WireError
from ...common.geometry import make_pose
from ...cooperation.foreign import TICKS_PER_S, ForeignObjects, LocalFrames
from ...cooperation.pairing import PairingConfig, UnitPairing
from ...cooperation.sessions import StaleMessage
from ...cooperation.unit_pose import PoseWatch
from ...wire.features import FeatureLimits
from ...wire.topics import FOREIGN_PACKAGES, TRACKED_OBJECTS
from ..health.health import Health
from ..health.unit_health import NO_CLASS
from ..settings import EgoSettings
from .unit_receiver import MessageReceiver


class ForeignReader(Protocol):
    """Knows one type of messages."""

    kind: type
    topic: str
    max_bytes: int

    def read(self, msg: Any) -> ForeignObjects | None:
        """Return what a message says, None if it is none of this unit; may raise WireError."""


class ForeignReceiver(MessageReceiver):
    """Keeps what one unit says of objects, under the rules for messages of our own; its stamps are its numbers."""

    def __init__(self, pairing: UnitPairing, reader: ForeignReader, health: Health, max_rate_hz: float):
        """
        Start without messages.

        :param pairing: where they go, made with ``by_stamp``; :param max_rate_hz: at which they are looked at.
        """
        self.kind, self.topic = reader.kind, reader.topic
        super().__init__(pairing, health, max_rate_hz, reader.max_bytes)
        self._reader, self._frames, self._places = reader, LocalFrames(), PoseWatch()

    def _store(self, msg: Any, now_s: float) -> None:
        objects = self._reader.read(msg)
        if objects is None:
            return
        self.health.left_out({NO_CLASS: objects.no_class})
        try:
            if objects.place is not None:
                self._places.check(objects.session, objects.stamp_ns, make_pose(np.eye(3), objects.place))
            self._keep(self._frames.message(self.unit_id, objects), now_s)
        except StaleMessage as error:
            raise WireError(error.reason, _WORDS.get(error.reason, f'{error}')) from error


_WORDS = {
    'replayed': 'its stamp is that of an earlier message, or before it',
    'implausible_number': 'its stamp runs ahead of the clock: stamps are the times of measurement, from one clock'}
"""Why messages without numbers of their own are refused, whose stamps count as such."""


def by_stamp(config: PairingConfig) -> PairingConfig:
    """Return how messages of a foreign unit are paired: its stamps go on as time does, however many are sent."""
    return replace(config, max_rate_hz=TICKS_PER_S) if isfinite(config.max_rate_hz) else config


def foreign_reader(kind: str, settings: EgoSettings, class_names: Sequence[str],
                   limits: FeatureLimits) -> ForeignReader:
    """
    Return what reads the messages of a unit.

    :param kind: what it sends, see ``EgoSettings.units``; :param class_names: of the model.
    :param limits: of what is accepted.
    :raises UserError: if the package of their type is not installed, or a parameter is missing that it needs.
    """
    kind, _, station = kind.partition(':')
    package = FOREIGN_PACKAGES[kind]
    if find_spec(package) is None:
        raise UserError(f"parameter 'infra_units' names a unit of type {kind}, but {package} is not installed: "
                        f"{install_advice(package)}")
    if kind == TRACKED_OBJECTS:
        from ...wire.tracked_objects import TrackedObjectsReader
        return TrackedObjectsReader(settings.map_frame, class_names, limits)
    from ...wire.cpm_reader import CpmReader
    return CpmReader(settings.map_place(), class_names, limits, int(station) if station else None)


def install_advice(package: str) -> str:
    """Return how to install a message package."""
    return f'apt install ros-$ROS_DISTRO-{package.replace("_", "-")}, then source it'
