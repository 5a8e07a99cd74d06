"""Boxes of units that do not run our network on their way into late fusion."""

from dataclasses import replace

import numpy as np
import pytest
from test_late_fusion import cars

from cooptrack_ros.common.geometry import make_pose, rotation_z, transform_boxes
from cooptrack_ros.common.types import InstanceSet, RoadsideMessage, Side
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.foreign import ForeignObjects, LocalFrames, Numbers, label_of
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitPairing
from cooptrack_ros.cooperation.sessions import StaleMessage
from cooptrack_ros.nodes.inputs.foreign_receiver import by_stamp
from cooptrack_ros.tracking.uncertainty import StatedTracks

SECOND = 10**9
FAR = np.array([80_000.0, 30_000.0, 40.0])


def stated(count, variance=0.25):
    """Return a covariance that is the same in all directions."""
    return TrackUncertainty(np.full(count, 0.9), np.tile(variance * np.eye(3), (count, 1, 1)), np.full(count, 0.01),
                            np.zeros(count), np.full((count, 3), 0.1), np.tile([[4.0, 0], [0, 1.0]], (count, 1, 1)))


def objects(*xy, stamp_ns=SECOND, **changes):
    """Return what a sender says of cars near a place far from the origin of the map."""
    boxes = transform_boxes(make_pose(np.eye(3), FAR), cars(*xy))
    return replace(ForeignObjects(stamp_ns, boxes, stated(len(boxes))), **changes)


def test_a_frame_stands_near_the_objects_and_stays():
    frames = LocalFrames()
    first, later = (frames.message('u', objects(*xy)) for xy in (((10, 0), (20, 0)), ((60, 5),)))
    np.testing.assert_array_equal(first.map_from_infra, later.map_from_infra)
    assert np.abs(first.instances.boxes.centre).max() < 30
    np.testing.assert_allclose(later.instances.boxes.centre + later.map_from_infra[:3, 3],
                               objects((60, 5)).boxes.centre)
    assert first.session == later.session and first.sequence == 100 and first.model_id == ''


def test_a_sender_that_has_left_its_frame_starts_a_session_and_so_does_another_sender():
    frames = LocalFrames()
    sessions = [frames.message('u', o).session for o in (
        objects((0, 0)), objects((3000, 0)), objects((3000, 0), session=7), objects((3010, 0)))]
    assert len(set(sessions)) == 3 and sessions[1] == sessions[3]


def test_the_place_of_the_sender_is_the_origin_where_it_says_it():
    message = LocalFrames().message('u', objects((10, 0), place=FAR + 2.0))
    np.testing.assert_array_equal(message.map_from_infra[:3, 3], np.round(FAR + 2.0))
    nothing = LocalFrames().message('u', objects())
    assert len(nothing.instances) == 0 and not nothing.map_from_infra[:3, 3].any()


def paired(rate_hz=100.0):
    """Return the pairing of a foreign unit."""
    return UnitPairing('u', by_stamp(PairingConfig(max_rate_hz=rate_hz)), 'model')


@pytest.mark.parametrize('rate_hz', [10.0, 100.0, 10_000.0])
def test_ten_messages_a_second_are_taken_whatever_rate_is_allowed(rate_hz):
    unit, frames = paired(rate_hz), LocalFrames()
    for tick in range(20):
        jitter = 0.05 * (tick % 3)
        unit.add(frames.message('u', objects((10, 0), stamp_ns=(10 + tick) * SECOND // 10)), 5 + tick / 10 + jitter)
    message, has_features = unit.message_for(29 * SECOND // 10, make_pose(np.eye(3), FAR))
    assert message.stamp_ns == 29 * SECOND // 10 and not has_features
    np.testing.assert_allclose((message.ego_from_infra[:3, 3] + message.instances.boxes.centre)[0], [10, 0, -1])


def test_a_stamp_that_came_before_or_runs_ahead_of_the_clock_is_refused():
    unit, frames = paired(), LocalFrames()
    unit.add(frames.message('u', objects((10, 0))), 5.0)
    for reason, stamp_ns in (('replayed', SECOND), ('implausible_number', 3600 * SECOND)):
        with pytest.raises(StaleMessage) as caught:
            unit.add(frames.message('u', objects((10, 0), stamp_ns=stamp_ns)), 5.1)
        assert caught.value.reason == reason
    unit.add(frames.message('u', objects((10, 0), stamp_ns=SECOND + SECOND // 10)), 5.11)


def test_recorded_messages_are_taken_as_fast_as_they_come_and_again_after_the_bag_starts_anew():
    unit, frames = paired(np.inf), LocalFrames()
    for stamp in (1, 2, 3):
        unit.add(frames.message('u', objects((10, 0), stamp_ns=stamp * SECOND)))
    with pytest.raises(StaleMessage):
        unit.add(frames.message('u', objects((10, 0), stamp_ns=SECOND)))
    unit.restart(SECOND)
    assert unit.message_for(SECOND, np.eye(4))[0].stamp_ns == SECOND
    unit.add(frames.message('u', objects((10, 0), stamp_ns=2 * SECOND)))


def test_late_fusion_gets_what_is_stated_turned_and_grown_with_age():
    turn = rotation_z(np.pi / 2)
    foreign = RoadsideMessage('a', 0, InstanceSet.of_boxes(cars((10, 0), (30, 0))), make_pose(turn, np.zeros(3)),
                              uncertainty=stated(2))
    own = RoadsideMessage('b', 0, InstanceSet.of_boxes(cars((40, 40))), np.eye(4))
    found = StatedTracks(None, Side.VEHICLE).of_units([foreign, own], SECOND // 2)
    assert found.known.tolist() == [True, True, False]
    np.testing.assert_allclose(found.position[0], np.diag([0.25 + 0.25 * 1, 0.25 + 0.25 * 4, 0.25]))
    np.testing.assert_allclose(found.velocity[0], np.diag([1.0, 4.0]), atol=1e-12)


def test_a_pairing_hands_on_what_is_stated():
    unit = paired()
    unit.add(LocalFrames().message('u', objects((10, 0))), 5.0)
    message, _ = unit.message_for(SECOND, np.eye(4))
    np.testing.assert_array_equal(message.uncertainty.position[0], 0.25 * np.eye(3))


def test_classes_stand_for_those_that_a_model_has():
    assert [label_of(kind, ('car', 'bicycle', 'pedestrian')) for kind in (
        'car', 'truck', 'bus', 'trailer', 'motorcycle', 'bicycle', 'pedestrian', 'animal')] == [
            0, 0, 0, 0, 1, 1, 2, -1]
    assert label_of('truck', ('Car', 'Truck')) == 1 and label_of('pedestrian', ('car',)) == -1


def test_numbers_are_small_and_stay():
    numbers = Numbers()
    assert [numbers.of(name) for name in ('a', 'b', 'a')] == [1, 2, 1]
