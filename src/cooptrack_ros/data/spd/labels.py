"""Labels of one frame and one sequence: corrections, repeated ids, holes, velocities (method.md 13.10)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...common.geometry import transform_points, wrap_angle
from ...common.types import Boxes
from .schema import integer, label_of_type, numbers, read_json, require, text

INTERPOLATED_STATE = 3
"""``occluded_state`` of objects that were filled into a hole."""
PUBLISHED, CENTRAL = VELOCITY_LABELS = ('published', 'central')
"""How velocities of labels are made, see ``complete_tracks``."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Label:
    """
    One labelled object in a lidar frame: geometric centre, size (l, w, h), yaw; metres and radians.

    ``from_side`` is ``veh``, ``inf`` or ``coop`` in cooperative labels and empty otherwise; the side ids are -1
    where that side did not see the object.
    """

    token: str
    type_name: str
    track_id: str
    occluded_state: int
    centre: np.ndarray
    size: np.ndarray
    yaw: float
    from_side: str = ''
    vehicle_track_id: int = -1
    infra_track_id: int = -1
    velocity: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class LabelledFrame:
    """Labels of one frame with its time and the stored pose of its lidar in the world."""

    stamp_us: int
    global_from_lidar: np.ndarray
    labels: tuple[Label, ...]


def read_labels(path: Path, updates: dict[str, Any], repeated: list[str] | None = None) -> tuple[Label, ...]:
    """
    Return the objects of a label file after corrections and removal of repeated track ids (the first stays).

    :param updates: object token -> None (delete) or [type, track id].
    :param repeated: gets a text for each object that is left out because its track id repeats.
    """
    labels, seen = [], set()
    for element in read_json(path, list):
        token = str(require(element, 'token', path))
        update = updates.get(token, ())
        if update is None:
            continue
        type_name, track_id = update or (
            text(require(element, 'type', path), 'type', path), str(require(element, 'track_id', path)))
        if label_of_type(type_name) is None:
            _warn_unknown_type(type_name, str(path))
            continue
        if track_id in seen:
            if repeated is not None:
                repeated.append(f'track_id {track_id} in {path}')
            continue
        seen.add(track_id)
        labels.append(_parse(element, token, type_name, track_id, path))
    return tuple(labels)


@cache
def _warn_unknown_type(type_name: str, path: str) -> None:
    _LOG.warning("%s: objects of unknown type '%s' are left out", path, type_name)


def _parse(element: dict[str, Any], token: str, type_name: str, track_id: str, path: Path) -> Label:
    location = require(element, '3d_location', path)
    dimensions = require(element, '3d_dimensions', path)
    integer(track_id, 'track_id', path)
    return Label(
        token=token, type_name=type_name, track_id=track_id,
        occluded_state=integer(element.get('occluded_state', 0), 'occluded_state', path),
        centre=numbers([require(location, k, path) for k in 'xyz'], (3,), '3d_location', path),
        size=numbers([require(dimensions, k, path) for k in 'lwh'], (3,), '3d_dimensions', path),
        yaw=float(numbers(require(element, 'rotation', path), (1,), 'rotation', path)[0]),
        from_side=str(element.get('from_side', '')),
        vehicle_track_id=integer(element.get('veh_track_id', -1), 'veh_track_id', path),
        infra_track_id=integer(element.get('inf_track_id', -1), 'inf_track_id', path))


def complete_tracks(frames: Sequence[LabelledFrame], velocity_labels: str = PUBLISHED) -> list[list[Label]]:
    """
    Return the labels of each frame of one sequence with holes filled and velocities computed.

    :param frames: frames in order of time, after sampling: neighbours here are neighbours in the result.
    :param velocity_labels: ``published``: difference to the next frame, 0 at the last label of a track; ``central``:
        between the frames before and after, see ``_central_velocities``.
    """
    result = [list(frame.labels) for frame in frames]
    tracks: dict[str, dict[int, Label]] = {}
    for position, frame in enumerate(frames):
        for label in frame.labels:
            tracks.setdefault(label.track_id, {})[position] = label
    for track in tracks.values():
        present = sorted(track)
        for first, last in zip(present, present[1:]):
            for position in range(first + 1, last):
                result[position].append(_interpolate(frames, track, first, last, position))
    return with_velocities(frames, result, velocity_labels)


def with_velocities(frames: Sequence[LabelledFrame], labels: list[list[Label]],
                    velocity_labels: str) -> list[list[Label]]:
    """
    Return labels with velocities.

    :param frames: stamps and poses; their labels do not matter.
    :param labels: of each frame; :param velocity_labels: see ``complete_tracks``.
    """
    return (_published_velocities if velocity_labels == PUBLISHED else _central_velocities)(frames, labels)


def _seconds(frame: LabelledFrame) -> float:
    # Divided before any subtraction, as the published converter does; keeps velocities equal to 1e-6.
    return frame.stamp_us / 1e6


def _interpolate(frames: Sequence[LabelledFrame], track: dict[int, Label], first: int, last: int,
                 position: int) -> Label:
    """Return the label of a hole: linear in the world, yaw the shorter way in the lidar frame."""
    before, after = track[first], track[last]
    start = _seconds(frames[first])
    part = (_seconds(frames[position]) - start) / (_seconds(frames[last]) - start)
    world_before = transform_points(frames[first].global_from_lidar, before.centre)
    world_after = transform_points(frames[last].global_from_lidar, after.centre)
    lidar_from_global = np.linalg.inv(frames[position].global_from_lidar)
    return replace(
        before,
        token=f'{before.token}/{frames[position].stamp_us}',
        occluded_state=INTERPOLATED_STATE,
        centre=transform_points(lidar_from_global, world_before + part * (world_after - world_before)),
        yaw=float(wrap_angle(before.yaw + part * wrap_angle(after.yaw - before.yaw))))


def _central_velocities(frames: Sequence[LabelledFrame], labels: list[list[Label]]) -> list[list[Label]]:
    """
    Return labels with the difference between the frames before and after, in the axes of their own frame.

    At the ends of a track it is the one-sided difference over two frames, or one where there are no more; NaN where a
    track has one label only.
    """
    world = [{label.track_id: transform_points(frame.global_from_lidar, label.centre) for label in row}
             for frame, row in zip(frames, labels, strict=True)]
    result = []
    for position, row in enumerate(labels):
        lidar_from_global = np.linalg.inv(frames[position].global_from_lidar[:3, :3])
        velocities = [_difference(frames, world, label.track_id, position) for label in row]
        result.append([replace(label, velocity=tuple((lidar_from_global @ v)[:2])) for label, v in
                       zip(row, velocities, strict=True)])
    return result


def _difference(frames: Sequence[LabelledFrame], world: Sequence[dict[str, np.ndarray]], track_id: str,
                position: int) -> np.ndarray:
    """Return the velocity (3,) in the world, m/s, of a track at a frame."""
    def is_there(at: int) -> bool:
        return 0 <= at < len(frames) and track_id in world[at]
    first, last = (position + step if is_there(position + step) else position for step in (-1, 1))
    if last == position and is_there(first - 1):
        first -= 1
    if first == position and is_there(last + 1):
        last += 1
    elapsed = _seconds(frames[last]) - _seconds(frames[first])
    return (world[last][track_id] - world[first][track_id]) / elapsed if elapsed > 0 else np.full(3, np.nan)


def _published_velocities(frames: Sequence[LabelledFrame], labels: list[list[Label]]) -> list[list[Label]]:
    """Return labels with the forward difference to the next frame, 0 at the last label of a track."""
    moving = labels[-1:]
    for position in range(len(frames) - 2, -1, -1):
        following = {label.track_id: label for label in labels[position + 1]}
        lidar_from_next = np.linalg.inv(frames[position].global_from_lidar) @ frames[position + 1].global_from_lidar
        elapsed = _seconds(frames[position + 1]) - _seconds(frames[position])
        current = []
        for label in labels[position]:
            following_label = following.get(label.track_id)
            if following_label is not None and elapsed > 0:
                step = transform_points(lidar_from_next, following_label.centre) - label.centre
                label = replace(label, velocity=(step[0] / elapsed, step[1] / elapsed))
            current.append(label)
        moving.insert(0, current)
    return moving


def boxes_of(labels: Sequence[Label], class_of: Callable[[str], int] = label_of_type) -> Boxes:
    """
    Return labels as boxes with score 1; the identity is the number of the track id.

    :param class_of: index of the class of an object type.
    """
    if not labels:
        return Boxes.empty()
    return Boxes(
        centre=np.stack([label.centre for label in labels]),
        size=np.stack([label.size for label in labels]),
        yaw=np.array([label.yaw for label in labels]),
        velocity=np.array([label.velocity for label in labels]),
        label=np.array([class_of(label.type_name) for label in labels], dtype=np.int64),
        score=np.ones(len(labels)),
        track_id=np.array([int(label.track_id) for label in labels], dtype=np.int64))
