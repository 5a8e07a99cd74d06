"""What was fused gets into the result, and a damaged table of it is refused."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes, FrameOutput, InstanceSet, Match, Provenance, RoadsideMessage
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.eval.exchange import ExchangeBuilder, same_frames
from cooptrack_ros.eval.exchange_check import check_exchange
from cooptrack_ros.eval.links import TrackLink, link_rows, links_of, provenance_rows
from cooptrack_ros.eval.oracle import oracle_result
from cooptrack_ros.tracking.ego_agent import EgoResult


def boxes(centres, first_id=1):
    """Return cars at places (n, 3)."""
    count = len(centres)
    return Boxes(np.array(centres, float), np.full((count, 3), 2.0), np.zeros(count), np.zeros((count, 2)),
                 np.zeros(count, np.int64), np.full(count, 0.5), np.arange(first_id, first_id + count))


@pytest.fixture(scope='module')
def records(scenes):
    return SpdDataset(scenes.scene(20001, 0.6, (160, 90))).records('cooperative')


def fused(mode, knows_sources=True):
    """Return a result in which the second instance of a unit went into track 5, and the message with it."""
    moving = boxes([[1, 0, 0], [2, 0, 0]], 31).with_(velocity=np.full((2, 2), 5.0))
    sent = InstanceSet(**{**vars(InstanceSet.empty(4)), 'boxes': moving})
    output = FrameOutput(100_000_000, Boxes.empty(), np.zeros(0, bool), Boxes.empty(), InstanceSet.empty(4))
    result = EgoResult(output.tracks, output.detections, (Match(5, 'rsu', 1, 32, 0.75, 0.2),),
                       np.zeros(0, np.int64) if knows_sources else None, mode, output)
    return result, [RoadsideMessage('rsu', 0, sent, make_pose(rotation_z(np.pi / 2), np.array([10.0, 0, 0])))]


def test_the_place_of_a_fused_instance_is_brought_to_the_ego_frame():
    link, = links_of(*fused('cooperative'))
    assert (link.track_id, link.affinity) == (5, 0.75)
    assert np.allclose(link.position, [10, 2, 0])
    assert link_rows([link], make_pose(np.eye(3), np.array([100.0, 0, 0]))) == [
        {'tracking_id': '5', 'affinity': 0.75, 'translation': pytest.approx([110, 2, 0]),
         'unit': 'rsu'}]


def test_late_fusion_links_boxes_where_they_are_by_now_and_names_their_unit():
    link, = links_of(*fused('late'))
    assert (link.track_id, link.affinity, link.unit) == (5, 0.75, 'rsu')
    assert np.allclose(link.position, [9.5, 2.5, 0])


def test_tracks_under_other_identities_have_no_links():
    assert links_of(*fused('late', knows_sources=False)) is None


def test_sources_of_tracks_are_written_by_name_in_the_order_of_identities():
    rows = provenance_rows({ROADSIDE_FIRST_ID: Provenance.ROADSIDE, 2: Provenance.FUSED, 1: Provenance.EGO})
    assert rows == [{'tracking_id': '1', 'provenance': 'ego'}, {'tracking_id': '2', 'provenance': 'fused'},
                    {'tracking_id': str(ROADSIDE_FIRST_ID), 'provenance': 'roadside'}]


def linked(records):
    """Return a result with one link to a reported track and one to a track out of range."""
    builder = ExchangeBuilder('x')
    builder.add(records[0], '', boxes([[5, 0, 0], [500, 0, 0]]), None,
                [TrackLink(1, np.array([5.0, 1, 0]), 0.9), TrackLink(2, np.zeros(3), 0.9)],
                np.array([Provenance.FUSED, Provenance.FUSED]))
    return builder.finish()


def test_links_of_tracks_that_are_not_reported_are_left_out(records):
    content = linked(records)
    check_exchange(content)
    assert [r['tracking_id'] for r in content['links'][records[0].token]] == ['1']
    assert content['provenance'][records[0].token] == [{'tracking_id': '1', 'provenance': 'fused'}]


def test_ground_truth_says_who_sees_it(records):
    builder = ExchangeBuilder('x')
    builder.add(records[0], '', Boxes.empty(), None)
    content = builder.finish()
    seen = [r['seen_by'] for r in content['ground_truth'][records[0].token]]
    assert seen == [{'veh': 'ego', 'inf': 'roadside', 'coop': 'both'}[s] for s in records[0].from_side]
    assert 'links' not in content and 'provenance' not in content


@pytest.mark.parametrize(('key', 'change', 'complaint'), [
    ('links', {'translation': [1, 2]}, "'translation' must be 3 finite numbers"),
    ('links', {'affinity': 'high'}, "'affinity' must be a number"),
    ('links', {'tracking_id': '77'}, "no track '77'"),
    ('provenance', {'provenance': 'radar'}, 'must be one of ego, roadside, fused'),
])
def test_a_damaged_table_is_refused(records, key, change, complaint):
    content = linked(records)
    content[key][records[0].token][0].update(change)
    with pytest.raises(ValueError, match=complaint):
        check_exchange(content)


def test_a_table_of_other_frames_is_refused(records):
    content = linked(records)
    content['links']['elsewhere'] = []
    with pytest.raises(ValueError, match="'elsewhere', which is not in 'predictions'"):
        check_exchange(content)


def test_results_of_one_recording_have_the_same_frames_and_others_do_not(records, scenes):
    scene = scenes.scene(20002, 0.6, (160, 90))
    one, other = linked(records), oracle_result([(scene, SpdDataset(scene))], 'vehicle')
    assert same_frames(one, linked(records)) and not same_frames(one, other)
