"""Published tracks at a later time."""

import numpy as np
import pytest

from cooptrack_ros.common.config import R50
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.tracks import TrackMeta, decode_tracks, encode_tracks, predict_tracks

NOW = 1_700_000_000 * 10**9


def tracks(velocities):
    """Return the message of cars at (10, 0) of a lidar that stands at (100, 200) and looks along +y."""
    count = len(velocities)
    boxes = Boxes(np.tile([10.0, 0, 0.5], (count, 1)), np.ones((count, 3)), np.zeros(count), np.array(velocities),
                  np.zeros(count, np.int64), np.full(count, 0.5), np.arange(1, count + 1))
    meta = TrackMeta(NOW, 'ego/lidar', 'none', 'model', 'map', make_pose(rotation_z(np.pi / 2), [100, 200, 0]),
                     R50.class_names)
    return encode_tracks(boxes, meta, np.zeros(count), np.zeros(count, np.int64), {})


def test_boxes_move_by_their_velocity_and_stand_in_the_map():
    source = tracks([[5.0, 0.0], [0.1, 0.1], [np.nan, np.nan]])
    predicted = predict_tracks(source, NOW + 200_000_000)
    assert stamp_ns(predicted.header.stamp) == NOW + 200_000_000
    assert predicted.header.frame_id == predicted.map_frame == 'map'
    np.testing.assert_array_equal(predicted.map_from_lidar, np.eye(4).reshape(-1))
    boxes = decode_tracks(predicted)
    np.testing.assert_allclose(boxes.centre, [[100, 211, 0.5], [100, 210, 0.5], [100, 210, 0.5]], atol=1e-9)
    np.testing.assert_allclose(boxes.velocity[0], [0, 5], atol=1e-6)
    np.testing.assert_allclose(boxes.yaw, np.pi / 2)
    assert [t.has_velocity for t in predicted.tracks] == [True, True, False]
    assert source.tracks[0].pose.position.x == 10.0
    assert source.header.frame_id == 'ego/lidar'


@pytest.mark.parametrize('delay_s', [-1.0, 1.5, 1e8])
def test_a_clock_of_another_time_is_refused(delay_s):
    with pytest.raises(WireError, match='use_sim_time') as refused:
        predict_tracks(tracks([[5.0, 0.0]]), NOW + int(delay_s * 1e9))
    assert refused.value.reason == 'implausible_age'


def test_no_tracks_stay_no_tracks():
    assert not predict_tracks(tracks(np.zeros((0, 2))), NOW).tracks
