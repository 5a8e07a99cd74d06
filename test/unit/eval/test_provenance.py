"""The vehicle's node and the evaluation say the same of who saw an object."""

from dataclasses import replace

import numpy as np
import pytest

from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.geometry import transform_boxes
from cooptrack_ros.common.types import Boxes, FrameOutput, InstanceSet, Provenance, RoadsideMessage
from cooptrack_ros.cooperation.late_fusion import LateTracker
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.eval.channel import Channel
from cooptrack_ros.eval.error_kinds import error_kinds
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.tracking.ego_agent import EgoAgent

CAR, BICYCLE, PEDESTRIAN = range(3)
SIZES = {CAR: (4.4, 1.9, 1.6), BICYCLE: (1.8, 0.6, 1.7), PEDESTRIAN: (0.8, 0.8, 1.8)}


def things(*places, score=0.8):
    """Return boxes of (label, x, y), numbered from 1."""
    n = len(places)
    return Boxes(np.array([[x, y, -1.0] for _, x, y in places]).reshape(n, 3),
                 np.array([SIZES[label] for label, _, _ in places]).reshape(n, 3), np.zeros(n), np.zeros((n, 2)),
                 np.array([label for label, _, _ in places], np.int64), np.full(n, score), np.arange(1, n + 1))


def said_by(unit, boxes, may_create=True, stamp_ns=0):
    """Return a message that holds boxes in the frame of the vehicle."""
    points = np.zeros((len(boxes), 3), np.float32)
    instances = replace(InstanceSet.empty(3), boxes=boxes, ref_points=points, semantic=points, motion=points,
                        position_embedding=points, previous_position=points, position_points=points,
                        previous_age_s=points[:, 0])
    return RoadsideMessage(unit, stamp_ns, instances, np.eye(4), may_create=may_create)


class Sees:
    """A tracker, and the package that it is from, that reports always the same."""

    name, config = 'sees', MINI

    def __init__(self, boxes):
        """Take the boxes."""
        self.boxes = boxes

    def with_method(self, **changes):
        """Return the same."""
        return self

    def at_rate(self, hz):
        """Return the same."""
        return self

    def uncertainty(self):
        """State nothing."""

    def tracker(self, side, execution, takes_clouds=False):
        """Return itself."""
        return self

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=()):
        """Report the boxes."""
        return None, FrameOutput(frame.stamp_ns, self.boxes, np.ones(len(self.boxes), bool), self.boxes,
                                 said_by('', self.boxes).instances)


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """Return a data set of a few frames."""
    folder = tmp_path_factory.mktemp('provenance') / 'scene'
    generate(folder, 20011, 0.6, (160, 90))
    return SpdDataset(folder)


def evaluated(scene, ego, messages):
    """Return whom the evaluation names for each track of a frame."""
    class Fixed(Channel):
        """Delivers the messages at hand."""

        def deliver(self, name, sent, period_s, poses):
            """Deliver them in each frame."""
            for _, message in sent:
                yield [replace(m, stamp_ns=message.stamp_ns) for m in messages]
    result, _ = Evaluation([(scene.root, scene)], Sees(ego), Selection(limit=1), channel=Fixed()).run('late')
    rows, = result['provenance'].values()
    return {row['tracking_id']: row['provenance'] for row in rows}


def driven(scene, ego, messages):
    """Return whom the agent of the vehicle names for each track of that frame."""
    record = Selection(limit=1).records(scene)[0]
    frame = record.frame()
    agent = EgoAgent(Sees(ego), LateTracker(), MINI.tracker_vehicle.output_threshold)
    result = agent.step(frame, Received(late=tuple(replace(m, stamp_ns=frame.stamp_ns) for m in messages)))
    return {str(i): Provenance(p).name.lower() for i, p in zip(result.tracks.track_id, result.provenance, strict=True)}


@pytest.mark.parametrize(('ego', 'infra', 'may_create', 'expected'), [
    ([(PEDESTRIAN, 20, 3)], [(PEDESTRIAN, 21.2, 3)], True, {'1': 'fused'}),
    ([(BICYCLE, 20, 3)], [(BICYCLE, 20, 4.5)], True, {'1': 'fused'}),
    ([(PEDESTRIAN, 20, 3)], [(PEDESTRIAN, 21.2, 3)], False, {'1': 'fused'}),
    ([(CAR, 20, 3)], [(CAR, 23, 3)], True, {'1': 'fused'}),
    ([(PEDESTRIAN, 20, 3)], [(PEDESTRIAN, 22.5, 3)], True, {'1': 'ego', '1000000': 'roadside'}),
    ([(PEDESTRIAN, 20, 3)], [(PEDESTRIAN, 22.5, 3)], False, {'1': 'ego'}),
    ([(CAR, 4, 0)], [(CAR, 1, 0)], True, {'1': 'ego'}),
], ids=['pedestrian', 'bicycle', 'confirm only', 'car', 'two pedestrians', 'confirm only beside it',
        'the vehicle itself'])
def test_the_agent_and_the_evaluation_name_the_same_source_of_a_track(scene, ego, infra, may_create, expected):
    ego, messages = things(*ego), [said_by('rsu', things(*infra), may_create)]
    assert evaluated(scene, ego, messages) == expected
    assert driven(scene, ego, messages) == expected


def test_what_each_agent_finds_alone_stands_beside_the_result_for_the_frames_that_are_taken(scene):
    first = Selection().records(scene)[0]
    sent = transform_boxes(np.linalg.inv(first.ego_from_infra), things((CAR, 25, -3)))
    evaluation = Evaluation([(scene.root, scene)], Sees(things((CAR, 15, 3))), Selection(hz=5), roadside=Sees(sent),
                            channel=Channel(drop_rate=1.0))
    result, cost = evaluation.run('late', with_agents=True)
    taken = [r.token for r in Selection().records(scene)][::2]
    assert [s['token'] for s in result['scenes'][0]['samples']] == taken and cost.frames == len(taken) == 3
    for table in (result['predictions'], result['ground_truth'], *result['agents'].values()):
        assert list(table) == taken
    # Without a link: every message is lost, and all the same the unit has seen what it has.
    assert result['agents']['ego'] == result['predictions'] == evaluation.run('none')[0]['predictions']
    place = transform_boxes(first.global_from_lidar, things((CAR, 25, -3))).centre[0]
    for rows in result['agents']['roadside'].values():
        assert [row['translation'] for row in rows] == [pytest.approx(place)]
    found = error_kinds(result)['all']
    assert found['errors'] == sum(found['kinds'].values()) > 0
    assert all(not any(t.values()) for k, t in evaluation.run('no_messages', with_agents=True)[0]['agents'].items()
               if k == 'roadside')
