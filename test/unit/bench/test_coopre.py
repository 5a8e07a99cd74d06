"""The experiment of CooPre: attention over agents, average precision, scenes, and runs that go on."""

import json
from types import SimpleNamespace

import coopre
import numpy as np
import pytest
import torch
from coopre_detector import AttFuse, Detector, Found, changed, figures
from coopre_scenes import LEAST_POINTS, CloudScene, _of, _with_boxes

from cooptrack_ros.model.lidar.sizes import LidarSizes

SIZES = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)


def scene(seed=0, count=2) -> CloudScene:
    """Return blobs of points on vehicles; the vehicle sees the first one only."""
    rng = np.random.default_rng(seed)
    rows = np.array([[10.0 + 12 * k, 4 * k, 0, 4.0, 1.8, 1.6, 0.3 * k] for k in range(count)])
    blobs = [np.column_stack([row[:3] + rng.uniform(-0.4, 0.4, (20, 3)), np.full(20, 0.5)]) for row in rows]
    points = np.concatenate([blobs[0], *blobs]).astype(np.float32)
    agent = np.repeat([0, 1], [20, 20 * count])
    return _with_boxes(points, agent, rows)


def test_attention_is_the_row_of_the_vehicle_cell_by_cell():
    """Two channels, two agents: scores (1, 0) / sqrt 2, as worked out by hand."""
    features = torch.zeros(1, 2, 2, 1, 2)
    features[0, 0, :, 0, 0] = torch.tensor([1.0, 0.0])
    features[0, 1, :, 0, 0] = torch.tensor([0.0, 1.0])
    fused = AttFuse()(features)[0, :, 0, 0]
    own = np.exp(2 ** -0.5) / (np.exp(2 ** -0.5) + 1)
    torch.testing.assert_close(fused, torch.tensor([own, 1 - own], dtype=torch.float32))
    assert (AttFuse()(features)[0, :, 0, 1] == 0).all()
    alike = torch.randn(1, 1, 3, 4, 4).expand(1, 2, 3, 4, 4)
    torch.testing.assert_close(AttFuse()(alike), alike[:, 0])


def found(centres, scores, truth, own):
    return Found(np.array(centres, float).reshape(-1, 2), np.array(scores), np.array(truth, float).reshape(-1, 2),
                 np.array(own, bool))


def test_average_precision_is_that_of_a_hand_worked_example():
    """Right, false, right: precision 1 up to a recall of 1/2, then 2/3; of the hidden one 1/2."""
    one = found([[10, 0.4], [0, 5], [25, 0]], [0.9, 0.8, 0.7], [[10, 0], [25, 0]], [True, False])
    values = figures([one])
    assert values['all']['0.5'] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert values['hidden_from_ego']['1'] == pytest.approx(0.5)
    # The false one lies at 5 m.
    assert values['20-30 m']['1'] == 1.0 and values['0-20 m']['1'] == 1.0 and values['30 m and more']['1'] is None


def test_an_object_is_found_once_and_nothing_found_is_zero():
    twice = found([[10, 0], [10, 0.1]], [0.9, 0.95], [[10, 0], [20, 0]], [True, True])
    assert figures([twice])['all']['2'] == pytest.approx(51 / 101)
    assert figures([found([], [], [[10, 0]], [True])])['all']['1'] == 0.0
    assert figures([found([], [], [], [])])['all']['1'] is None


def test_a_scene_tells_what_each_agent_sees():
    one = scene()
    assert one.own.tolist() == [True, False] and len(one.boxes) == 2
    assert [len(c) for c in one.clouds()] == [20, 40]
    assert (len(one.read('ego')[0]), len(one.read('all')[0])) == (20, 60)
    few = _with_boxes(one.points[:LEAST_POINTS - 1], one.agent[:LEAST_POINTS - 1],
                      np.array([[10.0, 0, 0, 4, 1.8, 1.6, 0]]))
    assert len(few.boxes) == 0


def test_points_stay_on_their_vehicles_when_a_scene_is_changed():
    one = scene()
    for seed in range(5):
        other = changed(one, np.random.default_rng(seed))
        rows = np.column_stack([other.boxes.centre, other.boxes.size, other.boxes.yaw])
        again = _with_boxes(other.points, other.agent, rows)
        assert again.own.tolist() == [True, False]
        assert np.linalg.norm(other.boxes.centre[0] - one.boxes.centre[0]) > 0.1


def test_a_detector_learns_a_scene_by_heart():
    torch.manual_seed(0)
    detector, one = Detector(SIZES), scene()
    optimiser = torch.optim.Adam(detector.parameters(), lr=0.02)
    for _ in range(25):
        loss = detector.loss([one, one])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    centres, scores = detector.eval().detect(one)
    assert scores[0] >= scores[-1] and np.linalg.norm(one.boxes.centre[:, :2] - centres[0], axis=1).min() < 2


def test_runs_that_are_there_stay_and_times_of_the_pretraining_are_added(tmp_path, monkeypatch):
    done = []

    def finetune(args, run, known, steps):
        done.append((run.arm, steps))
        return None, 0.5
    monkeypatch.setattr(coopre, 'finetune', finetune)
    monkeypatch.setattr(coopre, 'measure', lambda *_: {g: {t: 0.5 for t in ('0.5', '1', '2')}
                                                       for g in ('all', 'hidden_from_ego')})
    monkeypatch.setattr(coopre, 'pretrain', lambda *_: {'seconds': 30.0})
    monkeypatch.setattr(coopre, 'scenes', lambda *_: [])
    args = SimpleNamespace(out=tmp_path, json=tmp_path / 'out.json', transfer=True, seeds=2, labelled=[2, 4], steps=10,
                           known='1-2', test='3-4')
    result = {'pretraining': {}, 'runs': []}
    coopre.complete(args, result)
    assert len(done) == 2 * 2 * 4 + 2 * 4 and {steps for arm, steps in done if arm == coopre.LONGER} == {10 + 60}
    stored = json.loads(args.json.read_text())
    del done[:], stored['runs'][3:]
    coopre.complete(args, stored)
    assert len(done) == 21 and len(stored['runs']) == 24
    text = coopre.table(stored['runs'])
    assert text.count('| 0.500 ± 0.000 |') > 0 and '| 2 | sparse | dense | cooperative pretraining |' in text
    coopre.draw(tmp_path / 'plot.png', stored['runs'])
    assert (tmp_path / 'plot.png').stat().st_size > 1000


def test_stored_scenes_are_read_as_they_were(tmp_path):
    one = scene()
    again = _of({'points': one.points, 'agent': one.agent.astype(np.int8), 'own': one.own,
                 'boxes': np.column_stack([one.boxes.centre, one.boxes.size, one.boxes.yaw])})
    assert np.array_equal(again.points, one.points) and np.array_equal(again.boxes.yaw, one.boxes.yaw)
