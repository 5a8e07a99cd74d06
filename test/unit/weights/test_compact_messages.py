"""What a receiver recomputes of compact messages."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.types import InstanceSet, Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.compact_messages import SenderModel
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.wire.features import FeatureMeta, decode_instances, encode_instances, transmission

ENCODINGS = ('float32', 'float16', 'int8')
FRAMES = 4


def close(recomputed: np.ndarray, sent: np.ndarray) -> None:
    """Check the promise of ``SenderModel``."""
    largest = np.abs(sent).max(axis=1, initial=0.0, keepdims=True)
    assert (np.abs(recomputed - sent) <= 1e-5 * largest).all()


@pytest.fixture(scope='module')
def unit():
    """Return what a receiver knows of a unit, and the instances that it sends frame by frame."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    state, sent = tracker.initial(), []
    for index in range(FRAMES):
        state, output = tracker.step(state, make_frame(index))
        sent.append(output.instances)
    return SenderModel('unit', tracker.network.state_dict()), sent


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_the_embeddings_of_a_compact_message_are_those_of_the_unit(unit, encoding):
    sender, frames = unit
    for sent in frames:
        assert len(sent)
        received, _ = transmission(encoding, True, 900, sender.complete)(sent)
        close(received.position_embedding, sent.position_embedding)


@pytest.mark.parametrize(('width', 'queries'), [(96, 150), (256, 900)])
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 64), seed=st.integers(0, 2**32 - 1))
def test_few_points_are_embedded_as_among_many(width, queries, count, seed):
    torch.manual_seed(seed)
    network = CoopTrackNetwork(dataclasses.replace(MINI, embed_dims=width, num_heads=8), Side.ROADSIDE)
    points = torch.rand(queries, 3)
    with torch.inference_mode():
        among_many = network.embed_points(points).numpy()[:count]
    instances = dataclasses.replace(
        InstanceSet.empty(0), semantic=np.zeros((count, width), np.float32),
        position_embedding=np.zeros((count, 0), np.float32), position_points=points[:count].numpy())
    close(SenderModel('unit', network.state_dict()).complete(instances).position_embedding, among_many)


def test_the_vehicle_tracks_the_same_with_compact_messages(unit):
    sender, frames = unit
    answers = []
    for compact in (True, False):
        transmit = transmission('float32', compact, 20, sender.complete)
        ego = make_tracker(Side.COOPERATIVE, MANY)
        state, outputs = ego.initial(), []
        for index, sent in enumerate(frames):
            message = dataclasses.replace(make_message(transmit(sent)[0]), stamp_ns=index * 100_000_000)
            state, output = ego.step(state, make_frame(index), [message])
            outputs.append(output)
        answers.append(outputs)
    for compact, full in zip(*answers, strict=True):
        assert full.matches
        assert [(m.track_id, m.infra_index) for m in compact.matches] == [
            (m.track_id, m.infra_index) for m in full.matches]
        np.testing.assert_array_equal(compact.tracks.track_id, full.tracks.track_id)
        np.testing.assert_array_equal(compact.tracks.label, full.tracks.label)
        np.testing.assert_allclose(compact.tracks.centre, full.tracks.centre, rtol=0, atol=1e-3)
        np.testing.assert_allclose(compact.tracks.score, full.tracks.score, rtol=0, atol=1e-4)


def test_full_messages_and_boxes_alone_stay_as_they_are(unit):
    sender, frames = unit
    assert sender.complete(frames[0]) is frames[0]
    empty = np.zeros((len(frames[0]), 0), np.float32)
    boxes = dataclasses.replace(frames[0], semantic=empty, motion=empty, position_embedding=empty)
    assert sender.complete(boxes) is boxes


def test_a_compact_message_without_instances_is_complete(unit):
    sender, frames = unit
    received, meta = decode_instances(encode_instances(frames[0][:0], FeatureMeta.example()))
    assert meta.compact
    assert sender.complete(received).position_embedding.shape == (0, CONFIG.embed_dims)


def test_a_package_knows_its_sender_from_stored_and_from_random_weights(tmp_path):
    torch.manual_seed(0)
    network = CoopTrackNetwork(MINI, Side.ROADSIDE).eval()
    network.load_state_dict({k: v.half().float() for k, v in network.state_dict().items()})
    save_side(tmp_path / 'tiny', MINI, Side.ROADSIDE, network, {})
    for package in (open_model(str(tmp_path / 'tiny')), open_model('random:mini')):
        sender = package.sender()
        assert (sender.model_id, sender.feature_dim) == (package.model_id(Side.ROADSIDE), MINI.embed_dims)
        points = np.random.default_rng(0).random((5, 3)).astype(np.float32)
        instances = dataclasses.replace(InstanceSet.empty(0), semantic=np.zeros((5, 96), np.float32),
                                        position_points=points)
        with torch.inference_mode():
            expected = package.network(Side.ROADSIDE).embed_points(torch.from_numpy(points))
        np.testing.assert_array_equal(sender.complete(instances).position_embedding, expected.numpy())
