"""What was fused gets into the result, and a damaged table of it is refused."""

import numpy as np
import pytest

from cooptrack_ros.core.geometry import make_pose, rotation_z
from cooptrack_ros.core.late import ROADSIDE_FIRST_ID
from cooptrack_ros.core.types import Boxes, FrameOutput, InstanceSet, Match, RoadsideMessage
from cooptrack_ros.data.spd import SpdDataset
from cooptrack_ros.eval.exchange import ExchangeBuilder, check_exchange, same_frames
from cooptrack_ros.eval.links import Link, late_links, link_rows, network_links, provenance_rows
from cooptrack_ros.eval.oracle import oracle_result


def boxes(centres, first_id=1):
    """Return cars at places (n, 3)."""
    count = len(centres)
    return Boxes(np.array(centres, float), np.full((count, 3), 2.0), np.zeros(count), np.zeros((count, 2)),
                 np.zeros(count, np.int64), np.full(count, 0.5), np.arange(first_id, first_id + count))


@pytest.fixture(scope='module')
def records(scenes):
    return SpdDataset(scenes.scene(20001, 0.6, (160, 90))).records('cooperative')


def test_the_place_of_a_fused_instance_is_brought_to_the_ego_frame():
    sent = InstanceSet.empty(4)
    sent = InstanceSet(**{**vars(sent), 'boxes': boxes([[1, 0, 0], [2, 0, 0]], 31)})
    pose = make_pose(rotation_z(np.pi / 2), np.array([10.0, 0, 0]))
    output = FrameOutput(0, Boxes.empty(), np.zeros(0, bool), Boxes.empty(), InstanceSet.empty(4),
                         (Match(5, 'rsu', 1, 32, 0.75, 0.2),))
    link, = network_links(output, [RoadsideMessage('rsu', 0, sent, pose)])
    assert (link.track_id, link.affinity, link.ego_score) == (5, 0.75, 0.2)
    assert np.allclose(link.position, [10, 2, 0])
    assert link_rows([link], make_pose(np.eye(3), np.array([100.0, 0, 0]))) == [
        {'tracking_id': '5', 'affinity': 0.75, 'translation': pytest.approx([110, 2, 0]),
         'unit': 'rsu'}]


def test_late_fusion_links_what_stands_at_one_place():
    links = late_links(boxes([[0, 0, 0], [30, 0, 0]]), boxes([[1, 0, 0]], 31), 2.0)
    assert [(link.track_id, link.affinity, link.position.tolist()) for link in links] == [(1, 1.0, [1, 0, 0])]


def test_a_track_comes_from_the_vehicle_the_unit_or_both():
    links = [Link(2, np.zeros(3), 0.9, 0.3), Link(3, np.zeros(3), 0.9, 0.29)]
    rows = provenance_rows([1, 2, 3, ROADSIDE_FIRST_ID], links, 0.3)
    assert [r['provenance'] for r in rows] == ['ego', 'fused', 'roadside', 'roadside']


def linked(records):
    """Return a result with one link to a reported track and one to a track out of range."""
    builder = ExchangeBuilder('x')
    builder.add(records[0], '', boxes([[5, 0, 0], [500, 0, 0]]), None,
                [Link(1, np.array([5.0, 1, 0]), 0.9, 0.5), Link(2, np.zeros(3), 0.9, 0.5)])
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
    town = scenes.scene(20002, 0.6, (160, 90))
    one, other = linked(records), oracle_result([(town, SpdDataset(town))], 'vehicle')
    assert same_frames(one, linked(records)) and not same_frames(one, other)
