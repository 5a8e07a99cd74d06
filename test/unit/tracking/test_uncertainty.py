"""What is stated of tracks: by class, range, score, age, speed and source, in the frame that the tracks are in."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes, InstanceSet, Provenance, RoadsideMessage, Side
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID
from cooptrack_ros.tracking.identities import TrackAges
from cooptrack_ros.tracking.uncertainty import CHANCES, SPREADS, Line, SourceModel, StatedTracks, UncertaintyModel

LIMITS = np.array([[5.0, 50.0], [0.2, 0.9], [0.0, 3.0], [0.0, 10.0], [0.0, 1.0]])


def line(value, *slopes, classes=2):
    """Return a line with a constant for all classes."""
    return Line(np.full(classes, float(value)), np.array([*slopes, *[0.0] * (5 - len(slopes))]))


def source(**lines):
    """Return a model of a source with standard deviations of 1, or 2 along the line of sight."""
    spreads = {name: line(0.0) for name in SPREADS} | {'radial': line(np.log(2.0))}
    chances = {name: line(0.0) for name in CHANCES}
    return SourceModel(LIMITS, {n: lines.get(n, v) for n, v in spreads.items()},
                       {n: lines.get(n, v) for n, v in chances.items()})


def boxes(*xy, yaw=0.0, score=0.5, velocity=(0.0, 0.0), ids=None):
    """Return cars at places."""
    n = len(xy)
    return Boxes(np.array([[*p, 0.0] for p in xy]), np.ones((n, 3)), np.full(n, yaw), np.tile(velocity, (n, 1)),
                 np.zeros(n, np.int64), np.full(n, score), np.arange(1, n + 1) if ids is None else np.array(ids))


def stated(model, tracks, network=Side.VEHICLE, provenance=Provenance.EGO, age_s=0.0, origin=(0, 0)):
    """Return what a model says of tracks of one source."""
    return model.of(tracks, [(network, provenance)] * len(tracks), np.full(len(tracks), age_s), np.array(origin))


def test_the_long_axis_lies_along_the_line_of_sight():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source()})
    said = stated(model, boxes((20, 0), (0, 20), (20, 20)))
    np.testing.assert_allclose(said.position[0], np.diag([4, 1, 1]), atol=1e-12)
    np.testing.assert_allclose(said.position[1], np.diag([1, 4, 1]), atol=1e-12)
    np.testing.assert_allclose(said.position[2, :2, :2], [[2.5, 1.5], [1.5, 2.5]], atol=1e-12)
    # From another place it is another line.
    np.testing.assert_allclose(stated(model, boxes((20, 0)), origin=(20, -5)).position[0], np.diag([1, 4, 1]),
                               atol=1e-12)


def test_an_object_at_30_degrees_has_its_velocity_along_30_degrees():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source(along=line(np.log(3.0)))})
    said = stated(model, boxes((20, 0), yaw=np.radians(30)))
    turn = rotation_z(np.radians(30))[:2, :2]
    np.testing.assert_allclose(said.velocity[0], turn @ np.diag([9, 1]) @ turn.T, atol=1e-12)


@pytest.mark.parametrize(('fact', 'low', 'high', 'ratio'), [
    (0, boxes((10, 0)), boxes((40, 0)), 4.0), (1, boxes((20, 0), score=0.5), boxes((20, 0), score=0.75), 3.0),
    (3, boxes((20, 0)), boxes((20, 0), velocity=(3.0, 0.0)), 4.0)], ids=['range', 'score', 'speed'])
def test_a_spread_grows_with_each_fact_by_its_own_slope(fact, low, high, ratio):
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source(up=line(0.0, *np.eye(5)[fact]))})
    assert stated(model, high).position[0, 2, 2] / stated(model, low).position[0, 2, 2] == pytest.approx(ratio ** 2)


def test_a_spread_grows_with_age_and_nothing_is_extrapolated():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source(up=line(0.0, 1.0, 0.0, 1.0))})
    said = {age: stated(model, boxes((20, 0)), age_s=age).position[0, 2, 2] for age in (0.0, 1.0, 3.0, 60.0)}
    assert said[1.0] == pytest.approx(4 * said[0.0]) and said[60.0] == said[3.0]
    near, nearest = (stated(model, boxes((x, 0))).position[0, 2, 2] for x in (5.0, 0.0))
    assert near == nearest


def test_what_was_not_fitted_is_unknown_and_what_is_not_published_too():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source(existence=Line(np.array([0.0, np.nan]),
                                                                                     np.zeros(5)))})
    tracks = boxes((20, 0), (30, 0), (40, 0)).with_(label=np.array([0, 1, 0]))
    said = model.of(tracks, [(Side.VEHICLE, Provenance.EGO)] * 2 + [(Side.VEHICLE, Provenance.FUSED)], np.zeros(3),
                    np.zeros(2))
    assert said.known.tolist() == [True, False, False]
    ages, said = StatedTracks(model, Side.VEHICLE).of(
        tracks[[0, 0]].with_(track_id=np.array([1, 2])), np.zeros(2, np.int64), np.array([True, False]), 0, np.eye(4))
    assert said.known.tolist() == [True, False] and np.isnan(ages[1])


def test_boxes_of_late_fusion_are_the_same_beside_any_network():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.ROADSIDE): source(existence=line(2.0)),
                              (Side.COOPERATIVE, Provenance.ROADSIDE): source(existence=line(-2.0))})
    tracks = boxes((20, 0), (30, 0), ids=[3, ROADSIDE_FIRST_ID])
    _, said = StatedTracks(model, Side.COOPERATIVE).of(
        tracks, np.full(2, Provenance.ROADSIDE), np.ones(2, bool), 0, np.eye(4))
    assert said.existence[0] < 0.5 < said.existence[1]


def test_a_frame_without_messages_says_less_against_what_the_vehicle_sees_and_may_be_the_vehicles_network():
    model = UncertaintyModel({(Side.VEHICLE, Provenance.EGO): source(existence=line(-1.0, 0, 0, 0, 0, 2.0)),
                              (Side.COOPERATIVE, Provenance.EGO): source()})
    args = boxes((20, 0)), np.zeros(1, np.int64), np.ones(1, bool), 0, np.eye(4)
    said = {(network, adds, alone): StatedTracks(model, network, adds).of(*args, alone)[1].existence.item()
            for network, adds in ((Side.VEHICLE, False), (Side.COOPERATIVE, False), (Side.COOPERATIVE, True))
            for alone in (False, True)}
    assert said[Side.VEHICLE, False, False] < 0.3 and said[Side.VEHICLE, False, True] > 0.7
    assert said[Side.COOPERATIVE, False, True] == said[Side.COOPERATIVE, True, False] == 0.5
    assert said[Side.COOPERATIVE, True, True] > 0.7


def test_ages_count_from_the_first_report_and_start_anew_after_a_while():
    ages = TrackAges()
    assert ages.observe(np.array([7]), 10**9).tolist() == [0.0]
    assert ages.observe(np.array([7, 8]), 2 * 10**9).tolist() == [1.0, 0.0]
    assert ages.observe(np.array([7]), 4 * 10**9).tolist() == [3.0]
    ages.observe(np.array([8]), 9_100_000_000)
    assert ages.observe(np.array([7]), 9_200_000_000).tolist() == [0.0]


def test_a_reset_forgets_ages():
    tracks = StatedTracks(None, Side.VEHICLE)
    args = boxes((20, 0)), np.zeros(1, np.int64), np.ones(1, bool)
    tracks.of(*args, 0, np.eye(4))
    assert tracks.of(*args, 10**9, np.eye(4))[0].tolist() == [1.0]
    tracks.restart()
    assert tracks.of(*args, 2 * 10**9, np.eye(4)) == (np.zeros(1), None)


def test_boxes_of_units_are_turned_into_the_vehicles_frame_and_moved():
    model = UncertaintyModel({(Side.ROADSIDE, Provenance.ROADSIDE): source()})
    sent = boxes((20, 0), yaw=0.3)
    rows = np.zeros((1, 3), np.float32)
    instances = InstanceSet(sent, rows, rows, rows, rows, rows, np.zeros(1, np.float32), rows)
    message = RoadsideMessage('rsu', 0, instances, make_pose(rotation_z(np.radians(90)), [5, 5, 0]))
    own = RoadsideMessage('other', 0, instances, np.eye(4), uncertainty=stated(model, sent, Side.ROADSIDE,
                                                                              Provenance.ROADSIDE).rotated(np.eye(3)))
    said = StatedTracks(model, Side.VEHICLE).of_units([message, own], 500_000_000)
    np.testing.assert_allclose(said.position[0], np.diag([1.25, 4.25, 1]), atol=1e-9)
    np.testing.assert_allclose(said.position[1], np.diag([4.25, 1.25, 1]), atol=1e-9)
    assert not StatedTracks(None, Side.VEHICLE).of_units([message], 0).known.any()
    assert len(StatedTracks(model, Side.VEHICLE).of_units([], 0)) == 0


def test_turning_and_moving_keep_what_does_not_turn():
    said = TrackUncertainty(np.array([0.9]), np.diag([4.0, 1, 0.25])[None], np.array([0.01]), np.array([0.1]),
                            np.array([[1.0, 2, 3]]), np.diag([9.0, 1])[None])
    turned = said.rotated(rotation_z(np.radians(90)))
    np.testing.assert_allclose(turned.position[0], np.diag([1, 4, 0.25]), atol=1e-12)
    np.testing.assert_allclose(turned.velocity[0], np.diag([1, 9]), atol=1e-12)
    assert turned.heading == said.heading and (turned.size == said.size).all()
    np.testing.assert_allclose(said.moved(2.0).position[0], np.diag([40, 5, 0.25]))
