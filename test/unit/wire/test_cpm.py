"""Tracks as Collective Perception Messages and back; the types are plain objects unless the real ones are there."""

import numpy as np
import pytest
from support import cpm_types

from cooptrack_ros.common.earth import Geodetic, MapPlace
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import make_pose, nearest_rotation, rotation_z, transform_boxes, wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.foreign import NOT_STATED
from cooptrack_ros.wire import cpm_units as units
from cooptrack_ros.wire.features import FeatureLimits
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks

cpm_types.install()

from etsi_its_cpm_ts_msgs.msg import ObjectClass, Velocity3dWithConfidence  # noqa: E402

from cooptrack_ros.wire.cpm import to_cpm  # noqa: E402
from cooptrack_ros.wire.cpm_reader import CpmReader  # noqa: E402

NOW = 1_700_000_000_250_000_000
PLACE = MapPlace(Geodetic(50.7753, 6.0839, 220.0), 0.4)
UNIT_YAW = np.radians(75)
MAP_FROM_LIDAR = make_pose(rotation_z(UNIT_YAW), [100.0, 200.0, 6.0])
CLASSES = ('car', 'bicycle', 'pedestrian', 'truck')
STATION = 4711


def tracks(yaw=(0.5,), velocity=((6.0, 2.0),), label=None, ns=NOW, centre=None, score=0.6, ids=None,
           uncertainty=None):
    """Return the tracks of a roadside unit as a message, and its boxes in the map."""
    n = len(yaw)
    centre = np.tile([30.0, -4.0, -5.0], (n, 1)) + 6.0 * np.arange(n)[:, None] if centre is None else np.array(centre)
    boxes = Boxes(centre, np.tile([4.5, 1.9, 1.6], (n, 1)), np.array(yaw), np.array(velocity, float).reshape(n, 2),
                  np.zeros(n, np.int64) if label is None else np.array(label), np.full(n, score),
                  np.arange(1, n + 1) if ids is None else np.array(ids))
    meta = TrackMeta(ns, 'infra/rsu_1/lidar', 'roadside', 'model', 'map', MAP_FROM_LIDAR, CLASSES)
    none = np.zeros(n, np.int64)
    # What is stated is given in the axes of the map.
    stated = uncertainty and uncertainty.rotated(MAP_FROM_LIDAR[:3, :3].T)
    return encode_tracks(boxes, meta, np.full(n, 0.7), none, {}, uncertainty=stated), transform_boxes(
        MAP_FROM_LIDAR, boxes)


def sent(*args, rates=None, **changes):
    """Return the CPM of tracks."""
    return to_cpm(tracks(*args, **changes)[0], PLACE, STATION, rates or {})


def reader(**limits):
    """Return what reads them in the same map."""
    return CpmReader(PLACE, CLASSES, FeatureLimits(**limits))


def objects(msg):
    """Return the objects of a CPM."""
    return msg.payload.cpm_containers.value.array[1].container_data_perceived_object_container.perceived_objects.array


def test_what_a_unit_sends_is_read_as_it_was_to_the_resolution_of_the_fields():
    changes = {'yaw': [0.5, -2.9, 3.0], 'velocity': [[6, 2], [-3.337, 0.004], [np.nan, np.nan]], 'label': [0, 2, 1]}
    _, boxes = tracks(**changes)
    found = reader().read(sent(**changes))
    assert (found.stamp_ns, found.session, found.no_class) == (NOW, STATION, 0)
    np.testing.assert_allclose(found.place, MAP_FROM_LIDAR[:3, 3], atol=0.02)
    np.testing.assert_allclose(found.boxes.centre, boxes.centre, atol=0.025)
    np.testing.assert_allclose(wrap_angle(found.boxes.yaw - boxes.yaw), 0, atol=np.radians(0.06))
    np.testing.assert_allclose(found.boxes.velocity, boxes.velocity, atol=0.008)
    np.testing.assert_allclose(found.boxes.size, boxes.size, atol=1e-9)
    assert found.boxes.label.tolist() == [0, 2, 1] and found.boxes.track_id.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.boxes.score, 0.6)
    assert not found.uncertainty.known.any()


def test_an_object_at_30_degrees_that_turns_while_moving_keeps_place_heading_velocity_and_rate():
    mine, centre, yaw = reader(), np.array([30.0, -4.0, -5.0]), np.radians(30)
    for frame in range(60):
        velocity = 8.0 * np.array([np.cos(yaw), np.sin(yaw)])
        changes = {'yaw': [wrap_angle(yaw)], 'velocity': [velocity], 'centre': [centre.copy()],
                   'ns': NOW + frame * 100_000_000}
        msg, (_, boxes) = sent(rates={1: 0.6}, **changes), tracks(**changes)
        rate = objects(msg)[0].z_angular_velocity
        # 0.6 rad/s are 34.4 degrees a second.
        assert rate.value.value == 34
        # The angle counts from east, counter-clockwise.
        east = wrap_angle(yaw + UNIT_YAW + PLACE.yaw_rad)
        assert wrap_angle(objects(msg)[0].angles.z_angle.value.value * units.ANGLE - east) == pytest.approx(0, abs=1e-3)
        found = mine.read(msg).boxes
        np.testing.assert_allclose(found.centre, boxes.centre, atol=0.025)
        assert abs(wrap_angle(found.yaw - boxes.yaw)[0]) < np.radians(0.06)
        along = found.velocity[0] @ [np.cos(boxes.yaw[0]), np.sin(boxes.yaw[0])]
        assert along == pytest.approx(8.0, abs=0.01)
        centre[:2] += 0.1 * velocity
        yaw += 0.06


def test_half_a_95_percent_interval_is_sent_and_one_sigma_read():
    stated = TrackUncertainty(np.array([0.9]), np.diag([0.25, 1.0, 0.04])[None], np.array([0.01]), np.array([0.0]),
                              np.array([[0.09, 0.01, 0.04]]), np.diag([0.16, 0.36])[None])
    north_up = MapPlace(PLACE.origin)
    msg = to_cpm(tracks(uncertainty=stated)[0], north_up, STATION, {})
    one = objects(msg)[0]
    assert [one.position.x_coordinate.confidence.value, one.position.y_coordinate.confidence.value] == [98, 196]
    assert [one.velocity.cartesian_velocity.x_velocity.confidence.value,
            one.velocity.cartesian_velocity.y_velocity.confidence.value] == [79, 118]
    assert one.angles.z_angle.confidence.value == 113
    assert one.object_dimension_x.confidence.value == 6
    read = CpmReader(north_up, CLASSES, FeatureLimits()).read(msg).uncertainty
    np.testing.assert_allclose(np.sqrt(np.diagonal(read.position[0])), [0.5, 1.0, 0.2], atol=0.006)
    np.testing.assert_allclose(np.sqrt(np.diagonal(read.velocity[0])), [0.4, 0.6], atol=0.006)
    np.testing.assert_allclose(np.sqrt(read.heading), [0.1], atol=0.001)
    np.testing.assert_allclose(np.sqrt(read.size[0]), [0.3, 0.1, 0.2], atol=0.06)
    # A probability of existence of 0.9 is 14 of 15.
    assert (read.existence[0], read.flip[0]) == (pytest.approx(14 / 15), 0.0)


def test_covariances_turn_with_the_map():
    diagonal, turn = np.diag([0.25, 1.0, 0.04]), rotation_z(PLACE.yaw_rad)
    stated = TrackUncertainty(np.array([0.9]), (turn.T @ diagonal @ turn)[None],
                              np.array([0.01]), np.array([0.0]), np.full((1, 3), 0.01), np.diag([0.1, 0.1])[None])
    msg = sent(uncertainty=stated)
    assert [objects(msg)[0].position.x_coordinate.confidence.value,
            objects(msg)[0].position.y_coordinate.confidence.value] == [98, 196]
    np.testing.assert_allclose(reader().read(msg).uncertainty.position, stated.position, atol=0.01)


def test_times_count_leap_seconds_since_2004():
    # The example of the standard: 2007-01-01 is 94 694 401 000.
    assert units.its_time_ms(1_167_609_600 * 10**9) == 94_694_401_000
    for second in (1_072_915_200, 1_136_073_599, 1_136_073_600, 1_341_100_799, 1_341_100_800, 1_483_228_799,
                   1_483_228_800, 1_700_000_000):
        assert units.ros_time_ns(units.its_time_ms(second * 10**9)) == second * 10**9
    assert units.its_time_ms(1_700_000_000 * 10**9) - 1000 * (1_700_000_000 - 1_072_915_200) == 5000


def test_the_head_says_who_sends_when_and_from_where():
    msg = sent()
    header, management = msg.header, msg.payload.management_container
    assert (header.protocol_version.value, header.message_id.value, header.station_id.value) == (2, 14, STATION)
    place = PLACE.geodetic(MAP_FROM_LIDAR[:3, 3])
    position = management.reference_position
    assert position.latitude.value == round(1e7 * place.latitude)
    assert position.longitude.value == round(1e7 * place.longitude)
    assert position.altitude.altitude_value.value == round(100 * place.height_m)
    assert [c.container_id.value for c in msg.payload.cpm_containers.value.array] == [2, 5]


def test_only_the_best_are_sent_and_nothing_beyond_the_range_of_the_fields():
    msg, _ = tracks(yaw=[0.0] * 4, velocity=[[0, 0]] * 4,
                    centre=[[10, 0, 0], [20, 0, 0], [30, 0, 0], [2000, 0, 0]], ids=[1, 2, 3, 70_000])
    for track, score in zip(msg.tracks, (0.5, 0.9, 0.7, 1.0), strict=True):
        track.score = score
    best = to_cpm(msg, PLACE, STATION, {}, 2)
    assert [one.object_id.value for one in objects(best)] == [2, 3]
    container = best.payload.cpm_containers.value.array[1].container_data_perceived_object_container
    assert container.number_of_perceived_objects.value == 4


def test_what_was_left_out_of_a_message_holds_for_a_second_and_moves():
    mine = reader()
    first = mine.read(sent(yaw=[0.0, 0.0], velocity=[[5.0, 0], [0, 0]]))
    known = mine.read(sent(yaw=[0.0], velocity=[[0, 0]], centre=[[36, 2, 1]], ids=[2], ns=NOW + 500_000_000))
    assert known.boxes.track_id.tolist() == [1, 2] and known.stamp_ns == NOW + 500_000_000
    np.testing.assert_allclose(known.boxes.centre[0] - first.boxes.centre[0], [*(0.5 * first.boxes.velocity[0]), 0.0])
    later = mine.read(sent(yaw=[0.0], velocity=[[0, 0]], centre=[[36, 2, 1]], ids=[2], ns=NOW + 1_200_000_000))
    assert later.boxes.track_id.tolist() == [2]
    back = mine.read(sent(yaw=[0.0], velocity=[[0, 0]], ids=[9], ns=NOW - 20_000_000_000))
    assert back.boxes.track_id.tolist() == [9]


def test_parts_of_one_time_count_one_after_another_and_hold_together():
    mine, parts = reader(), [sent(ids=[1]), sent(ids=[2], centre=[[60.0, 0, 0]])]
    for number, part in enumerate(parts, start=1):
        info = part.payload.management_container
        info.segmentation_info_is_present = True
        info.segmentation_info.total_msg_no.value, info.segmentation_info.this_msg_no.value = 2, number
    first, both = map(mine.read, parts)
    assert (first.stamp_ns, both.stamp_ns) == (NOW, NOW + 10_000_000)
    assert both.boxes.track_id.tolist() == [1, 2]


def test_the_time_of_measurement_is_that_of_the_object():
    msg = sent()
    still = reader().read(msg)
    objects(msg)[0].measurement_delta_time.value = -200
    moved = reader().read(msg)
    np.testing.assert_allclose(moved.boxes.centre[0, :2] - still.boxes.centre[0, :2], 0.2 * still.boxes.velocity[0])


def test_what_is_not_sent_is_as_usual_or_unknown():
    msg = sent(label=[2])
    one, position = objects(msg)[0], msg.payload.management_container.reference_position
    for name in ('object_dimension_x', 'object_dimension_y', 'object_dimension_z', 'object_perception_quality'):
        setattr(one, f'{name}_is_present', False)
    one.angles_is_present = one.position.z_coordinate_is_present = False
    position.altitude.altitude_value.value = 800_001
    for axis in (one.position.x_coordinate, one.position.y_coordinate):
        axis.confidence.value = 98
    found = reader().read(msg)
    np.testing.assert_allclose(found.boxes.size, [[0.6, 0.6, 1.7]])
    assert found.boxes.score.tolist() == [0.5] and found.boxes.centre[0, 2] == pytest.approx(0.85)
    # It looks where it goes.
    assert found.boxes.yaw[0] == pytest.approx(np.arctan2(*found.boxes.velocity[0, ::-1]))
    stated = found.uncertainty
    assert (stated.heading[0], stated.flip[0], stated.position[0, 2, 2]) == (np.pi ** 2, 0.5, pytest.approx(NOT_STATED))
    np.testing.assert_allclose(stated.size[0], NOT_STATED)
    np.testing.assert_allclose(np.sqrt(np.diagonal(stated.position[0])[:2]), 0.5, atol=1e-4)


def test_the_doubt_of_where_the_station_is_comes_on_top():
    msg = sent()
    for axis in (objects(msg)[0].position.x_coordinate, objects(msg)[0].position.y_coordinate):
        axis.confidence.value = 98
    ellipse = msg.payload.management_container.reference_position.position_confidence_ellipse
    ellipse.semi_major_confidence.value, ellipse.semi_minor_confidence.value = 245, 49
    ellipse.semi_major_orientation.value = 900
    spread = reader().read(msg).uncertainty.position[0, :2, :2]
    east = rotation_z(-PLACE.yaw_rad)[:2, 0]
    assert np.sqrt(east @ spread @ east) == pytest.approx(np.hypot(0.5, 1.0), abs=0.01)
    assert np.sqrt(np.linalg.eigvalsh(spread)[0]) == pytest.approx(np.hypot(0.5, 0.2), abs=0.01)


def test_a_velocity_by_speed_and_direction_is_the_same():
    msg = sent()
    expected = reader().read(msg).boxes.velocity[0]
    moving = objects(msg)[0].velocity
    moving.choice = Velocity3dWithConfidence.CHOICE_POLAR_VELOCITY
    enu = rotation_z(PLACE.yaw_rad)[:2, :2] @ expected
    polar = moving.polar_velocity
    polar.velocity_magnitude.speed_value.value = round(100 * np.hypot(*enu))
    polar.velocity_magnitude.speed_confidence.value = 98
    polar.velocity_direction.value.value = round(np.degrees(np.arctan2(*enu[::-1])) * 10) % 3600
    polar.velocity_direction.confidence.value = 127
    np.testing.assert_allclose(reader().read(msg).boxes.velocity[0], expected, atol=0.02)
    polar.velocity_magnitude.speed_confidence.value = 126
    assert np.isnan(reader().read(msg).boxes.velocity).all()


def test_classes_that_nobody_tracks_are_counted_and_the_surest_one_counts():
    msg = sent(yaw=[0.0] * 3, velocity=[[0, 0]] * 3, label=[3, 0, 0])
    animal, several = objects(msg)[1:]
    animal.classification.array[0].object_class.choice = ObjectClass.CHOICE_OTHER_SUB_CLASS
    surest = type(several.classification.array[0])()
    surest.object_class.choice, surest.confidence.value = ObjectClass.CHOICE_VRU_SUB_CLASS, 60
    several.classification.array.append(surest)
    found = reader().read(msg)
    assert found.boxes.label.tolist() == [3, 2] and found.no_class == 1


def test_another_station_is_not_listened_to():
    assert CpmReader(PLACE, CLASSES, FeatureLimits(), 1).read(sent()) is None
    assert CpmReader(PLACE, CLASSES, FeatureLimits(), STATION).read(sent()) is not None


def spoil(path, value):
    """Return a function that sets a field, of the message or of its first object."""
    def change(msg):
        part = objects(msg)[0] if path[0] == 'object' else msg.payload.management_container
        for name in path[1:-1]:
            part = getattr(part, name)
        setattr(part, path[-1], value)
    return change


@pytest.mark.parametrize(('reason', 'change'), [
    ('wrong_version', lambda msg: setattr(msg.header.message_id, 'value', 2)),
    ('wrong_version', lambda msg: setattr(msg.header.protocol_version, 'value', 1)),
    ('no_position', spoil(['', 'reference_position', 'latitude', 'value'], 900_000_001)),
    ('no_position', spoil(['', 'reference_position', 'longitude', 'value'], 1_800_000_001)),
    ('implausible', spoil(['', 'reference_time', 'value'], 2**63)),
    ('implausible', spoil(['object', 'measurement_delta_time', 'value'], 30_000)),
    ('implausible', spoil(['object', 'velocity', 'cartesian_velocity', 'x_velocity', 'value', 'value'], -32_000)),
    ('implausible', spoil(['object', 'object_perception_quality', 'value'], 200)),
    ('too_large', lambda msg: objects(msg).extend(objects(msg) * 255))])
def test_messages_that_cannot_be_true_are_refused(reason, change):
    msg = sent()
    change(msg)
    with pytest.raises(WireError) as caught:
        reader().read(msg)
    assert caught.value.reason == reason


def test_a_message_without_objects_keeps_what_is_known_and_one_out_of_range_is_passed_over():
    empty, far = sent(yaw=[], velocity=np.zeros((0, 2))), sent()
    assert len(reader().read(empty).boxes) == 0
    empty.payload.cpm_containers.value.array = []
    assert len(reader().read(empty).boxes) == 0
    objects(far)[0].position.x_coordinate.value.value = 131_071
    assert len(reader().read(far).boxes) == 0


def test_the_plane_of_a_far_unit_is_tilted_by_no_more_than_the_earth_is_round():
    tilt = nearest_rotation(PLACE.map_from_enu(PLACE.geodetic(np.array([1000.0, 0, 0])))[:3, :3])[2, 2]
    assert 1 - tilt < 2e-8
