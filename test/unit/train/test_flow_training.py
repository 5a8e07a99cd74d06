"""A flow learns how features go on, resumes, and is stored beside the roadside weights that it belongs to."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, rotation_xyz, transform_boxes
from cooptrack_ros.common.types import Boxes, InstanceSet, Side
from cooptrack_ros.train.feature_flow_stage import FlowStage, FlowStream, Timeline, make_batch, measure, split
from cooptrack_ros.train.loop import TrainLoop
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.weights.store import FLOW_NAME, open_model, save_side
from cooptrack_ros.weights.store_parts import save_flow

WIDTH = 8
RECIPE = replace(RECIPES['flow'], steps=60, warmup_steps=5, checkpoint_every=20, learning_rate=5e-3)
TURN = np.random.default_rng(99).normal(size=(WIDTH, WIDTH)) / 2
"""How features change: each at a rate that it tells itself."""


def drifting(seed, frames=8, count=6):
    """Return a sequence whose objects drive and whose features drift."""
    random = np.random.default_rng(seed)
    start, velocity = random.uniform(10, 90, (count, 2)), random.uniform(-10, 10, (count, 2))
    feature = random.normal(size=(count, WIDTH))
    sets = []
    for i in range(frames):
        t = i / 10
        centre = np.column_stack([start + velocity * t, np.zeros(count)])
        boxes = Boxes(centre, np.ones((count, 3)), np.zeros(count), np.zeros((count, 2)), np.zeros(count, np.int64),
                      np.ones(count), np.arange(count))
        values = (feature + feature @ TURN * t).astype(np.float32)
        points = np.zeros((count, 3), np.float32)
        rows = random.permutation(count)
        sets.append(InstanceSet(boxes, points, values, values, values, points, np.zeros(count, np.float32),
                                points)[rows])
    return Timeline(tuple(100_000 * i for i in range(frames)), tuple(sets))


def test_pairs_are_of_one_track():
    line = drifting(0)
    batch = make_batch([(line, 2, 3, 1)])
    by_id = [s.boxes.centre[np.argsort(s.boxes.track_id), :2] for s in line.sets]
    assert np.allclose(batch.age, 0.3)
    moved = (by_id[5] - by_id[2]).astype(np.float32)
    assert np.allclose(np.sort(batch.moved.numpy(), 0), np.sort(moved, 0), atol=1e-4)


def test_what_a_unit_that_moves_says_is_compared_in_its_frame_at_the_time_of_the_message():
    line = drifting(0)
    poses = tuple(make_pose(rotation_xyz(0.02 * i, 0.0, 0.1 * i), np.array([2.0 * i, 0.0, 25.0])) for i in range(8))
    seen = tuple(replace(s, boxes=transform_boxes(np.linalg.inv(pose), s.boxes))
                 for s, pose in zip(line.sets, poses, strict=True))
    plain, flying = (make_batch([(timeline, 2, 3, 1)]) for timeline in (line, replace(line, sets=seen, poses=poses)))
    turn = poses[2][:3, :3].T
    for name in ('moved', 'velocity'):
        level = np.pad(getattr(plain, name).numpy(), ((0, 0), (0, 1))) @ turn.T
        np.testing.assert_allclose(getattr(flying, name).numpy(), level[:, :2], atol=2e-2)


def test_a_flow_learns_the_rates_and_resumes_with_the_same_bits(tmp_path):
    known, held_out = split([drifting(seed) for seed in range(10)])
    assert len(known) == 9 and len(held_out) == 1

    def loop(folder):
        return TrainLoop(FlowStage(WIDTH, RECIPE), FlowStream(known, 0), RECIPE, tmp_path / folder)
    whole = loop('whole')
    untrained = measure(FlowStage(WIDTH, RECIPE).flow, held_out)['500']
    assert whole.run()

    def killed(step, fraction, means):
        if step == 40:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        loop('killed').run(killed)
    again = loop('killed')
    assert again.step == 20 and again.run()
    for name, value in whole.stage.flow.state_dict().items():
        assert torch.equal(value, again.stage.flow.state_dict()[name])
    trained = measure(whole.stage.flow.eval(), held_out)['500']
    assert untrained['semantic_flow'] == untrained['semantic_none']
    assert trained['semantic_flow'] < 0.7 * trained['semantic_none']


def test_messages_without_sequences_are_refused():
    with pytest.raises(UserError, match='at least two frames'):
        FlowStream([], 0)


@pytest.fixture
def model(tmp_path):
    """Return a model folder with roadside weights."""
    package = open_model('random:mini')
    save_side(tmp_path / 'model', package.config, Side.ROADSIDE, package.network(Side.ROADSIDE), {})
    return tmp_path / 'model'


def stored_flow(model):
    """Store random weights; return them."""
    package = open_model(str(model))
    flow = FlowStage(package.config.embed_dims, RECIPE).flow
    torch.nn.init.normal_(flow.head.weight)
    save_flow(package, flow, {'measured': {}})
    return flow


def test_a_flow_is_stored_beside_its_roadside_weights(model):
    assert open_model(str(model)).flow() is None
    flow = stored_flow(model)
    loaded = open_model(str(model)).flow()
    for name, value in flow.state_dict().items():
        assert torch.allclose(value, loaded.state_dict()[name], atol=1e-2, rtol=1e-3)
    assert open_model('random:mini').flow() is None


def test_new_roadside_weights_need_a_new_flow(model):
    stored_flow(model)
    package = open_model('random:mini')
    network = package.network(Side.ROADSIDE)
    torch.nn.init.ones_(network.query_points.weight)
    save_side(model, package.config, Side.ROADSIDE, network, {})
    assert open_model(str(model)).flow() is None


def test_a_damaged_flow_is_named(model):
    stored_flow(model)
    path = model / FLOW_NAME
    path.write_bytes(path.read_bytes()[:-4] + b'abcd')
    with pytest.raises(UserError, match='flow.safetensors is damaged'):
        open_model(str(model)).flow()
    path.unlink()
    with pytest.raises(UserError, match='flow.safetensors is missing'):
        open_model(str(model)).flow()


def test_a_flow_of_another_size_is_refused(model):
    stored_flow(model)
    card = yaml.safe_load((model / 'card.yaml').read_text())
    card['flow']['hidden'] = 7
    (model / 'card.yaml').write_text(yaml.safe_dump(card))
    with pytest.raises(UserError, match='of another shape'):
        open_model(str(model)).flow()


def test_only_a_model_with_roadside_weights_takes_a_flow():
    package = open_model('random:mini')
    with pytest.raises(UserError, match='no roadside weights'):
        save_flow(package, FlowStage(WIDTH, RECIPE).flow, {})
    with pytest.raises(UserError, match='no roadside weights'):
        save_flow(dataclasses.replace(package, card={}), FlowStage(WIDTH, RECIPE).flow, {})
