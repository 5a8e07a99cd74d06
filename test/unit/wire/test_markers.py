"""Markers of tracks."""

import numpy as np
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from cooptrack_ros.core.types import Boxes
from cooptrack_ros.wire.markers import NAMESPACES, track_markers


def boxes(ids, velocity=(2.0, 0.0)):
    n = len(ids)
    return Boxes(centre=np.arange(3.0 * n).reshape(n, 3), size=np.tile([4.0, 2.0, 1.5], (n, 1)),
                 yaw=np.full(n, np.pi / 2), velocity=np.tile(velocity, (n, 1)), label=np.zeros(n, np.int64),
                 score=np.full(n, 0.5), track_id=np.array(ids, np.int64))


def test_each_track_has_one_marker_per_namespace_with_its_identity():
    markers = track_markers(boxes([7, 9]), Header(frame_id='ego/lidar')).markers
    assert sorted((m.ns, m.id) for m in markers) == sorted((n, i) for n in NAMESPACES for i in (7, 9))
    assert {m.header.frame_id for m in markers} == {'ego/lidar'}
    assert all(m.action == Marker.ADD for m in markers)


def test_vanished_tracks_are_deleted_in_every_namespace():
    markers = track_markers(boxes([7]), Header(), previous_ids=[7, 8]).markers
    assert [(m.ns, m.id) for m in markers if m.action == Marker.DELETE] == [(n, 8) for n in NAMESPACES]


def test_no_tracks_give_only_deletions():
    assert track_markers(Boxes.empty(), Header()).markers == []
    assert len(track_markers(Boxes.empty(), Header(), previous_ids={1}).markers) == len(NAMESPACES)


def test_heading_points_along_the_yaw_and_velocity_along_the_motion():
    box, heading, velocity, text = track_markers(boxes([1]), Header()).markers
    assert heading.points[1].y - heading.points[0].y == np.float64(3.0)
    assert abs(heading.points[1].x - heading.points[0].x) < 1e-9
    assert velocity.points[1].x - velocity.points[0].x == 2.0
    assert (box.scale.x, box.scale.y, box.scale.z) == (4.0, 2.0, 1.5)
    assert text.text == 'car 1 0.50'


def test_unknown_or_no_velocity_removes_the_arrow():
    for velocity in ((np.nan, np.nan), (0.0, 0.1)):
        arrow = track_markers(boxes([1], velocity), Header()).markers[2]
        assert (arrow.ns, arrow.action) == ('velocity', Marker.DELETE)


def test_an_identity_keeps_its_colour_and_ground_truth_can_have_its_own():
    first = track_markers(boxes([3]), Header()).markers[0].color
    again = track_markers(boxes([2, 3]), Header()).markers[4].color
    assert (first.r, first.g, first.b) == (again.r, again.g, again.b)
    assert track_markers(boxes([3]), Header(), colour=(0.0, 1.0, 0.0)).markers[0].color.g == 1.0
