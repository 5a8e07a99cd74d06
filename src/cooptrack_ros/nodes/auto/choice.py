"""Chooses the inputs of the ego node among topics, if there is only one reasonable choice; no ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...wire.topics import FEATURES as SENT_FEATURES
from ...wire.topics import (
    FOREIGN,
    IMAGE_TRANSPORTS,
    is_unit_topic,
    split_unit_topic,
    transport_of,
    unit_kind,
    units_of,
    without_transport,
)
from .facts import CALIBRATION, CAMERA_INFO, FEATURES, IMAGES, ODOMETRY, POINTS, POSE, Seen, TopicFacts

_PREFERRED = ('image', 'image_rect_color', 'image_color', 'image_raw')
"""Of several images of one camera."""
_NO_CAMERA_IMAGES = ('/debug/', 'depth', 'mask', 'disparity')
_NO_LIDAR_POINTS = ('/debug/', '/output/', 'depth')
_LIDARS = ('lidar', 'velodyne', 'ouster', 'hesai')


@dataclass(frozen=True)
class Unclear:
    """What could not be chosen, between which candidates, and what to do."""

    what: str
    candidates: tuple[str, ...]
    advice: str

    def __str__(self) -> str:
        """Return it in lines."""
        return '\n'.join([f'{self.what} not clear: {self.advice}', *(f'    {c}' for c in self.candidates)])


@dataclass
class Choice:
    """
    What was chosen: remappings and parameters of the ego node, and lines that say why.

    With anything in ``unclear`` no node is to be started.
    """

    remappings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str | bool] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    unclear: list[Unclear] = field(default_factory=list)

    def take(self, what: str, said: object) -> None:
        """Note what was chosen."""
        self.lines.append(f'{what:<12} {said}')


def choose(seen: Seen, camera: str = '', needs_points: bool = False) -> Choice:
    """
    Return the inputs of the ego node.

    :param camera: namespace of the camera to take, empty if there is only one.
    :param needs_points: the node looks at point clouds; otherwise those that are not clear are named and left out.
    """
    choice, vehicle = Choice(), [t for t in seen.topics if not split_unit_topic(t.name)]
    images = _choose_images(choice, vehicle, camera.rstrip('/'))
    described = _choose_description(choice, vehicle, images, seen.frames) if images else None
    base = described.base if described is not None else ''
    poses = _choose_poses(choice, vehicle, base)
    points = _choose_points(choice, vehicle, described, needs_points)
    _choose_units(choice, seen.topics)
    if described is not None and poses is not None:
        _name_frames(choice, described, poses)
    taken = [t for t in (images, described, poses, *[points] * needs_points) if t is not None and t.kind != CALIBRATION]
    best_effort = any(t.reliability == 'best_effort' for t in taken)
    # It also takes what is reliable.
    choice.parameters['image.qos'] = 'sensor_data' if best_effort else 'reliable'
    if seen.has_clock:
        choice.parameters['use_sim_time'] = True
        choice.take('time', '/clock')
    return choice


def camera_of(topic: TopicFacts) -> str:
    """Return the namespace of the camera that an image or a description belongs to."""
    return without_transport(topic.name).rpartition('/')[0]


def _live(topics: Sequence[TopicFacts]) -> list[TopicFacts]:
    """Leave out those that are silent."""
    return [t for t in topics if t.count]


def _choose_images(choice: Choice, topics: Sequence[TopicFacts], wanted: str) -> TopicFacts | None:
    every = [t for t in topics if t.kind in IMAGES
             and not any(word in t.name.lower() for word in _NO_CAMERA_IMAGES)]
    images = [t for t in _live(every) if not wanted or camera_of(t) == wanted]
    cameras = sorted({camera_of(t) for t in images})
    described = [c for c in cameras if any(_descriptions(topics, t) for t in images if camera_of(t) == c)]
    if len(described) == 1:
        # Without calibration the others are of no use.
        cameras = described
    if len(cameras) != 1:
        advice = (f'{len(cameras)} cameras, name one (auto:=NAMESPACE, --camera NAMESPACE): {", ".join(cameras)}'
                  if cameras else f'no images come{f" below {wanted}" * bool(wanted)}, start the camera')
        choice.unclear.append(Unclear('images', tuple(map(str, images or every)), advice))
        return None
    images = [t for t in images if camera_of(t) == cameras[0]]
    image = _image_of_camera(images)
    if image is None:
        choice.unclear.append(Unclear('images', tuple(map(str, images)),
                                      f'expected one of the names {", ".join(_PREFERRED)} among several of a camera'))
        return None
    choice.take('images', image)
    transport = transport_of(image.kind)
    choice.remappings[f'~/input/image{IMAGE_TRANSPORTS[transport].suffix}'] = image.name
    # Whatever the parameter file says: it is one camera.
    choice.parameters |= {'image.transport': transport, 'cameras': ''}
    return image


def _image_of_camera(images: Sequence[TopicFacts]) -> TopicFacts | None:
    """Return the image that is preferred among those of one camera, in the first transport of the table that it has."""
    by_name: dict[str, list[TopicFacts]] = {}
    for topic in images:
        by_name.setdefault(without_transport(topic.name).rpartition('/')[2], []).append(topic)
    name = next((n for n in _PREFERRED if n in by_name), None) if len(by_name) > 1 else next(iter(by_name))
    # Two types under one name are no choice of ours.
    return min(by_name[name], key=lambda t: IMAGES.index(t.kind)) if name else None


def _descriptions(topics: Sequence[TopicFacts], image: TopicFacts) -> list[TopicFacts]:
    """Return what describes the camera of an image, beside it or of its frame: Calibration, otherwise CameraInfo."""
    for kind in (CALIBRATION, CAMERA_INFO):
        found = [t for t in _live(topics) if t.kind == kind]
        near = [t for t in found if camera_of(t) == camera_of(image)]
        near = near or [t for t in found if t.frame and t.frame == image.frame]
        if near:
            return near
    return []


def _choose_description(choice: Choice, topics: Sequence[TopicFacts], image: TopicFacts,
                        frames: Sequence[str]) -> TopicFacts | None:
    found = _descriptions(topics, image)
    if len(found) != 1:
        every = found or [t for t in topics if t.kind in (CALIBRATION, CAMERA_INFO)]
        choice.unclear.append(Unclear(
            'calibration', tuple(map(str, every)), f'expected one Calibration or CameraInfo below {camera_of(image)}, '
            f"or with the frame of the images ('{image.frame}'), that is published"))
        return None
    described, = found
    choice.take('calibration', described)
    is_info = described.kind == CAMERA_INFO
    choice.remappings[f"~/input/{'camera_info' if is_info else 'calibration'}"] = described.name
    choice.parameters['camera.source'] = 'camera_info' if is_info else 'calibration'
    if is_info:
        _choose_lidar_frame(choice, frames)
        _choose_rectified(choice, image, described)
    else:
        beside = [t for t in _live(topics) if t.kind == CAMERA_INFO and camera_of(t) == camera_of(image)]
        choice.remappings['~/input/camera_info'] = (beside[0].name if len(beside) == 1
                                                    else f'{camera_of(image)}/camera_info')
    return described


def _choose_lidar_frame(choice: Choice, frames: Sequence[str]) -> None:
    lidars = sorted(f for f in frames if any(word in f.lower() for word in _LIDARS))
    if len(lidars) == 1:
        choice.parameters['lidar_frame'] = lidars[0]
        choice.take('lidar_frame', f'{lidars[0]}, the only one of /tf that is called so')
    else:
        choice.unclear.append(Unclear('lidar_frame', tuple(lidars or sorted(frames)), 'expected one frame of /tf that '
                                      f'is called after a lidar ({", ".join(_LIDARS)})'))


def _choose_rectified(choice: Choice, image: TopicFacts, info: TopicFacts) -> None:
    if '_rect' in image.name.rpartition(camera_of(image))[2] or not info.has_distortion:
        choice.parameters['image.rectified'] = True
    elif 'image_raw' in image.name:
        choice.parameters['image.rectified'] = False
    else:
        choice.unclear.append(Unclear('image.rectified', (str(image), str(info)), 'the lens has distortion, and the '
                                      'images are called neither image_raw nor image_rect...'))
        return
    choice.take('rectified', 'yes' if choice.parameters['image.rectified'] else 'no')


def _choose_poses(choice: Choice, topics: Sequence[TopicFacts], base: str) -> TopicFacts | None:
    every = [t for t in topics if t.kind in (ODOMETRY, POSE)]
    # One pose is a goal or a start.
    several = [t for t in every if t.count > 1]
    found = [t for t in several if t.kind == ODOMETRY] or several
    # Of another vehicle, or of another frame of this one, which the node would refuse.
    found = [t for t in found if not (base and t.base and t.base != base)]
    found = [t for t in found if base and t.base == base] or found
    if len(found) != 1:
        choice.unclear.append(Unclear(
            'poses', tuple(map(str, found or every)), f'{len(found)} topics, expected one of Odometry'
            + (f" with the child frame '{base}'" if base else '') + ' or else of PoseStamped that is published'))
        return None
    poses, = found
    source = 'odometry' if poses.kind == ODOMETRY else 'pose'
    choice.take('poses', poses)
    choice.remappings[f'~/input/{source}'] = poses.name
    choice.parameters['pose.source'] = source
    return poses


def _choose_points(choice: Choice, topics: Sequence[TopicFacts], described: TopicFacts | None,
                   needed: bool) -> TopicFacts | None:
    every = [t for t in topics if t.kind == POINTS and not any(word in t.name.lower() for word in _NO_LIDAR_POINTS)]
    # One cloud is a map.
    found = [t for t in every if t.count > 1]
    frame = choice.parameters.get('lidar_frame') or (described.lidar_frame if described is not None else '')
    found = [t for t in found if frame and t.frame == frame] or found
    if len(found) == 1:
        choice.take('points', f'{found[0]} (looked at with lidar.enabled)')
        choice.remappings['~/input/points'] = found[0].name
        return found[0]
    unclear = Unclear('points', tuple(map(str, found or every)), f'{len(found)} topics, expected one PointCloud2 '
                      + (f"of the frame '{frame}', or else one at all, " if frame else '') + 'that is published')
    if needed:
        choice.unclear.append(unclear)
    elif found:
        choice.lines += f'{unclear}\n    none is taken: only lidar.enabled needs one'.split('\n')
    return None


def _name_frames(choice: Choice, described: TopicFacts, poses: TopicFacts) -> None:
    if poses.frame:
        choice.parameters['map_frame'] = poses.frame
        choice.take('map_frame', f'{poses.frame}, that of the poses')
    if described.kind == CALIBRATION:
        return
    if poses.base:
        choice.parameters['base_frame'] = poses.base
        choice.take('base_frame', f'{poses.base}, the child frame of the poses')
    else:
        choice.unclear.append(Unclear('base_frame', (str(poses),), 'expected Odometry with a child frame, since '
                                      'CameraInfo names no frame of the vehicle'))


def _choose_units(choice: Choice, topics: Sequence[TopicFacts]) -> None:
    units = units_of(t.name for t in topics)
    kinds = {unit: unit_kind(unit, {t.name for t in topics}) for unit in units}
    sending = [t for t in topics if split_unit_topic(t.name) and (
        t.kind == FEATURES or any(is_unit_topic(t.name, kind) for kind in FOREIGN))]
    units = [unit if kind == SENT_FEATURES else f'{unit}:{kind}' for unit, kind in kinds.items()]
    choice.parameters['infra_units'] = ','.join(units)
    silent = sorted(kinds.keys() - set(units_of(t.name for t in sending)))
    note = f" ({', '.join(silent)} without features so far)" if silent else ''
    choice.take('units', ', '.join(units) + note if units else 'none, also none that come later')
    if any(t.reliability == 'best_effort' for t in sending):
        choice.parameters['features.reliability'] = 'best_effort'
