"""Names of topics and of message types: made and taken apart here alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple

from ..common.errors import UserError

EGO_NAMESPACE = '/ego'
EGO_NODE = f'{EGO_NAMESPACE}/ego_node'
_INFRA = '/infra/'

FEATURES, INFO, PAIR, OCCUPANCY = UNIT_TOPICS = ('features', 'info', 'pair', 'occupancy')
"""What is said of a roadside unit to vehicles, below its namespace."""
TRACKED_OBJECTS, CPM = FOREIGN = ('tracked_objects', 'cpm')
"""The same of units that do not run our network: ``TrackedObjects`` of Autoware, and Collective Perception Messages."""
FOREIGN_KINDS = {TRACKED_OBJECTS: 'autoware_perception_msgs/msg/TrackedObjects',
                 CPM: 'etsi_its_cpm_ts_msgs/msg/CollectivePerceptionMessage'}
FOREIGN_PACKAGES = {name: kind.partition('/')[0] for name, kind in FOREIGN_KINDS.items()}
"""What must be installed for them."""
UNIT_KINDS = (FEATURES, *FOREIGN)
"""What a unit can be listened to for."""


class ImageTransport(NamedTuple):
    """Type of the messages of a transport of images, and what it adds to the name of the topic."""

    kind: str
    suffix: str


IMAGE_TRANSPORTS = {
    'compressed': ImageTransport('sensor_msgs/msg/CompressedImage', '/compressed'),
    'raw': ImageTransport('sensor_msgs/msg/Image', ''),
    'ffmpeg': ImageTransport('ffmpeg_image_transport_msgs/msg/FFMPEGPacket', '/ffmpeg'),
    'foxglove': ImageTransport('foxglove_msgs/msg/CompressedVideo', '/foxglove')}
"""By the names that image_transport has for them."""
VIDEO_TRANSPORTS = ('ffmpeg', 'foxglove')
"""Those whose messages depend on one another."""


def transport_of(kind: str) -> str | None:
    """Return the transport of a type of messages, None for what are no images."""
    return next((name for name, transport in IMAGE_TRANSPORTS.items() if transport.kind == kind), None)


def without_transport(topic: str) -> str:
    """Return the name of a topic of images without what its transport adds."""
    return next((topic.removesuffix(t.suffix) for t in IMAGE_TRANSPORTS.values()
                 if t.suffix and topic.endswith(t.suffix)), topic)


def image_topic(camera: str = 'camera', transport: str = 'compressed') -> str:
    """Return where a camera of a recording gives its images, below the namespace of its agent."""
    return f'{camera}/image{IMAGE_TRANSPORTS[transport].suffix}'


def find_images(namespace: str, topics: Iterable[str], camera: str = 'camera') -> tuple[str, str] | None:
    """
    Return topic and transport of the images of a camera, None without any.

    :param namespace: of its agent; :param topics: full names of all that are there.
    """
    there = set(topics)
    return next(((topic, transport) for transport in IMAGE_TRANSPORTS
                 if (topic := f'{namespace}/{image_topic(camera, transport)}') in there), None)


def calibration_topic(camera: str = 'camera') -> str:
    """Return where a camera of a recording gives its calibration, below the namespace of its agent."""
    return f'{camera}/calibration'


def camera_of(name: str) -> str | None:
    """Return the camera whose images are on a topic below the namespace of its agent, None for other topics."""
    camera = _camera_in(name)
    return camera if camera and any(name == image_topic(camera, t) for t in IMAGE_TRANSPORTS) else None


def calibrated_by(name: str) -> str | None:
    """Return the camera whose calibrations are on such a topic, None for other topics."""
    camera = _camera_in(name)
    return camera if camera and name == calibration_topic(camera) else None


def _camera_in(name: str) -> str:
    camera = name.partition('/')[0]
    return camera if camera == 'camera' or camera.startswith('camera_') else ''


IMAGE, CALIBRATION = image_topic(), calibration_topic()
"""Those of an agent's only camera."""
POINTS = 'lidar/points'
"""Where the lidar of a recording gives its point clouds, below the namespace of its agent."""


def check_name(what: str, name: str) -> str:
    """
    Return a name of a unit or camera, which becomes part of topics.

    :param what: where it was given, for the error.
    :raises UserError: if ROS would refuse such a topic.
    """
    if not re.fullmatch('[A-Za-z][A-Za-z0-9_]*', name) or '__' in name:
        raise UserError(f"{what}: '{name}' cannot be part of a topic name, expected a letter and then letters, digits "
                        'and single underscores, all of ASCII')
    return name


def unit_namespace(unit: str) -> str:
    """Return the namespace of a roadside unit."""
    return f'{_INFRA}{unit}'


def unit_topic(unit: str, name: str) -> str:
    """Return the full name of a topic of a roadside unit, such as ``/infra/rsu_1/features``."""
    return f'{unit_namespace(unit)}/{name}'


def features_topic(unit: str) -> str:
    """Return where a roadside unit publishes its instances."""
    return unit_topic(unit, FEATURES)


def occupancy_topic(unit: str) -> str:
    """Return where a roadside unit publishes its voxels."""
    return unit_topic(unit, OCCUPANCY)


def voxels_topic(node: str = EGO_NODE) -> str:
    """Return where a node publishes its voxels; :param node: its full name."""
    return f'{node}/output/occupancy'


def tracks_topic(node: str = EGO_NODE) -> str:
    """Return where a node publishes its tracks; :param node: its full name."""
    return f'{node}/output/tracks'


def split_unit_topic(topic: str) -> tuple[str, str] | None:
    """Return the unit and the name below its namespace, the parts of ``unit_topic``; None for all other topics."""
    unit, slash, name = topic.removeprefix(_INFRA).partition('/')
    return (unit, name) if topic.startswith(_INFRA) and unit and slash and name else None


def is_unit_topic(topic: str, name: str) -> bool:
    """Tell whether a topic is the one of this name of any roadside unit."""
    parts = split_unit_topic(topic)
    return parts is not None and parts[1] == name


def is_unit_image_topic(topic: str) -> bool:
    """Tell whether a topic is that of the images of a camera of any roadside unit."""
    parts = split_unit_topic(topic)
    return parts is not None and camera_of(parts[1]) is not None


def is_features_topic(topic: str) -> bool:
    """Tell whether instances of a roadside unit are published there."""
    return is_unit_topic(topic, FEATURES)


def is_sent_topic(topic: str) -> bool:
    """Tell whether something of a roadside unit is published there that vehicles fuse."""
    return any(is_unit_topic(topic, name) for name in (*UNIT_KINDS, OCCUPANCY))


def units_of(topics: Iterable[str], name: str | None = None) -> list[str]:
    """
    Return the roadside units that topics belong to, in ascending order.

    :param topics: full names; :param name: below the namespace of the unit, None for any.
    """
    found = filter(None, map(split_unit_topic, topics))
    return sorted({unit for unit, below in found if name is None or below == name})


def unit_kind(unit: str, topics: Iterable[str]) -> str:
    """Return what a unit is to be listened to for: what it sends beside features only if it sends nothing of ours."""
    below = {parts[1] for parts in map(split_unit_topic, topics) if parts is not None and parts[0] == unit}
    if below & {*UNIT_TOPICS, CALIBRATION} or any(map(camera_of, below)):
        return FEATURES
    return next((name for name in FOREIGN if name in below), FEATURES)


def kind_name(kind: type) -> str:
    """Return the name of a message class, as ``nav_msgs/msg/Odometry``."""
    return f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'


def kind_of(name: str) -> type:
    """
    Return the message class of a name, the opposite of ``kind_name``.

    :raises UserError: if it is none, or its package is not installed.
    """
    package, _, kind = name.partition('/msg/')
    try:
        if package.isidentifier() and kind.isidentifier():
            return getattr(import_module(f'{package}.msg'), kind)
    except (ImportError, AttributeError):
        pass
    raise UserError(f"there is no message type '{name}' here, expected the name of one that is installed, as "
                    'nav_msgs/msg/Odometry')
