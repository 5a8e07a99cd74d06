"""Lists of objects in the frame that the user wants."""

from types import SimpleNamespace

import numpy as np
import pytest

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import make_pose, rotation_z, wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.nodes.outputs.output_frame import OutputFrame
from cooptrack_ros.wire.tracks import TrackMeta, decode_tracks, encode_tracks, tracks_in_map
from cooptrack_ros.wire.uncertainty import decode_uncertainty

MAP_FROM_LIDAR = make_pose(rotation_z(np.radians(75)), [100.0, 200.0, 3.0])
TOWN_FROM_LIDAR = make_pose(rotation_z(np.radians(-20)), [5.0, 6.0, 7.0])
YAW = np.radians(30)
STATED = TrackUncertainty(np.array([0.9]), np.diag([0.25, 1.0, 0.04])[None], np.array([0.01]), np.array([0.0]),
                          np.full((1, 3), 0.01), np.diag([0.1, 0.4])[None])


class Transforms:
    """Knows some transforms; a double of ``TfInput`` that keeps what it was asked for."""

    def __init__(self, **known):
        """Take target_from_source by both names."""
        self.known, self.asked = known, []

    def lookup(self, target, source, stamp_ns):
        """Return a transform or None."""
        self.asked.append((target, source, stamp_ns))
        return self.known.get(f'{target}_{source}')

    def missing(self, target, source):
        """Return what is missing."""
        return WireError('missing_transform', f'{source} to {target}')


def frame(name, tf=None):
    """Return the frame of a node, and what it refuses."""
    refused = []
    context = SimpleNamespace(settings=SimpleNamespace(output__frame=name, map_frame='map'),
                              refuse=lambda source, error: refused.append((source, error.reason)))
    return OutputFrame(context, lambda: tf), refused


def tracks(ns=1000):
    """Return an object at 30 degrees that drives forward, seen in the lidar frame."""
    boxes = Boxes(np.array([[10.0, -4.0, 0.5], [3.0, 0, 0]]), np.ones((2, 3)), np.array([YAW, 0.0]),
                  np.array([[8 * np.cos(YAW), 8 * np.sin(YAW)], [np.nan, np.nan]]), np.zeros(2, np.int64),
                  np.full(2, 0.5), np.array([3, 4]))
    meta = TrackMeta(ns, 'lidar', 'none', 'model', 'map', MAP_FROM_LIDAR, ('car',))
    stated = TrackUncertainty.unknown(2).with_rows([0], STATED)
    return encode_tracks(boxes, meta, np.zeros(2), np.zeros(2, np.int64), {}, uncertainty=stated)


def check(placed, name, frame_from_lidar):
    """Check that tracks stand in a frame, and in the map where they were."""
    assert placed.header.frame_id == name and placed.header.stamp == tracks().header.stamp
    boxes, before = decode_tracks(placed), decode_tracks(tracks())
    np.testing.assert_allclose(boxes.centre[0], (frame_from_lidar @ [10.0, -4.0, 0.5, 1])[:3])
    turn = np.arctan2(frame_from_lidar[1, 0], frame_from_lidar[0, 0])
    np.testing.assert_allclose(wrap_angle(boxes.yaw - before.yaw - turn), 0, atol=1e-9)
    assert boxes.velocity[0] @ [np.cos(boxes.yaw[0]), np.sin(boxes.yaw[0])] == pytest.approx(8.0)
    stated, rotation = decode_uncertainty(placed), frame_from_lidar[:3, :3]
    assert stated.known.tolist() == [True, False]
    np.testing.assert_allclose(stated.position[0], rotation @ STATED.position[0] @ rotation.T, rtol=1e-5, atol=1e-6)
    assert np.isnan(boxes.velocity[1]).all() and boxes.track_id.tolist() == [3, 4]
    here, there = tracks_in_map(placed), tracks_in_map(tracks())
    np.testing.assert_allclose(here.centre, there.centre)
    np.testing.assert_allclose(wrap_angle(here.yaw - there.yaw), 0, atol=1e-9)


def test_without_a_frame_lists_stay_as_they_are():
    lists, msg = frame(''), tracks()
    assert lists[0].place(msg) is msg and not lists[0].is_chosen and not lists[0].needs_tf()


def test_the_map_needs_no_transform():
    wanted, refused = frame('map')
    assert not wanted.needs_tf()
    check(wanted.place(tracks()), 'map', MAP_FROM_LIDAR)
    assert not refused


def test_another_frame_is_looked_up_once_at_the_stamp_of_the_image():
    tf = Transforms(town_lidar=TOWN_FROM_LIDAR)
    wanted, _ = frame('town', tf)
    assert wanted.needs_tf()
    for _ in range(3):
        check(wanted.place(tracks()), 'town', TOWN_FROM_LIDAR)
    assert tf.asked == [('town', 'lidar', 1000)]


def test_a_frame_that_only_the_map_leads_to_is_found_through_the_pose_of_the_vehicle():
    town_from_map = make_pose(rotation_z(0.3), [-50.0, 0, 0])
    wanted, refused = frame('town', Transforms(town_map=town_from_map))
    check(wanted.place(tracks()), 'town', town_from_map @ MAP_FROM_LIDAR)
    assert not refused


def test_without_the_transform_nothing_is_given_and_the_frame_counts_once():
    tf = Transforms()
    wanted, refused = frame('town', tf)
    assert [wanted.place(tracks()) for _ in range(3)] == [None] * 3
    assert refused == [('outputs', 'missing_transform')]
    tf.known['town_lidar'] = TOWN_FROM_LIDAR
    check(wanted.place(tracks(ns=2000)) and wanted.place(tracks()), 'town', TOWN_FROM_LIDAR)


def test_a_frame_that_does_not_stand_upright_is_refused():
    camera = np.eye(4)[[1, 2, 0, 3]]
    wanted, refused = frame('camera', Transforms(camera_lidar=camera))
    assert wanted.place(tracks()) is None and refused == [('outputs', 'bad_pose')]
