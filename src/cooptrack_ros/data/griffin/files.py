"""Files of the Griffin format: poses, calibrations, labels; every error names file and line."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...common.errors import UserError
from ...common.geometry import make_pose, nearest_rotation, rotation_xyz
from ..spd.schema import integer, numbers, read_json, require

CLASSES = ('car', 'bicycle', 'pedestrian')
"""Classes into which the object types of this data go."""
CLASS_OF_TYPE = {'car': 0, 'truck': 0, 'bus': 0, 'bicycle': 1, 'motorcycle': 1, 'pedestrian': 2}
CAMERAS = {'vehicle-side': ('front', 'back', 'left', 'right'),
           'drone-side': ('front', 'back', 'left', 'right', 'bottom')}
"""By folder of a side; the first one is that with which an agent names its time."""

_LEVELS = (0.4, 0.6, 0.8)
"""Shares of visibility at which the next of the four levels begins."""
_ROTATION_TOLERANCE = 1e-3
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObjectLabel:
    """
    One labelled object in the ego frame of an agent: geometric centre, size (l, w, h), rotation (3, 3), metres.

    ``visibility`` is the share 0 to 1 of the object that is seen.
    """

    type_name: str
    track_id: int
    centre: np.ndarray
    size: np.ndarray
    rotation: np.ndarray
    visibility: float

    @property
    def level(self) -> int:
        """Level of visibility, 1 to 4."""
        return 1 + sum(self.visibility >= least for least in _LEVELS)


def label_of_type(type_name: str) -> int | None:
    """Return the class index of an object type, None for one that is left out."""
    return CLASS_OF_TYPE.get(type_name.casefold())


def read_pose(path: Path) -> np.ndarray:
    """Return world_from_ego (4, 4) of a pose file: metres, and degrees about x, then y, then z."""
    content = read_json(path, dict)
    place, angles = ([numbers(require(content, key, path), (), key, path) for key in keys]
                     for keys in (('x', 'y', 'z'), ('roll', 'pitch', 'yaw')))
    return make_pose(rotation_xyz(*np.radians(angles)), np.array(place))


def read_camera(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """
    Return K (3, 3) and camera_from_ego (4, 4) of a calibration file, which stores the opposite.

    :raises UserError: if one of them is missing, cannot be inverted or is no rotation and translation.
    """
    content = read_json(path, dict)
    intrinsic = numbers(require(content, 'intrinsic', path), (3, 3), 'intrinsic', path)
    ego_from_camera = numbers(require(content, 'extrinsic', path), (4, 4), 'extrinsic', path)
    if abs(np.linalg.det(intrinsic)) < 1e-6:
        raise UserError(f'{path}: the camera matrix cannot be inverted: {intrinsic.tolist()}')
    rigid = make_pose(nearest_rotation(ego_from_camera[:3, :3]), ego_from_camera[:3, 3])
    error = np.abs(rigid - ego_from_camera).max()
    if error > _ROTATION_TOLERANCE:
        raise UserError(f"{path}: 'extrinsic' must be a rotation and a translation, but is {error:.3g} away from the "
                        'nearest ones')
    return intrinsic, np.linalg.inv(rigid)


def read_labels(path: Path, repeated: list[str]) -> tuple[ObjectLabel, ...]:
    """
    Return the objects of a label file whose types belong to a class; of several with one identity the first stays.

    A line is ``type x y z l w h roll pitch yaw id visibility``; with 11 fields it lacks the last, with 9 the angles
    roll and pitch, too. Angles are degrees.

    :param repeated: gets a text for each object that is left out because its identity repeats.
    :raises UserError: for a file that is missing or a line that is none of these.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except FileNotFoundError:
        raise UserError(f'{path} is missing') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read: {error}') from error
    labels: dict[int, ObjectLabel] = {}
    for number, line in enumerate(lines, 1):
        label = _parse(line.split(), f'{path}, line {number}') if line.strip() else None
        if label is not None and labels.setdefault(label.track_id, label) is not label:
            repeated.append(f'id {label.track_id} in {path}, line {number}')
    return tuple(labels.values())


def _parse(fields: list[str], where: str) -> ObjectLabel | None:
    if len(fields) not in (9, 11, 12):
        raise UserError(f'{where}: expected 12 fields (type x y z l w h roll pitch yaw id visibility), 11 without '
                        f'visibility or 9 without roll, pitch and visibility, not {len(fields)}')
    if label_of_type(fields[0]) is None:
        _tell_unknown_type(fields[0], where)
        return None
    values = numbers(fields[1:7], (6,), 'x y z l w h', where)
    angles = ['0', '0', fields[7]] if len(fields) == 9 else fields[7:10]
    identity, *visibility = fields[len(angles) + 7:] if len(fields) > 9 else fields[8:]
    if values[3:].min() <= 0:
        raise UserError(f'{where}: length, width and height must be above 0, not {" ".join(fields[4:7])}')
    return ObjectLabel(
        fields[0], integer(identity, 'id', where), values[:3], values[3:],
        rotation_xyz(*np.radians(numbers(angles, (3,), 'roll pitch yaw', where))),
        float(numbers(visibility or ['1'], (1,), 'visibility', where)[0]))


@cache
def _tell_unknown_type(type_name: str, where: str) -> None:
    _LOG.info("%s: objects of type '%s' belong to no class and are left out", where, type_name)
