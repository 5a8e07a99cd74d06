"""What a node shows of its tracks, of what it received and of what it fused."""

from dataclasses import replace

import numpy as np
from support.ros_world import START_NS, STEP_NS, boxes, instances
from visualization_msgs.msg import Marker

from cooptrack_ros.common.colours import PROVENANCE_COLOURS
from cooptrack_ros.common.config import R50
from cooptrack_ros.common.geometry import make_pose
from cooptrack_ros.common.types import Match, RoadsideMessage
from cooptrack_ros.nodes.outputs.marker_output import MarkerOutput
from cooptrack_ros.nodes.settings import EgoSettings
from cooptrack_ros.wire.tracks import TrackMeta


class Shown:
    """A publisher that keeps messages, and the frames before it."""

    def __init__(self, **settings):
        self.messages, self.settings, self.frame = [], EgoSettings(**settings), 0
        self.output, self.listeners = MarkerOutput(self), 1

    def get_subscription_count(self):
        return self.listeners

    def publish(self, message):
        self.messages.append(message)

    def show(self, tracks, matches=(), messages=(), provenance=None, x=0.0, reset=False, base_frame=''):
        """Return the markers of the next frame by namespace and id."""
        stamp = START_NS + self.frame * STEP_NS
        self.frame += 1
        meta = TrackMeta(stamp, 'ego/lidar', 'none', '', 'map', make_pose(np.eye(3), [x, 0, 0]),
                         R50.class_names, reset)
        if provenance is None:
            provenance = np.zeros(len(tracks), int)
        self.output.publish(tracks, provenance, {m.track_id: m for m in matches}, messages, meta, self.settings,
                            base_frame)
        return {(m.ns, m.id): m for m in self.messages[-1].markers} if self.messages else {}


def received(unit='rsu_1', age_s=0.0, velocity=(0.0, 0.0)):
    found = instances(2)
    found = replace(found, boxes=found.boxes.with_(velocity=np.tile(velocity, (2, 1))))
    return RoadsideMessage(unit, START_NS - round(age_s * 1e9), found, make_pose(np.eye(3), [1.0, 0, 0]))


def test_what_was_received_stands_in_the_ego_frame_at_the_time_of_the_image():
    markers = Shown().show(boxes(0), messages=[received(age_s=0.5, velocity=(4.0, 0.0))])
    heading = [m for (ns, _), m in markers.items() if ns == 'infra/heading']
    assert [m.points[0].x for m in heading] == [10 + 1 + 2, 15 + 1 + 2]
    assert {m.header.frame_id for m in heading} == {'ego/lidar'}


def test_links_lead_to_the_instance_of_the_right_unit():
    messages = [received('rsu_1'), received('rsu_2')]
    messages[1] = replace(messages[1], ego_from_infra=make_pose(np.eye(3), [2.0, 3.0, 0]))
    markers = Shown().show(boxes(1), [Match(1, 'rsu_2', 1, 2, 0.75)], messages)
    line = markers['links', 1]
    assert (line.points[1].x, line.points[1].y) == (17.0, 3.0)
    assert markers['label', 1].text.endswith('\n.75')


def test_what_was_taken_over_has_no_link():
    markers = Shown().show(boxes(1), [Match(1, 'rsu_1', 0, 1, 0.0)], [received()])
    assert ('links', 1) not in markers
    assert '\n' not in markers['label', 1].text


def test_the_vehicle_is_shown_in_its_own_frame_where_that_is_known():
    assert ('ego', 0) not in Shown().show(boxes(1))
    markers = Shown().show(boxes(1), base_frame='ego/base_link')
    assert markers['ego', 0].header.frame_id == 'ego/base_link'


def test_what_is_fused_or_of_a_unit_alone_is_framed():
    markers = Shown().show(boxes(3), provenance=np.arange(3))
    assert {i for ns, i in markers if ns == 'provenance'} == {2, 3}


def test_trails_grow_in_the_map_while_the_vehicle_drives():
    shown = Shown()
    for step in range(4):
        markers = shown.show(boxes(1), x=float(step))
    trail = markers['trail', 1]
    assert trail.header.frame_id == 'map'
    assert trail.pose.position.z == -0.75
    assert [trail.pose.position.x + p.x for p in trail.points] == [10, 11, 12, 13]
    assert ('trail', 1) not in shown.show(boxes(1), x=4.0, reset=True)


def test_trails_can_be_switched_off():
    shown = Shown(markers__trail_seconds=0.0)
    shown.show(boxes(1))
    assert ('trail', 1) not in shown.show(boxes(1), x=5.0)


def test_colours_can_tell_the_provenance():
    markers = Shown(markers__colour_by='provenance').show(boxes(3), provenance=np.arange(3))
    colours = [markers['boxes', i].color for i in (1, 2, 3)]
    np.testing.assert_allclose([(c.r, c.g, c.b) for c in colours], PROVENANCE_COLOURS)


def test_everything_of_a_track_is_deleted_when_it_is_gone():
    shown = Shown()
    shown.show(boxes(1))
    before = shown.show(boxes(1), [Match(1, 'rsu_1', 0, 1, 0.5)], [received()], x=1.0)
    after = shown.show(boxes(0), x=2.0)
    assert {ns for ns, _ in after} == {'boxes', 'heading', 'trail', 'label', 'links', 'infra/boxes', 'infra/heading',
                                       'infra/label'}
    assert set(after) == set(before) and {m.action for m in after.values()} == {Marker.DELETE}


def test_nothing_is_made_while_nobody_listens_and_a_new_listener_starts_with_an_empty_display():
    shown = Shown()
    shown.listeners = 0
    shown.show(boxes(1))
    assert shown.messages == []
    shown.listeners = 1
    markers = shown.show(boxes(1), x=1.0)
    assert shown.messages[0].markers[0].action == Marker.DELETEALL
    assert len(markers['trail', 1].points) == 2


def test_markers_live_as_long_as_the_parameter_says():
    for settings, expected in (({}, 500_000_000), ({'markers__lifetime': 0.25}, 250_000_000)):
        markers = Shown(**settings).show(boxes(1), messages=[received()], base_frame='ego/base_link')
        assert {m.lifetime.nanosec for m in markers.values() if m.action == Marker.ADD} == {expected}
