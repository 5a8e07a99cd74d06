"""Covariances in messages: our own, those of Autoware and vision_msgs; each in the frame that it belongs to."""

from uuid import UUID

import numpy as np
import pytest
from autoware_perception_msgs.msg import TrackedObjectKinematics, TrackedObjects
from rclpy.serialization import deserialize_message, serialize_message
from vision_msgs.msg import Detection3DArray

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes, Provenance
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.wire.detections import to_detections
from cooptrack_ros.wire.public_tracks import PublicTracks
from cooptrack_ros.wire.tracked_objects import to_tracked_objects
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks, predict_tracks
from cooptrack_ros.wire.uncertainty import decode_uncertainty

MAP_FROM_LIDAR = make_pose(rotation_z(np.radians(50)), [100, 200, 3])
META = TrackMeta(1_000_000_000, 'lidar', 'none', 'model', 'map', MAP_FROM_LIDAR, ('car',))
ALONG, ACROSS = 4.0, 1.0


def at_30_degrees():
    """Return two cars at 30 degrees, and what is stated of the first: everything is along and across it."""
    turn = rotation_z(np.radians(30))
    boxes = Boxes(np.array([[10.0, 2, 1], [30, 5, 1]]), np.ones((2, 3)), np.radians([30.0, 30]),
                  np.array([[3.0, 1], [3, 1]]), np.zeros(2, np.int64), np.array([0.5, 0.75]), np.array([1, 2]))
    one = TrackUncertainty(np.array([0.875]), (turn @ np.diag([ALONG, ACROSS, 0.25]) @ turn.T)[None],
                           np.array([0.0625]), np.array([0.03125]), np.array([[0.5, 0.25, 0.125]]),
                           (turn[:2, :2] @ np.diag([9.0, 1.0]) @ turn[:2, :2].T)[None])
    return boxes, TrackUncertainty.unknown(2).with_rows([0], one)


def message(flip=None, **changes):
    """Return the tracks as a message that went over the wire."""
    boxes, stated = at_30_degrees()
    if flip is not None:
        stated.flip[0] = flip
    return deserialize_message(serialize_message(encode_tracks(
        boxes.with_(**changes), META, np.zeros(2), np.zeros(2, np.int64), {}, uncertainty=stated)), TrackArray)


def principal(covariance, degrees):
    """Return variances along and across a direction, and what is left beside the diagonal."""
    turn = rotation_z(np.radians(degrees))[:2, :2]
    return np.array((turn.T @ np.reshape(covariance, (6, 6))[:2, :2] @ turn).reshape(-1))[[0, 3, 1]]


def test_our_message_holds_what_is_stated_in_its_own_frame():
    _, stated = at_30_degrees()
    sent = message()
    assert [t.has_uncertainty for t in sent.tracks] == [True, False]
    found = decode_uncertainty(sent)
    for name in ('existence', 'position', 'heading', 'flip', 'size', 'velocity'):
        np.testing.assert_allclose(getattr(found, name), getattr(stated, name), rtol=1e-6)
    assert sent.tracks[1].existence == 0 and not sent.tracks[1].position_covariance.any()


def test_without_a_calibration_all_is_as_before():
    boxes, _ = at_30_degrees()
    sent = encode_tracks(boxes, META, np.zeros(2), np.zeros(2, np.int64), {})
    assert not any(t.has_uncertainty for t in sent.tracks)
    assert not to_detections(sent).detections[0].results[0].pose.covariance.any()
    tracked = to_tracked_objects(sent, UUID(int=1)).objects[0]
    assert tracked.existence_probability == pytest.approx(0.5)
    assert not tracked.kinematics.pose_with_covariance.covariance.any()


def test_autoware_gets_the_pose_in_the_map_and_the_twist_along_the_object():
    objects = deserialize_message(serialize_message(to_tracked_objects(message(), UUID(int=1))), TrackedObjects).objects
    kinematics = objects[0].kinematics
    pose, twist = (np.array(c.covariance).reshape(6, 6)
                   for c in (kinematics.pose_with_covariance, kinematics.twist_with_covariance))
    # 30 degrees in the lidar frame are 80 in the map.
    np.testing.assert_allclose(principal(pose, 80), [ALONG, ACROSS, 0], atol=1e-5)
    np.testing.assert_allclose([pose[2, 2], pose[5, 5]], [0.25, 0.0625], rtol=1e-6)
    np.testing.assert_allclose(twist[:2, :2], np.diag([9.0, 1.0]), atol=1e-5)
    assert objects[0].existence_probability == pytest.approx(0.875)
    assert objects[1].existence_probability == pytest.approx(0.75)
    assert not objects[1].kinematics.pose_with_covariance.covariance.any()


@pytest.mark.parametrize(('flip', 'sign'), [(0.04, TrackedObjectKinematics.AVAILABLE),
                                            (0.06, TrackedObjectKinematics.SIGN_UNKNOWN)])
def test_a_heading_that_may_be_opposite_has_no_sign(flip, sign):
    tracked = to_tracked_objects(message(flip=flip), UUID(int=1)).objects[0]
    assert tracked.kinematics.orientation_availability == sign


def test_an_unknown_velocity_has_no_covariance():
    sent = message(velocity=np.full((2, 2), np.nan))
    assert sent.tracks[0].has_uncertainty and not sent.tracks[0].velocity_covariance.any()
    twist = to_tracked_objects(sent, UUID(int=1)).objects[0].kinematics.twist_with_covariance
    assert not twist.covariance.any()


def test_detections_have_the_pose_in_the_frame_of_the_image():
    found = deserialize_message(serialize_message(to_detections(message())), Detection3DArray).detections
    covariance = found[0].results[0].pose.covariance
    np.testing.assert_allclose(principal(covariance, 30), [ALONG, ACROSS, 0], atol=1e-5)
    assert covariance[35] == pytest.approx(0.0625) and not found[1].results[0].pose.covariance.any()


def test_a_prediction_is_less_sure_by_the_velocity_and_in_the_map():
    later = predict_tracks(message(), META.stamp_ns + 500_000_000)
    found = decode_uncertainty(later)
    turn = rotation_z(np.radians(80))
    np.testing.assert_allclose(turn.T @ found.position[0] @ turn,
                               np.diag([ALONG + 0.25 * 9, ACROSS + 0.25 * 1, 0.25]), atol=1e-5)
    assert found.known.tolist() == [True, False]


def test_public_tracks_carry_it():
    boxes, stated = at_30_degrees()
    tracks = PublicTracks(0.0)
    tracks.observe(boxes, META.stamp_ns, False)
    sent = tracks.compose(boxes, np.full(2, Provenance.EGO), (), META, stated).message
    assert [t.has_uncertainty for t in sent.tracks] == [True, False]
