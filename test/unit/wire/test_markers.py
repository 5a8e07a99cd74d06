"""Markers of tracks, of what was received and of what was fused."""

import numpy as np
import pytest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from cooptrack_ros.common.colours import ROADSIDE_COLOUR
from cooptrack_ros.common.config import R50
from cooptrack_ros.common.types import Boxes, Provenance
from cooptrack_ros.wire.markers import (
    floors,
    link_markers,
    provenance_markers,
    received_id,
    received_markers,
    track_markers,
    trail_markers,
    vehicle_marker,
)

HEADER = Header(frame_id='ego/lidar')
NAMES = R50.class_names


def boxes(ids, velocity=(2.0, 0.0)):
    n = len(ids)
    return Boxes(centre=np.arange(3.0 * n).reshape(n, 3), size=np.tile([4.0, 2.0, 1.5], (n, 1)),
                 yaw=np.full(n, np.pi / 2), velocity=np.tile(velocity, (n, 1)), label=np.zeros(n, np.int64),
                 score=np.full(n, 0.5), track_id=np.array(ids, np.int64))


def xyz(point):
    return np.array([point.x, point.y, point.z])


def test_each_track_has_one_marker_per_namespace_with_its_identity():
    markers = track_markers(boxes([7, 9]), HEADER, NAMES)
    names = ('boxes', 'heading', 'velocity', 'label')
    assert sorted((m.ns, m.id) for m in markers) == sorted((n, i) for n in names for i in (7, 9))
    assert {m.header.frame_id for m in markers} == {'ego/lidar'}
    assert all(m.action == Marker.ADD for m in markers)


def test_no_tracks_give_no_markers():
    assert track_markers(Boxes.empty(), HEADER, NAMES) == []
    assert received_markers(Boxes.empty(), [], HEADER, NAMES) == []


def test_heading_points_along_the_yaw_and_velocity_along_the_motion():
    box, heading, velocity, text = track_markers(boxes([1]), HEADER, NAMES)
    np.testing.assert_allclose(xyz(heading.points[1]) - xyz(heading.points[0]), [0, 3, 0], atol=1e-9)
    np.testing.assert_allclose(xyz(velocity.points[1]) - xyz(velocity.points[0]), [2, 0, 0], atol=1e-9)
    assert (box.scale.x, box.scale.y, box.scale.z) == (4.0, 2.0, 1.5)
    assert text.text == '#1 car .50'
    assert (text.color.r, text.color.g, text.color.b) == (box.color.r, box.color.g, box.color.b)


@pytest.mark.parametrize('velocity', [(np.nan, np.nan), (0.0, 0.1)])
def test_unknown_or_no_velocity_has_no_arrow(velocity):
    assert [m.ns for m in track_markers(boxes([1], velocity), HEADER, NAMES)] == ['boxes', 'heading', 'label']


def test_an_identity_keeps_its_colour_and_others_can_be_given():
    first = track_markers(boxes([3]), HEADER, NAMES)[0].color
    again = track_markers(boxes([2, 3]), HEADER, NAMES)[4].color
    assert (first.r, first.g, first.b) == (again.r, again.g, again.b)
    assert track_markers(boxes([3]), HEADER, NAMES, [(0.0, 1.0, 0.0)])[0].color.g == 1.0


def test_received_instances_of_two_units_have_namespaces_and_ids_of_their_own():
    markers = received_markers(boxes([1, 1]), ['rsu_1', 'rsu_2'], HEADER, NAMES)
    assert {m.ns for m in markers} == {'infra/boxes', 'infra/heading', 'infra/velocity', 'infra/label'}
    assert {m.id for m in markers if m.ns == 'infra/boxes'} == {received_id('rsu_1', 1), received_id('rsu_2', 1)}
    assert len({(m.ns, m.id) for m in markers}) == len(markers)
    assert [m.text for m in markers if m.ns == 'infra/label'] == ['rsu_1/1 car .50', 'rsu_2/1 car .50']


def test_ids_of_received_instances_never_change():
    assert received_id('rsu_1', 17) == 840793086
    ids = {received_id(f'rsu_{u}', i) for u in range(4) for i in range(5000)}
    assert len(ids) > 19990 and min(ids) >= 0 and max(ids) < 2 ** 31


def test_an_outline_has_twelve_edges_of_the_box():
    outline = received_markers(boxes([1]), ['rsu_1'], HEADER, NAMES)[0]
    ends = np.array([xyz(p) for p in outline.points]).reshape(12, 2, 3)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    np.testing.assert_allclose(np.sort(lengths), [1.5] * 4 + [2.0] * 4 + [4.0] * 4)


def test_a_trail_counts_from_the_last_position_in_the_map():
    points = np.array([[4_000_000.0, 5.0, 1.0], [4_000_001.0, 5.5, 1.0], [4_000_002.0, 6.0, 1.0]])
    trail, = trail_markers([(7, points)], Header(frame_id='map'), [(1.0, 0.0, 0.0)])
    assert (trail.ns, trail.id, trail.header.frame_id, trail.type) == ('trail', 7, 'map', Marker.LINE_STRIP)
    np.testing.assert_array_equal(xyz(trail.pose.position), points[-1])
    np.testing.assert_array_equal([xyz(trail.pose.position) + xyz(p) for p in trail.points], points)


def test_what_stands_or_was_just_found_has_no_trail():
    jitter = np.array([[0.0, 0.0, 0.0], [0.2, 0.1, 0.0], [0.0, 0.1, 3.0]])
    trails = [(1, jitter), (2, np.zeros((1, 3))), (3, np.zeros((0, 3)))]
    assert trail_markers(trails, Header(), [(1.0, 0.0, 0.0)] * 3) == []


def test_a_link_joins_track_and_instance():
    tracks, received = boxes([5, 6]), boxes([1, 2, 3])
    line, = link_markers(tracks, received, [(1, 2)], HEADER)
    assert (line.ns, line.id, line.type) == ('links', 6, Marker.LINE_LIST)
    np.testing.assert_array_equal(xyz(line.points[0])[:2], tracks.centre[1, :2])
    np.testing.assert_array_equal(xyz(line.points[1])[:2], received.centre[2, :2])


def test_the_affinity_is_the_second_line_of_the_label_of_what_was_associated():
    labels = [m for m in track_markers(boxes([5, 6]), HEADER, NAMES, affinities={6: 0.876}, label_m=1.2)
              if m.ns == 'label']
    assert [m.text for m in labels] == ['#5 car .50', '#6 car .50\n.88']
    assert [m.scale.z for m in labels] == [1.2, 1.2]


def test_a_score_of_one_keeps_its_one():
    one = boxes([1]).with_(score=np.ones(1))
    assert track_markers(one, HEADER, NAMES)[-1].text == '#1 car 1.00'


def test_the_provenance_is_seen_at_a_glance_whatever_the_colours_mean():
    frames = provenance_markers(boxes([1, 2, 3]), np.array([Provenance.EGO, Provenance.ROADSIDE, Provenance.FUSED]),
                                HEADER)
    assert [(m.ns, m.id, m.type, m.scale.x) for m in frames] == [('provenance', i, Marker.LINE_LIST, 0.1)
                                                                 for i in (2, 3)]
    np.testing.assert_allclose([(m.color.r, m.color.g, m.color.b) for m in frames], [ROADSIDE_COLOUR, (1, 1, 1)])


def test_the_vehicle_stands_on_the_ground_of_its_own_frame():
    marker = vehicle_marker(Header(frame_id='ego/base_link'))
    assert (marker.ns, marker.id, marker.type, marker.header.frame_id) == ('ego', 0, Marker.CUBE, 'ego/base_link')
    assert marker.pose.position.z == marker.scale.z / 2


def test_boxes_stand_on_their_floors():
    np.testing.assert_array_equal(floors(boxes([1])), [[0.0, 1.0, 2.0 - 0.75]])
