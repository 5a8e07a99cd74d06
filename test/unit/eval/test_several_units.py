"""Evaluation with several roadside units."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_runner import talkative_model

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import MINI, apply_overrides
from cooptrack_ros.common.types import Boxes, FrameOutput, InstanceSet, RoadsideMessage
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.eval.channel import Channel
from cooptrack_ros.eval.ego import KnownFrame, KnownOutputs, make_agent, received_in
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection

UNITS = ['unit_1', 'unit_2']
FRAMES = 2


@pytest.fixture(scope='module')
def scene(scenes):
    """Return a small scene with two units."""
    return scenes.scene(20008, 1.0, (240, 135), units=2)


def run(scene, mode, units=None, **options):
    """Return result and cost of a mode with some units."""
    return Evaluation(open_datasets([scene], units), talkative_model(), Selection(limit=FRAMES), **options).run(mode)


@pytest.mark.parametrize('mode', ['cooperative', 'late'])
def test_messages_of_all_units_reach_the_vehicle(scene, mode):
    results = {name: run(scene, mode, units) for name, units in (('one', UNITS[:1]), ('two', UNITS[1:]),
                                                                 ('both', None))}
    assert {name: sorted(cost.units) for name, (_, cost) in results.items()} == {
        'one': UNITS[:1], 'two': UNITS[1:], 'both': UNITS}
    sent = {name: cost.instances for name, (_, cost) in results.items()}
    assert sent['both'] == sent['one'] + sent['two'] and min(sent.values()) > 0
    detections = [result['detections'] for result, _ in results.values()]
    assert detections[0] != detections[1] != detections[2] != detections[0]


def test_every_choice_of_units_is_measured_against_the_same_labels(scene):
    truths = []
    for units in (UNITS[:1], UNITS[1:], UNITS):
        truth = run(scene, 'none', units)[0]['ground_truth']
        truths.append({token: [{k: v for k, v in row.items() if k != 'seen_by'} for row in rows]
                       for token, rows in truth.items()})
    assert truths[0] == truths[1] == truths[2]


def test_links_name_the_unit_and_every_unit_counts_what_was_fused(scene):
    package = talkative_model()
    # Random networks are sure of nothing: all rows become tracks.
    keep = {'score_threshold': 0.0, 'output_threshold': 0.0}
    package = replace(package, config=apply_overrides(package.config, {'tracker_cooperative': keep}))
    result, cost = Evaluation(open_datasets([scene]), package, Selection(limit=1)).run('cooperative')
    linked = Counter(row['unit'] for rows in result['links'].values() for row in rows)
    assert sorted(linked) == UNITS
    for name, unit in cost.units.items():
        # Links of tracks beyond the range of their class are left out.
        assert 0 < linked[name] <= unit.fused <= unit.instances


def test_late_fusion_takes_an_object_of_two_units_once():
    box = Boxes(np.array([[20.0, 3.0, 0.0]]), np.array([[4.0, 2.0, 1.5]]), np.zeros(1), np.zeros((1, 2)),
                np.zeros(1, np.int64), np.array([0.8]), np.array([4]))
    sent = replace(InstanceSet.empty(4), boxes=box)
    messages = [RoadsideMessage(unit, 0, sent, np.eye(4)) for unit in UNITS]
    output = FrameOutput(0, Boxes.empty(), np.zeros(0, bool), Boxes.empty(), InstanceSet.empty(4))
    frame = KnownFrame('s', 0, (), np.zeros((0, 4, 4)), np.eye(4), np.eye(4), output=output)
    for mode in ('late', 'late_ab3dmot'):
        result = make_agent(mode, KnownOutputs(), MINI).step(frame, received_in(mode, messages))
        assert len(result.detections) == 1


def test_each_unit_has_a_link_of_its_own(scene):
    arrived = []

    class Noting(Channel):
        """Notes the names under which links are asked for."""

        def deliver(self, name, sent, period_s, poses):
            """Deliver and note."""
            arrived.append(name)
            return super().deliver(name, sent, period_s, poses)
    run(scene, 'cooperative', channel=Noting())
    run(scene, 'cooperative', UNITS[:1], channel=Noting())
    assert arrived == ['seed_020008/unit_1', 'seed_020008/unit_2', 'seed_020008']


def test_the_command_chooses_units_and_tells_what_each_contributed(scene, tmp_path, capsys):
    out = tmp_path / 'figures.json'
    command = ['eval', '--data', str(scene), '--weights', 'random:mini', '--limit', '2', '--json', str(out), '--units']
    assert main([*command, 'unit_2']) == 0
    assert set(json.loads(out.read_text())['units']) <= {'unit_2'}
    assert main([*command, 'unit_9']) == 2
    assert "no roadside unit 'unit_9'; it has unit_1, unit_2" in capsys.readouterr().err
