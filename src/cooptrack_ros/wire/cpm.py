"""
Tracks of a roadside unit as Collective Perception Messages of ETSI TS 103 324 V2.1.1, for vehicles of others.

In the types of ika's ``etsi_its_cpm_ts_msgs``; docs/cpm.md says field by field what is mapped. Confidences there are
half widths of 95 % intervals, here everything is one standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from etsi_its_cpm_ts_msgs.msg import (
    CollectivePerceptionMessage,
    ObjectClass,
    ObjectClassWithConfidence,
    PerceivedObject,
    Velocity3dWithConfidence,
    WrappedCpmContainer,
)

from cooptrack_msgs.msg import Track, TrackArray

from ..common.earth import Geodetic, MapPlace
from ..common.geometry import nearest_rotation, transform_boxes
from ..common.types import Boxes
from ..common.uncertainty import TrackUncertainty
from . import cpm_units as units
from .arrays import stamp_ns
from .tracks import tracks_in_map
from .uncertainty import uncertainty_in_map

_VEHICLES = {'car': 5, 'van': 5, 'bus': 6, 'truck': 8, 'trailer': 9}
_VRU = {'pedestrian': 0, 'bicycle': 1, 'cyclist': 1, 'motorcycle': 2, 'motorcyclist': 2}
"""By class name of a model: the kind of vehicle, and the profile of other road users."""
_OLD_MS = 1500
"""Older objects are of this age."""


def to_cpm(msg: TrackArray, place: MapPlace, station_id: int, turn_rates: Mapping[int, float],
           max_objects: int = units.MAX_OBJECTS) -> CollectivePerceptionMessage:
    """
    Return the tracks of a roadside unit, seen from the origin of the frame of their header.

    :param place: of the map; :param turn_rates: of tracks, rad/s, by number; :param max_objects: the best by score.
    """
    unit = place.geodetic(np.array(msg.map_from_lidar, np.float64).reshape(4, 4)[:3, 3])
    enu_from_map = np.linalg.inv(place.map_from_enu(unit))
    boxes = transform_boxes(enu_from_map, tracks_in_map(msg))
    stated = uncertainty_in_map(msg).rotated(nearest_rotation(enu_from_map[:3, :3]))
    near = (np.abs(boxes.centre) < units.MAX_COORDINATE * units.CM).all(1)
    best = np.argsort(-np.where(near, boxes.score, -1), kind='stable')[:min(max_objects, int(near.sum()))]
    result = CollectivePerceptionMessage()
    result.header.protocol_version.value, result.header.message_id.value = units.VERSION, units.MESSAGE_ID
    result.header.station_id.value = station_id
    management = result.payload.management_container
    management.reference_time.value = units.its_time_ms(stamp_ns(msg.header.stamp))
    _set_position(management.reference_position, unit)
    sender, seen = WrappedCpmContainer(), WrappedCpmContainer()
    sender.container_id.value, seen.container_id.value = units.RSU, units.OBJECTS
    container = seen.container_data_perceived_object_container
    container.number_of_perceived_objects.value = min(len(boxes), units.MAX_OBJECTS)
    container.perceived_objects.array = [
        _object(boxes[row], stated[row], msg.tracks[row], turn_rates.get(msg.tracks[row].id))
        for row in np.sort(best).tolist()]
    result.payload.cpm_containers.value.array = [sender, seen]
    return result


def _set_position(position: Any, unit: Geodetic) -> None:
    position.latitude.value = round(unit.latitude / units.DEGREE)
    position.longitude.value = round(unit.longitude / units.DEGREE)
    position.altitude.altitude_value.value = _within(
        unit.height_m / units.CM, units.LOW_ALTITUDE, units.MAX_ALTITUDE)
    position.altitude.altitude_confidence.value = units.NO_ALTITUDE_CONFIDENCE
    ellipse = position.position_confidence_ellipse
    ellipse.semi_major_confidence.value = ellipse.semi_minor_confidence.value = units.NO_AXIS
    ellipse.semi_major_orientation.value = units.NO_HEADING


def _object(box: Boxes, stated: TrackUncertainty, track: Track, turn_rate: float | None) -> PerceivedObject:
    """Return one track; :param box: without its first axis; :param stated: the same, both in the axes of the Earth."""
    result = PerceivedObject(object_id_is_present=True, angles_is_present=True, object_age_is_present=True,
                             object_perception_quality_is_present=True, classification_is_present=True)
    result.object_id.value = track.id % 65_536
    position = result.position
    position.z_coordinate_is_present = True
    for axis, part in enumerate((position.x_coordinate, position.y_coordinate, position.z_coordinate)):
        part.value.value = round(float(box.centre[axis]) / units.CM)
        part.confidence.value = units.confidence(stated.position[axis, axis], units.CM, units.NO_COORDINATE_CONFIDENCE)
    if np.isfinite(box.velocity).all():
        result.velocity_is_present, result.velocity.choice = True, Velocity3dWithConfidence.CHOICE_CARTESIAN_VELOCITY
        moving = result.velocity.cartesian_velocity
        for axis, part in enumerate((moving.x_velocity, moving.y_velocity)):
            part.value.value = _within(box.velocity[axis] / units.CM, -units.MAX_VELOCITY, units.MAX_VELOCITY)
            part.confidence.value = units.confidence(stated.velocity[axis, axis], units.CM, units.NO_CONFIDENCE)
    angle = result.angles.z_angle
    angle.value.value = round(float(box.yaw) / units.ANGLE) % units.FULL_TURN
    angle.confidence.value = units.confidence(stated.heading, units.ANGLE, units.NO_CONFIDENCE)
    if turn_rate is not None:
        result.z_angular_velocity_is_present = True
        result.z_angular_velocity.value.value = _within(np.degrees(turn_rate), -units.MAX_TURN, units.MAX_TURN)
        result.z_angular_velocity.confidence.value = units.NO_TURN_CONFIDENCE
    for axis, name in enumerate('xyz'):
        part = getattr(result, f'object_dimension_{name}')
        setattr(result, f'object_dimension_{name}_is_present', True)
        part.value.value = _within(box.size[axis] / units.DM, 1, units.MAX_DIMENSION)
        part.confidence.value = units.confidence(stated.size[axis], units.DM, units.NO_DIMENSION_CONFIDENCE)
    result.object_age.value = _within(1e3 * track.age_s, 0, _OLD_MS)
    sure = track.existence if track.has_uncertainty else track.score
    result.object_perception_quality.value = _within(units.QUALITY * sure, 0, units.QUALITY)
    result.classification.array = [ObjectClassWithConfidence(object_class=_class(track.class_name.lower()))]
    result.classification.array[0].confidence.value = units.NO_LEVEL
    return result


def _within(value: float, low: int, high: int) -> int:
    return min(max(round(float(value)), low), high)


def _class(name: str) -> ObjectClass:
    result = ObjectClass()
    if name in _VRU:
        result.choice, result.vru_sub_class.choice = ObjectClass.CHOICE_VRU_SUB_CLASS, _VRU[name]
    elif name in _VEHICLES:
        result.choice, result.vehicle_sub_class.value = ObjectClass.CHOICE_VEHICLE_SUB_CLASS, _VEHICLES[name]
    else:
        result.choice = ObjectClass.CHOICE_OTHER_SUB_CLASS
    return result
