"""The vehicle's pipeline: which messages it uses, and whom its tracks come from."""

from dataclasses import replace

import numpy as np
import pytest
from small_tracker import make_frame
from test_late_fusion import cars

from cooptrack_ros.common.types import FrameOutput, InstanceSet, Match, Provenance, RoadsideMessage
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID, FusedBoxTracker, LateTracker
from cooptrack_ros.cooperation.pairing import PairingConfig, Received, UnitMessage, UnitPairing
from cooptrack_ros.tracking.ego_agent import EgoAgent

MODEL = 'known'


class Tracks:
    """A tracker that reports cars 10 m apart, of which the last one ends with the frame."""

    def __init__(self, count, matches=()):
        """Take their number, and what was fused into them."""
        self.count, self.matches, self.seen = count, matches, []

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=()):
        """Report the cars and remember the messages."""
        self.seen.append(messages)
        tracks = cars(*((10.0 * (i + 1), 0) for i in range(self.count)))
        return None, FrameOutput(frame.stamp_ns, tracks, np.arange(self.count) < self.count - 1, tracks,
                                 InstanceSet.empty(4), self.matches)


def sent(*xy, width=4):
    """Return instances at places, with features of a width."""
    n = len(xy)
    feature, points = np.zeros((n, width), np.float32), np.zeros((n, 3), np.float32)
    return InstanceSet(cars(*xy), points, feature, feature, feature, points, np.zeros(n, np.float32), points)


def message(stamp_ms, sequence=0, model=MODEL, width=4, unit='rsu'):
    """Return a message of a unit with one car."""
    return UnitMessage(unit, stamp_ms * 1_000_000, 1, sequence, model, sent((40, 10), width=width), np.eye(4))


def pairing(unit='rsu', model=MODEL):
    """Return the pairing of a unit without messages."""
    return UnitPairing(unit, PairingConfig(), model)


@pytest.mark.parametrize(('fuses_features', 'late', 'arrived', 'expected'), [
    (True, LateTracker(), message(100), (1, 0)), (True, LateTracker(), message(100, model='another'), (0, 1)),
    (True, LateTracker(), message(100, width=0), (0, 1)), (True, None, message(100, model='another'), (0, 0)),
    (False, LateTracker(), message(100), (0, 1)), (True, LateTracker(), message(-500), (0, 0)),
    (True, LateTracker(), message(200), (0, 0)),
], ids=['known model', 'another model', 'without features', 'another model without late fusion', 'late only',
        'too old', 'not yet'])
def test_features_are_fused_where_they_can_be_and_boxes_otherwise(fuses_features, late, arrived, expected):
    unit = pairing()
    unit.add(arrived)
    agent = EgoAgent(Tracks(1), late, units=[unit], fuses_features=fuses_features)
    received = agent.received(100_000_000, np.eye(4))
    assert (len(received.fused), len(received.late)) == expected == (
        len(received.fused), len(received.messages) - len(received.fused))


def test_an_exact_relation_chooses_the_message_and_its_place():
    unit, exact = pairing(), np.diag([1.0, 1, 1, 1])
    exact[0, 3] = 7.0
    for number, stamp in enumerate((60, 100)):
        unit.add(message(stamp, number))
    unit.relate(100_000_000, 60_000_000, exact)
    used, = EgoAgent(Tracks(1), units=[unit]).received(100_000_000, np.eye(4)).fused
    assert used.stamp_ns == 60_000_000 and used.ego_from_infra[0, 3] == 7.0
    assert used.session == 1
    assert unit.is_settled(100_000_000)


def test_a_frame_waits_for_no_message_that_was_refused():
    unit = pairing()
    unit.relate(100_000_000, 60_000_000, np.eye(4))
    assert unit.has_pair(100_000_000) and not unit.has_pair(60_000_000) and not unit.is_settled(100_000_000)
    unit.refuse(60_000_000)
    assert unit.is_settled(100_000_000)


def test_a_track_comes_from_the_vehicle_the_unit_or_both():
    matches = (Match(2, 'rsu', 0, 31, 0.9, 0.3), Match(3, 'rsu', 1, 32, 0.9, 0.29))
    late = RoadsideMessage('other', 0, sent((40, 10)), np.eye(4))
    agent = EgoAgent(Tracks(4, matches), LateTracker(), ego_score_limit=0.3)
    result = agent.step(make_frame(0), Received((RoadsideMessage('rsu', 0, sent(), np.eye(4)),), (late,)))
    assert result.tracks.track_id.tolist() == [1, 2, 3, ROADSIDE_FIRST_ID]
    assert result.provenance.tolist() == [Provenance.EGO, Provenance.FUSED, Provenance.ROADSIDE, Provenance.ROADSIDE]
    assert result.mode == 'cooperative' and result.matches == matches


def test_tracks_that_end_with_the_frame_are_reported_if_wanted():
    assert [len(EgoAgent(Tracks(3), only_live=live).step(make_frame(0)).tracks) for live in (True, False)] == [2, 3]


def test_nobody_can_tell_the_source_of_tracks_that_late_fusion_numbers_anew():
    result = EgoAgent(Tracks(2), FusedBoxTracker()).step(
        make_frame(0), Received(late=(RoadsideMessage('rsu', 0, sent((10, 0)), np.eye(4)),)))
    assert result.provenance is None and result.matches == ()


def test_a_jump_of_time_reaches_every_unit():
    units = [pairing('a'), pairing('b')]
    for unit in units:
        unit.add(replace(message(5000, 3), unit_id=unit.unit_id))
    agent = EgoAgent(Tracks(1), units=units)
    agent.restart(100_000_000)
    assert agent.received(5_000_000_000, np.eye(4)) == Received()
