"""The vehicle's pipeline states how sure it is, and fuses boxes by it where late fusion is told to."""

import numpy as np
import pytest
from small_tracker import make_frame
from test_ego_agent import Tracks, sent
from test_uncertainty import line, source

from cooptrack_ros.common.types import Provenance, RoadsideMessage, Side
from cooptrack_ros.cooperation.late_fusion import LateConfig, LateTracker
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.tracking.ego_agent import EgoAgent
from cooptrack_ros.tracking.uncertainty import StatedTracks, UncertaintyModel

MODEL = UncertaintyModel({
    (Side.VEHICLE, Provenance.EGO): source(), (Side.VEHICLE, Provenance.FUSED): source(radial=line(np.log(4.0))),
    (Side.VEHICLE, Provenance.ROADSIDE): source(), (Side.ROADSIDE, Provenance.ROADSIDE): source()})
UNIT_FROM_EGO = np.array([[0.0, -1, 0, 20], [1, 0, 0, -30], [0, 0, 1, 0], [0, 0, 0, 1]])
"""The unit stands beside the road and looks across it."""


def at(*xy):
    """Return a message of the unit that speaks of places in the vehicle's frame."""
    local = [(UNIT_FROM_EGO @ [*p, 0, 1])[:2] for p in xy]
    return RoadsideMessage('rsu', 0, sent(*local), np.linalg.inv(UNIT_FROM_EGO))


def run(rule='own', model=MODEL, **message):
    """Return the result of a frame with a car 20 m ahead, which the unit sees 0.8 m farther and 0.2 m to the left."""
    agent = EgoAgent(Tracks(3), LateTracker(LateConfig(rule=rule)), fuses_features=False,
                     stated=StatedTracks(model, Side.VEHICLE))
    sent_by = RoadsideMessage(**{**vars(at((20.8, 0.2))), **message})
    return agent.step(make_frame(0), Received(late=(sent_by,)))


def test_every_track_is_stated_as_of_its_source_with_its_age():
    result = run()
    assert result.provenance.tolist() == [Provenance.EGO, Provenance.FUSED]
    assert result.age_s.tolist() == [0.0, 0.0] and result.uncertainty.known.all()
    np.testing.assert_allclose(result.uncertainty.position[:, 0, 0], [4, 16])
    assert result.tracks.centre[1, :2].tolist() == [20, 0]


def test_covariance_intersection_takes_from_each_side_what_it_sees_best():
    result = run('covariance_intersection')
    # Of the vehicle's 4 m along and 1 m across, and the unit's 1 m along and 2 m across.
    x, y, _ = result.tracks.centre[1]
    assert 20.6 < x <= 20.8 and 0 <= y < 0.1
    fused = result.uncertainty.position[1]
    assert fused[0, 0] < 2 and fused[1, 1] < 2 and result.uncertainty.known.all()
    assert result.tracks.track_id.tolist() == run().tracks.track_id.tolist()
    assert result.tracks.centre[0, :2].tolist() == [10, 0]


@pytest.mark.parametrize(('model', 'message'), [(None, {}), (UncertaintyModel({}), {}), (MODEL, {'may_create': False})],
                         ids=['not calibrated', 'calibrated for others', 'may only confirm'])
def test_boxes_stay_the_vehicles_where_nothing_is_known_or_allowed(model, message):
    assert run('covariance_intersection', model, **message).tracks.centre[1, :2].tolist() == [20, 0]


def test_tracks_that_end_with_the_frame_are_not_published_and_have_no_age():
    agent = EgoAgent(Tracks(3), only_live=False, stated=StatedTracks(MODEL, Side.VEHICLE))
    result = agent.step(make_frame(0))
    assert np.isnan(result.age_s).tolist() == [False, False, True]
    assert result.uncertainty.known.tolist() == [True, True, False]
    assert agent.step(make_frame(1)).age_s[:2].tolist() == [pytest.approx(0.1)] * 2
