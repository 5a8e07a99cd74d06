"""Training runs the frame of the tracker, and its criterion reads that frame from outside."""

import dataclasses

import numpy as np
import pytest
import torch
from small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.feature_flow import FeatureFlow
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.train.tracking_stage import TrackingStage

TARGETS = Targets(torch.tensor([[10.0, 2, 0.6, 1.5, -1, 0.4, 0, 1, 0, 0]]), torch.zeros(1, dtype=torch.long),
                  torch.ones(1, dtype=torch.long))


@pytest.fixture(scope='module')
def message():
    """Return what a roadside tracker sends, 0.1 s before frame 1."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return make_message(tracker.step(tracker.initial(), make_frame(0))[1].instances[:12])


def stage_of(side=Side.COOPERATIVE, flow=None, **method):
    """Return a stage in training whose dropout is off, so that inference can be compared with it."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        CONFIG, dropout=0.0, method=dataclasses.replace(CONFIG.method, exclude_ego=False, **method))
    return TrackingStage(CoopTrackNetwork(config, side), RECIPES['mini-cooperative'], flow=flow)


def frame_of(stage, message=None, index=1):
    """Return the losses of a frame, the record that they were read from, and what was aligned."""
    records, seen, criterion = [], {}, stage.criterion

    def wrapped(decoded, frame, *others):
        records.append((decoded, frame))
        return criterion(decoded, frame, *others)
    stage.criterion = wrapped
    inputs = AgentTracker(stage.network, stage.config, stage.side).prepare(make_frame(index))
    stage.modules.train()
    losses = stage.frame_losses(0, inputs, TARGETS, message, seen.__setitem__)
    stage.criterion = criterion
    return losses, records[0], seen


@pytest.mark.parametrize('compensation', ['none', 'geometry', 'flow'])
def test_training_brings_messages_up_to_date_as_the_tracker_does(message, compensation):
    flow = FeatureFlow(CONFIG.embed_dims, 16)
    torch.nn.init.normal_(flow.head.weight, std=0.01)
    stage = stage_of(flow=flow, compensation=compensation)
    _, _, trained = frame_of(stage, message)
    tracker, used = AgentTracker(stage.network, stage.config, Side.COOPERATIVE, flow=flow), {}
    tracker.advance(tracker.initial(), tracker.prepare(make_frame(1)), [message], observe=used.__setitem__)
    for ours, theirs in zip(trained['aligned'], used['aligned'], strict=True):
        np.testing.assert_array_equal(ours.detach(), theirs)
    assert message.stamp_ns < make_frame(1).stamp_ns and len(trained['aligned'].codes)


def test_a_frame_in_training_is_that_of_the_tracker():
    stage = stage_of(Side.VEHICLE)
    _, (_, frame), _ = frame_of(stage)
    seen = {}
    tracker = AgentTracker(stage.network, stage.config, Side.VEHICLE)
    tracker.advance(tracker.initial(), tracker.prepare(make_frame(1)), observe=seen.__setitem__)
    for name in ('ref_points', 'codes', 'logits'):
        np.testing.assert_allclose(getattr(frame.rows, name).detach(), getattr(seen['final'], name), atol=1e-3)


def test_a_criterion_sees_every_decoder_layer_and_every_affinity(message):
    stage = stage_of(cooperation='whole')
    losses, (decoded, frame), _ = frame_of(stage, message)
    config = stage.config
    assert len(decoded.decoded.logits) == config.decoder_layers and 'association' in losses
    association, = frame.associations
    assert association.logits.shape == (config.num_queries, len(decoded.received[0].indices))
    assert association.logits.requires_grad and frame.rows.logits.requires_grad and decoded.bev.requires_grad
    assert decoded.features.shape[:2] == (1, 1)
    # The gradient of a loss that is made from outside reaches the backbone.
    frame.rows.codes.sum().backward()
    assert any(p.grad is not None for p in stage.network.bev_encoder.parameters())


def test_a_message_of_which_nothing_is_left_has_a_loss_too(message):
    empty = dataclasses.replace(message, instances=message.instances[:0])
    losses, (_, frame), _ = frame_of(stage_of(), empty)
    assert losses['association'].total == 0 and len(frame.associations[0].rows) == 0
