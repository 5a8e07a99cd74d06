"""The second pass in training: what it shares with the first, what it teaches, and that nothing of it stays."""

import dataclasses
import json

import pytest
import torch
from support.small_tracker import CONFIG, make_frame

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.losses import combine, divisors
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.train.run import tracking_run
from cooptrack_ros.train.syncl.mechanism import SYNCL_FIGURES
from cooptrack_ros.train.syncl.settings import SynclConfig
from cooptrack_ros.train.tracking_stage import TrackingStage

NETWORK = dataclasses.replace(CONFIG, dropout=0.0)
CODES = torch.tensor([[x, y, 0.6, 1.5, -1, 0.4, 0, 1, 0, 0] for x, y in ((10.0, 2.0), (20.0, -5.0), (30.0, 4.0))])
TARGETS = Targets(CODES, torch.zeros(3, dtype=torch.long), torch.arange(3) + 1)


def stage_of(side=Side.VEHICLE, syncl=None, **recipe):
    torch.manual_seed(0)
    base = RECIPES['mini-vehicle']
    settings = dataclasses.replace(
        base, syncl=syncl or SynclConfig(),
        selection=dataclasses.replace(base.selection, min_iou=-1.0, drop_probability=0.0), **recipe)
    return TrackingStage(CoopTrackNetwork(NETWORK, side), settings)


def losses_of(stage, count=2, targets=TARGETS):
    """Return the losses of some frames in a row."""
    tracker = AgentTracker(stage.network, stage.config, stage.side)
    stage.modules.train()
    torch.manual_seed(1)
    return [stage.frame_losses(0, tracker.prepare(make_frame(k)), targets) for k in range(count)]


def total(frames):
    return sum(combine(frames, divisors(frames)).values())


def queries(network):
    torch.manual_seed(2)
    dims, count = NETWORK.embed_dims, 12
    bev = torch.randn(1, NETWORK.bev_size[0] * NETWORK.bev_size[1], dims)
    return bev, torch.randn(1, count, dims), torch.randn(1, count, dims), torch.rand(1, count, 3)


def test_the_first_pass_is_that_of_the_decoder_alone():
    decoder = stage_of().network.decoder
    alone, (first, _) = decoder(*queries(decoder)), decoder.twice(*queries(decoder))
    for ours, theirs in zip(first, alone, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_without_self_attention_both_passes_are_equal():
    decoder = stage_of().network.decoder
    for layer in decoder.layers:
        layer.attend = lambda feats, embeds: feats
        layer.norms[0] = torch.nn.Identity()
    first, second = decoder.twice(*queries(decoder))
    for ours, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    decoder = stage_of().network.decoder
    first, second = decoder.twice(*queries(decoder))
    assert not torch.allclose(first.feats, second.feats, atol=1e-3)


def test_off_it_is_the_plain_training_to_the_last_bit():
    plain, off = stage_of(), stage_of(syncl=SynclConfig(twin=False, weight=3.0, contrast_weight=1.0))
    states = [(losses_of(stage), torch.get_rng_state()) for stage in (plain, off)]
    (ours, drawn), (theirs, also_drawn) = states
    assert torch.equal(drawn, also_drawn) and off.modules.state_dict().keys() == plain.modules.state_dict().keys()
    for frame, same in zip(ours, theirs, strict=True):
        assert frame.keys() == same.keys() and all(torch.equal(frame[k].total, same[k].total) for k in frame)
        assert [t.divisor for t in frame.values()] == [t.divisor for t in same.values()]


def test_only_frames_with_tracks_have_a_second_pass():
    first, second = losses_of(stage_of(syncl=SynclConfig(twin=True)))
    assert not any(name.startswith('syncl') for name in first)
    layers = range(NETWORK.decoder_layers)
    assert {n for n in second if n.startswith('syncl')} == {
        'syncl_contrast', *(f'syncl{i}_{kind}' for i in layers for kind in ('cls', 'box'))}


def test_the_losses_of_the_tracker_are_those_without_a_second_pass():
    plain, twin = losses_of(stage_of()), losses_of(stage_of(syncl=SynclConfig(twin=True)))
    for ours, theirs in zip(twin, plain, strict=True):
        for name, term in theirs.items():
            torch.testing.assert_close(ours[name].total, term.total, atol=1e-4, rtol=1e-4)
            assert ours[name].divisor == term.divisor


def test_decoder_and_head_learn_and_no_second_pass_stays_in_the_weights():
    stage = stage_of(syncl=SynclConfig(twin=True))
    frames = losses_of(stage)
    second = {k: v for k, v in frames[1].items() if k.startswith('syncl')}
    total([second]).backward()
    layer = stage.network.decoder.layers[0]
    assert all(p.grad.abs().sum() > 0 for p in layer.ffn.parameters())
    assert all(p.grad is not None for p in stage.modules['syncl_head'].parameters())
    assert all(p.grad.abs().sum() == 0 for p in layer.self_attention.parameters())
    assert stage.network.state_dict().keys() == stage_of().network.state_dict().keys()
    assert set(stage.figures()) == set(SYNCL_FIGURES)


@pytest.mark.parametrize('change, missing', [
    ({'contrast_weight': 0.0}, 'syncl_contrast'), ({'layers': 'last'}, 'syncl0_cls')])
def test_parts_can_be_left_out(change, missing):
    _, second = losses_of(stage_of(syncl=SynclConfig(twin=True, **change)))
    assert missing not in second and any(name.startswith('syncl') for name in second)


def test_objects_without_a_track_give_no_second_losses():
    stage = stage_of(syncl=SynclConfig(twin=True))
    losses_of(stage, 1)
    others = Targets(CODES, TARGETS.labels, TARGETS.ids + 50)
    tracker = AgentTracker(stage.network, stage.config, stage.side)
    found = stage.frame_losses(0, tracker.prepare(make_frame(1)), others)
    assert not any(name.startswith('syncl') for name in found) and stage.figures() == {}


@pytest.mark.parametrize('frames, flows', [(1, False), (2, True)])
def test_gradients_cross_frames_where_it_is_asked_for(frames, flows):
    stage = stage_of(clip_grad_frames=frames)
    losses_of(stage)
    assert stage._memory[0].bev.requires_grad == stage._memory[0].tracks.semantic.requires_grad == flows
    stage.cut()
    assert not stage._memory[0].bev.requires_grad and not stage._memory[0].tracks.semantic.requires_grad


def test_settings_of_the_block_go_into_the_recipe_of_a_run():
    recipe = dataclasses.replace(RECIPES['mini-vehicle'], syncl=SynclConfig(twin=True))
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))['syncl']['queries_per_object'] == 5


def test_stage_2_is_refused_where_the_decoder_does_not_learn():
    recipe = dataclasses.replace(RECIPES['mini-cooperative'], syncl=SynclConfig(twin=True, stage2=True))
    additions = dataclasses.replace(NETWORK, method=dataclasses.replace(NETWORK.method, cooperation='additions'))
    with pytest.raises(UserError, match='cooperation.*additions'):
        tracking_run(additions, recipe, Side.COOPERATIVE, [])
