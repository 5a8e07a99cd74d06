"""Collective Perception Messages of stations that do not run our network, as boxes for late fusion: docs/cpm.md."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from etsi_its_cpm_ts_msgs.msg import CollectivePerceptionMessage, ObjectClass, PerceivedObject, Velocity3dWithConfidence

from ..common.earth import Geodetic, MapPlace
from ..common.errors import WireError
from ..common.geometry import nearest_rotation, transform_boxes
from ..common.types import Boxes
from ..common.uncertainty import TrackUncertainty
from ..cooperation.foreign import LEAST_STD_M, LEAST_STD_RAD, NOT_STATED, TICKS_PER_S, ForeignObjects, label_of
from . import cpm_units as units
from .features import FeatureLimits
from .foreign import check_boxes
from .topics import CPM

_VEHICLES = {4: 'motorcycle', 5: 'car', 6: 'bus', 7: 'truck', 8: 'truck', 9: 'trailer'}
_VRU = {0: 'pedestrian', 1: 'bicycle', 2: 'motorcycle'}
"""By kind of vehicle and by profile of other road users, what ``cooperation.foreign.label_of`` takes."""
_USUAL_M = {'car': (4.5, 1.9, 1.6), 'truck': (8.0, 2.5, 3.2), 'bus': (12.0, 2.5, 3.2), 'trailer': (8.0, 2.5, 3.0),
            'motorcycle': (2.2, 0.8, 1.6), 'bicycle': (1.8, 0.7, 1.7), 'pedestrian': (0.6, 0.6, 1.7)}
"""Length, width and height of what is sent without them."""
_UNKNOWN_SCORE = 0.5
"""Of what is sent without a perception quality."""
_MOVES_MPS = 0.5
"""What is faster looks where it goes, if it is sent without a heading."""
_KEEP_NS, _MAX_STATIONS = 1_100_000_000, 8
"""A station sends an object that hardly changes once a second; others are remembered for the present one."""
_JUMP_NS = 10_000_000_000
"""Stamps that are set back by more begin anew, as when a bag starts again."""
_HEAD_BYTES, _OBJECT_BYTES = 65_536, 4096
"""More than a message takes beside its objects, and than an object with everything that may be in it."""


@dataclass(frozen=True)
class _Seen:
    """An object in the map, as sets of one, and when it was there."""

    box: Boxes
    stated: TrackUncertainty
    stamp_ns: int


@dataclass(frozen=True)
class _Reference:
    """What all objects of a message refer to; ``spread`` (2, 2) is the covariance of the place, in its axes."""

    stamp_ns: int
    map_from_enu: np.ndarray
    spread: np.ndarray
    has_height: bool


class CpmReader:
    """
    Reads what one unit sends.

    Stations leave out of a message what has hardly changed, and spread many objects over several messages of one time:
    so what was said in the last second still holds, moved by its velocity.
    """

    kind, topic = CollectivePerceptionMessage, CPM

    def __init__(self, place: MapPlace, class_names: Sequence[str], limits: FeatureLimits, station: int | None = None):
        """
        Take the place of the map, the classes of the model, and what is accepted.

        :param station: the only one that is listened to; None: any.
        """
        self._place, self._class_names, self._limits, self._station = place, class_names, limits, station
        self._known: OrderedDict[int, tuple[int, dict[int, _Seen]]] = OrderedDict()
        self.max_bytes = _HEAD_BYTES + min(limits.max_instances, units.MAX_OBJECTS) * _OBJECT_BYTES

    def read(self, msg: CollectivePerceptionMessage) -> ForeignObjects | None:
        """
        Return what a message says, with what is still true of those before it; None for another station.

        :raises WireError: naming what is wrong; one bad object costs the whole message.
        """
        header, management = msg.header, msg.payload.management_container
        if header.message_id.value != units.MESSAGE_ID or header.protocol_version.value != units.VERSION:
            raise WireError('wrong_version', f'message {header.message_id.value} of protocol version '
                            f'{header.protocol_version.value}, expected a CPM ({units.MESSAGE_ID}) of version '
                            f'{units.VERSION}')
        station = header.station_id.value
        if self._station not in (None, station):
            return None
        reference = self._reference(management)
        perceived = _perceived(msg)
        if len(perceived) > min(self._limits.max_instances, units.MAX_OBJECTS):
            raise WireError('too_large', f'{len(perceived)} objects; at most '
                            f'{min(self._limits.max_instances, units.MAX_OBJECTS)} are accepted')
        kinds = [_kind(one) for one in perceived]
        labels = [label_of(kind, self._class_names) for kind in kinds]
        new = {one.object_id.value: _read(one, kind, label, reference)
               for one, kind, label in zip(perceived, kinds, labels, strict=True) if label >= 0 and _has_place(one)}
        check_boxes(_together(new.values())[0], self._limits)
        # Messages of one time would be taken for one: they count as one tick after another.
        segment = management.segmentation_info.this_msg_no.value if management.segmentation_info_is_present else 1
        stamp = reference.stamp_ns + max(segment - 1, 0) * 10**9 // TICKS_PER_S
        boxes, stated = _together(self._with_earlier(station, stamp, new).values(), stamp)
        return ForeignObjects(stamp, boxes, stated, station, reference.map_from_enu[:3, 3],
                              sum(label < 0 for label in labels))

    def _reference(self, management: Any) -> _Reference:
        position = management.reference_position
        latitude, longitude = position.latitude.value, position.longitude.value
        if management.reference_time.value > units.MAX_TIME_MS:
            raise WireError('implausible', f'reference time {management.reference_time.value}')
        if abs(latitude) > units.MAX_LATITUDE or abs(longitude) > units.MAX_LONGITUDE:
            raise WireError('no_position', f'the station is at latitude {latitude}, longitude {longitude}, expected '
                            'a place that it knows')
        altitude = position.altitude.altitude_value.value
        has_height = altitude < units.MAX_ALTITUDE
        place = Geodetic(latitude * units.DEGREE, longitude * units.DEGREE,
                         altitude * units.CM if has_height else self._place.origin.height_m)
        return _Reference(units.ros_time_ns(management.reference_time.value), self._place.map_from_enu(place),
                          _ellipse(position.position_confidence_ellipse), has_height)

    def _with_earlier(self, station: int, stamp: int, new: dict[int, _Seen]) -> dict[int, _Seen]:
        """Return what is true of a station at a time, and remember it; an older message changes nothing."""
        newest, known = self._known.get(station, (stamp, {}))
        if newest - stamp > _JUMP_NS:
            known = {}
        elif stamp < newest:
            return new
        kept = {number: seen for number, seen in known.items() if stamp - seen.stamp_ns <= _KEEP_NS} | new
        while len(kept) > self._limits.max_instances:
            del kept[min(kept, key=lambda number: kept[number].stamp_ns)]
        self._known[station] = stamp, kept
        self._known.move_to_end(station)
        while len(self._known) > _MAX_STATIONS:
            self._known.popitem(last=False)
        return kept


def _perceived(msg: CollectivePerceptionMessage) -> list[PerceivedObject]:
    return [one for container in msg.payload.cpm_containers.value.array
            if container.container_id.value == units.OBJECTS
            for one in container.container_data_perceived_object_container.perceived_objects.array]


def _kind(one: PerceivedObject) -> str:
    """Return what an object most probably is, empty if that is not known or nothing that is tracked."""
    if not one.classification_is_present or not one.classification.array:
        return ''
    # What has no confidence comes after all that has.
    best = max(one.classification.array, key=lambda c: c.confidence.value % units.NO_LEVEL).object_class
    if best.choice == ObjectClass.CHOICE_VEHICLE_SUB_CLASS:
        return _VEHICLES.get(best.vehicle_sub_class.value, '')
    return _VRU.get(best.vru_sub_class.choice, '') if best.choice == ObjectClass.CHOICE_VRU_SUB_CLASS else ''


def _has_place(one: PerceivedObject) -> bool:
    """Tell whether an object has a number, and a place within the range of its fields."""
    position = one.position
    return one.object_id_is_present and all(
        abs(axis.value.value) <= units.MAX_COORDINATE for axis in (position.x_coordinate, position.y_coordinate))


def _read(one: PerceivedObject, kind: str, label: int, reference: _Reference) -> _Seen:
    delta_ms = one.measurement_delta_time.value
    if abs(delta_ms) > units.MAX_DELTA_MS:
        raise WireError('implausible', f'an object was measured {delta_ms} ms from the reference time')
    velocity, velocity_spread = _velocity(one)
    moves = np.hypot(*velocity) > _MOVES_MPS
    angle = one.angles.z_angle
    has_yaw = one.angles_is_present and angle.value.value < units.FULL_TURN
    yaw = angle.value.value * units.ANGLE if has_yaw else np.arctan2(*velocity[::-1]) if moves else 0.0
    size, size_spread = _size(one, kind)
    score = one.object_perception_quality.value / units.QUALITY if one.object_perception_quality_is_present else (
        _UNKNOWN_SCORE)
    position = one.position
    has_height = (reference.has_height and position.z_coordinate_is_present
                  and abs(position.z_coordinate.value.value) <= units.MAX_COORDINATE)
    centre = np.array([position.x_coordinate.value.value, position.y_coordinate.value.value,
                       position.z_coordinate.value.value if has_height else 0]) * units.CM
    box = transform_boxes(reference.map_from_enu, Boxes(
        centre[None], size[None], np.array([yaw]), velocity[None], np.array([label], np.int64), np.array([score]),
        np.array([one.object_id.value], np.int64)))
    if not has_height:
        # It stands on the ground, which is level with the origin of the map as far as anybody knows.
        box.centre[0, 2] = size[2] / 2
    stated = TrackUncertainty.unknown(1)
    place = _place_spread(one, reference.spread, has_height)
    if place is not None:
        turn = (units.variance(angle.confidence.value, units.ANGLE, units.NO_CONFIDENCE) if has_yaw else None)
        stated = TrackUncertainty(
            np.array([score]), place[None], np.array([np.pi ** 2 if turn is None else max(turn, LEAST_STD_RAD ** 2)]),
            np.array([0.0 if has_yaw else 0.5]), size_spread[None], velocity_spread[None],
        ).rotated(nearest_rotation(reference.map_from_enu[:3, :3]))
    return _Seen(box, stated, reference.stamp_ns + delta_ms * 10**6)


def _place_spread(one: PerceivedObject, of_reference: np.ndarray, has_height: bool) -> np.ndarray | None:
    """Return the covariance (3, 3) of a place, None where none is stated."""
    position, result = one.position, np.diag([0.0, 0.0, NOT_STATED])
    result[:2, :2] = of_reference
    axes = [position.x_coordinate, position.y_coordinate, *([position.z_coordinate] if has_height else [])]
    for i, axis in enumerate(axes):
        stated = units.variance(axis.confidence.value, units.CM, units.NO_COORDINATE_CONFIDENCE)
        if stated is None and i < 2:
            return None
        if stated is not None:
            result[i, i] = max(stated, LEAST_STD_M ** 2) + (result[i, i] if i < 2 else 0.0)
    return result


def _ellipse(ellipse: Any) -> np.ndarray:
    """Return the covariance (2, 2) of where the station is, 0 where it does not say; axes to east and north."""
    axes = [ellipse.semi_major_confidence.value, ellipse.semi_minor_confidence.value]
    clockwise = ellipse.semi_major_orientation.value
    if not all(0 < axis < units.NO_AXIS - 1 for axis in axes) or clockwise >= units.FULL_TURN:
        return np.zeros((2, 2))
    yaw = np.pi / 2 - clockwise * units.ANGLE
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return turn * (np.array(axes) * units.CM / units.ELLIPSE_SIGMAS_95) ** 2 @ turn.T


def _velocity(one: PerceivedObject) -> tuple[np.ndarray, np.ndarray]:
    """Return (2,) m/s to east and north, NaN where unknown or not to be trusted, and its covariance (2, 2)."""
    nothing = np.full(2, np.nan), NOT_STATED * np.eye(2)
    if not one.velocity_is_present:
        return nothing
    if one.velocity.choice == Velocity3dWithConfidence.CHOICE_CARTESIAN_VELOCITY:
        parts = one.velocity.cartesian_velocity.x_velocity, one.velocity.cartesian_velocity.y_velocity
        if any(p.value.value >= units.NO_VELOCITY or p.confidence.value == units.NO_CONFIDENCE - 1 for p in parts):
            return nothing
        return np.array([p.value.value for p in parts]) * units.CM, np.diag(
            [_spread(p.confidence.value, units.CM, LEAST_STD_M) for p in parts])
    polar = one.velocity.polar_velocity
    speed, angle = polar.velocity_magnitude, polar.velocity_direction
    if (speed.speed_value.value >= units.NO_SPEED or speed.speed_confidence.value == units.NO_CONFIDENCE - 1
            or angle.value.value >= units.FULL_TURN):
        return nothing
    yaw, metres_s = angle.value.value * units.ANGLE, speed.speed_value.value * units.CM
    across = metres_s ** 2 * _spread(angle.confidence.value, units.ANGLE, LEAST_STD_RAD)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    along = _spread(speed.speed_confidence.value, units.CM, LEAST_STD_M)
    return metres_s * turn[:, 0], turn * np.clip([along, across], LEAST_STD_M ** 2, NOT_STATED) @ turn.T


def _spread(confidence: int, unit: float, least: float) -> float:
    stated = units.variance(confidence, unit, units.NO_CONFIDENCE)
    return NOT_STATED if stated is None else max(stated, least ** 2)


def _size(one: PerceivedObject, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return length, width and height (3,) and their variances; what is not sent is as usual."""
    size, spread = np.array(_USUAL_M[kind]), np.full(3, NOT_STATED)
    for axis, name in enumerate('xyz'):
        part = getattr(one, f'object_dimension_{name}')
        if getattr(one, f'object_dimension_{name}_is_present') and 0 < part.value.value < units.NO_DIMENSION:
            size[axis] = part.value.value * units.DM
            stated = units.variance(part.confidence.value, units.DM, units.NO_DIMENSION_CONFIDENCE)
            spread[axis] = NOT_STATED if stated is None else max(stated, LEAST_STD_M ** 2)
    return size, spread


def _together(seen: Iterable[_Seen], stamp_ns: int | None = None) -> tuple[Boxes, TrackUncertainty]:
    """Return objects as one set, at a time if one is given, moved there by their velocities."""
    seen = list(seen)
    if not seen:
        return Boxes.empty(), TrackUncertainty.unknown(0)
    boxes = Boxes.concatenate([one.box for one in seen])
    stated = TrackUncertainty.concatenate([one.stated for one in seen])
    if stamp_ns is None:
        return boxes, stated
    seconds = np.array([(stamp_ns - one.stamp_ns) / 1e9 for one in seen])
    centre = boxes.centre.copy()
    centre[:, :2] += np.nan_to_num(boxes.velocity) * seconds[:, None]
    return boxes.with_(centre=centre), stated.moved(seconds)
