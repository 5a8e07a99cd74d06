"""Topics, frames, message types and quality of service of our bags."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ...common.errors import UserError
from ...wire.topics import EGO_NAMESPACE, FOREIGN_PACKAGES, IMAGE_TRANSPORTS, check_name, unit_namespace

MAP_FRAME = 'map'
MESSAGE_PACKAGE = 'cooptrack_msgs'
_INFINITE = QosTime(9223372036, 854775807)


@dataclass(frozen=True)
class AgentNames:
    """Topic prefix and frame names of one agent; body and lidar of a roadside unit are one frame."""

    prefix: str
    body_frame: str
    lidar_frame: str
    camera_frame: str
    camera: str = 'camera'
    """Prefix of the topics of a camera."""

    def of_camera(self, name: str, count: int) -> AgentNames:
        """Return the names with those of one of ``count`` cameras: an agent's only camera needs none of its own."""
        if count == 1:
            return self
        return replace(self, camera=f'camera_{name}',
                       camera_frame=f'{self.camera_frame.removesuffix("_optical")}_{name}_optical')

    def topic(self, name: str) -> str:
        """Return the absolute name of a topic of this agent."""
        return f'{self.prefix}/{name}'


EGO = AgentNames(EGO_NAMESPACE, 'ego/base_link', 'ego/lidar', 'ego/camera_optical')


def roadside_names(unit: str) -> AgentNames:
    """Return the names of a roadside unit; raise a UserError if the unit cannot be part of a topic name."""
    check_name('unit', unit)
    lidar = f'infra/{unit}/lidar'
    return AgentNames(unit_namespace(unit), lidar, lidar, f'infra/{unit}/camera_optical')


def _qos(durability: QosDurability, depth: int) -> Qos:
    return Qos(QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, durability, _INFINITE, _INFINITE,
               QosLiveliness.AUTOMATIC, _INFINITE, False)


VOLATILE = _qos(QosDurability.VOLATILE, 10)
LATCHED = _qos(QosDurability.TRANSIENT_LOCAL, 1)
"""For what a late subscriber needs too: a player offers it again with these settings."""


_VIDEO = {
    IMAGE_TRANSPORTS['ffmpeg'].kind: 'std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n'
                                     'uint8 flags\nbool is_bigendian\nuint8[] data\n',
    IMAGE_TRANSPORTS['foxglove'].kind: 'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\n'
                                       'string format\n'}
"""Types of others, which need not be installed where a bag is looked into."""


def is_always_latched(topic: str, kind: str) -> bool:
    """Tell what late subscribers need whatever a bag says about it: fixed transforms, calibrations, units."""
    return topic == '/tf_static' or kind in (f'{MESSAGE_PACKAGE}/msg/Calibration', f'{MESSAGE_PACKAGE}/msg/UnitInfo')


@cache
def typestore() -> Typestore:
    """
    Return the definitions of all ROS 2 Jazzy interfaces, of our own messages, and of those of units of others.

    :raises UserError: if the ``.msg`` files of cooptrack_msgs are neither installed nor in the source tree.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for package in (MESSAGE_PACKAGE, *FOREIGN_PACKAGES.values()):
        for path in sorted(_message_folder(package).glob('*.msg')):
            types.update(get_types_from_msg(path.read_text(encoding='utf-8'), f'{package}/msg/{path.stem}'))
    for kind, definition in _VIDEO.items():
        types.update(get_types_from_msg(definition, kind))
    store.register(types)
    return store


def _message_folder(package: str) -> Path:
    """
    Return the folder of the ``.msg`` files of a package: of the installation that is in use, else of the source tree.

    Packages of others need not be installed: then there are none in it.
    """
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    prefixes.append(Path(sys.prefix))
    candidates = [prefix / 'share' / package / 'msg' for prefix in prefixes]
    candidates.append(Path(__file__).resolve().parents[3] / package / 'msg')
    for folder in candidates:
        if any(folder.glob('*.msg')):
            return folder
    if package != MESSAGE_PACKAGE:
        return candidates[-1]
    raise UserError(f"the messages of {package} were not found; looked in {', '.join(str(c) for c in candidates)}")
