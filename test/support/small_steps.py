"""Small networks in which tracks come and go, frames and messages for them, and the comparison of two outputs."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from cooptrack_ros.common.config import MINI, R50, BackboneConfig
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.warm_start import start_track_motion
from support.small_tracker import make_frame, make_message

_SIZE = {'input_size': (64, 96), 'embed_dims': 32, 'num_heads': 4, 'num_queries': 24, 'bev_size': (8, 10),
         'encoder_layers': 2, 'decoder_layers': 2, 'ffn_dims': 32, 'reasoning_ffn_dims': 32, 'dropout': 0.0,
         'max_cameras': 2}
_NO_LIMIT = {'learned_floor': 0.0, 'max_added_per_unit': _SIZE['num_queries']}
OWN = dataclasses.replace(MINI, **_SIZE, alignment_blocks=4, method=dataclasses.replace(
    MINI.method, max_match_distance_m=8.0, exclude_ego=False, report_only_live=False, **_NO_LIMIT),
    backbone=BackboneConfig('compact', (8, 16, 24, 32), (1, 1, 1, 1), 16))
PUBLISHED = dataclasses.replace(
    R50, **_SIZE, alignment_blocks=4, reasoning_layers=1, method=dataclasses.replace(R50.method, **_NO_LIMIT),
    backbone=BackboneConfig(widths=(8, 8, 8, 8),
                                                                                 blocks=(1, 1, 1, 1)))


def make_network(config, side: Side, seed: int = 6) -> CoopTrackNetwork:
    """Return a network with random weights in which some queries live and some do not."""
    torch.manual_seed(seed)
    network = CoopTrackNetwork(config, side).eval()
    for name, parameter in network.named_parameters():
        if name.endswith('bias') or 'offsets' in name or 'embed' in name:
            torch.nn.init.normal_(parameter, std=0.2)
    if config.method.carried_motion:
        # Else tracks of random weights fly away.
        start_track_motion(network)
    torch.nn.init.normal_(network.query_features.weight)
    last, seen = network.reasoner.cls[-1], []
    torch.nn.init.normal_(last.weight)
    hook = last.register_forward_hook(lambda module, inputs, logits: seen.append(logits))
    tracker = AgentTracker(network, config, side)
    tracker.step(tracker.initial(), make_frame(0))
    hook.remove()
    logits = seen[0].amax(-1)
    with torch.no_grad():
        scale = 1 / logits.std()
        last.weight.mul_(scale)
        last.bias.copy_(scale * (last.bias - logits.median()) - 0.5)
        # What the vehicle sees itself takes no part in fusion but as a partner: here that is little.
        torch.nn.init.constant_(network.decoder.cls[-1][-1].bias, -3.0)
    return network


def frames_with_a_gap():
    """Return frames of two sequences, with a gap inside the first."""
    frames = [make_frame(i) for i in (0, 1, 2, 3, 20, 21)]
    return [*frames, *(make_frame(i, 'b') for i in (22, 23))]


def assert_same(output, expected, atol=2e-4):
    """Compare two outputs of a frame; rows of equal score may stand in any order."""
    order, wanted = (np.lexsort((o.tracks.track_id,)) for o in (output, expected))
    tracks, other = output.tracks[order], expected.tracks[wanted]
    np.testing.assert_array_equal(tracks.track_id, other.track_id)
    np.testing.assert_array_equal(tracks.label, other.label)
    np.testing.assert_array_equal(output.live[order], expected.live[wanted])
    for name in ('centre', 'size', 'velocity', 'score'):
        np.testing.assert_allclose(getattr(tracks, name), getattr(other, name), atol=atol, rtol=atol)
    np.testing.assert_array_equal(output.instances.boxes.track_id, expected.instances.boxes.track_id)
    for field in dataclasses.fields(output.instances):
        if field.name != 'boxes':
            np.testing.assert_allclose(getattr(output.instances, field.name),
                                       getattr(expected.instances, field.name), atol=atol, rtol=atol)
    np.testing.assert_allclose(output.detections.score, expected.detections.score, atol=atol, rtol=atol)
    assert output.reset == expected.reset
    assert [dataclasses.astuple(m)[:4] for m in output.matches] == [
        dataclasses.astuple(m)[:4] for m in expected.matches]
    np.testing.assert_allclose([m.affinity for m in output.matches], [m.affinity for m in expected.matches], atol=1e-4)


def messages_of(config, units=2, **changes):
    """Return a function that gives every frame the messages of some units, which see what a roadside unit sees."""
    network = make_network(config, Side.ROADSIDE)
    sender, sent = AgentTracker(network, config, Side.ROADSIDE), {}

    def messages(frame):
        if frame.stamp_ns not in sent:
            _, output = sender.step(sender.initial(), frame)
            sent[frame.stamp_ns] = [
                dataclasses.replace(make_message(output.instances[unit::units], name, shift), stamp_ns=frame.stamp_ns,
                                    **changes)
                for unit, (name, shift) in enumerate(zip(('north', 'south', 'west')[:units], (-30.0, -60.0, -45.0)))]
        return sent[frame.stamp_ns]
    return messages
