"""The fast arrangement of the network against the network as it is written."""

import dataclasses

import numpy as np
import pytest
import torch
from support import configs
from support.small_tracker import make_frame, make_message

from cooptrack_ros.common.config import R50, BackboneConfig
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.fast.sampling import BorderedMaps, Samples
from cooptrack_ros.model.fast.vision import folded
from cooptrack_ros.model.image.backbone import build_backbone
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.model.ops.deform_attn import sample_by_grid
from cooptrack_ros.tracking.execution import make_tracker
from cooptrack_ros.tracking.tracker import AgentTracker

SMALL = dataclasses.replace(configs.OBLONG, max_cameras=2)
PUBLISHED = dataclasses.replace(
    R50, input_size=(96, 160), embed_dims=64, num_heads=4, num_queries=30, bev_size=(8, 10), ffn_dims=64,
    reasoning_ffn_dims=64, encoder_layers=2, decoder_layers=2, dropout=0.0,
    backbone=BackboneConfig(blocks=(1, 1, 1, 1)))


def trackers(config, side: Side) -> list[AgentTracker]:
    """Return the reference and the fast tracker of a network with random weights and statistics."""
    torch.manual_seed(3)
    network = CoopTrackNetwork(config, side)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1 or 'embed' in name or 'offsets' in name:
            torch.nn.init.normal_(parameter, std=0.3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    torch.nn.init.normal_(network.query_features.weight)
    return [AgentTracker(network, config, side, execution=name) for name in ('reference', 'fast')]


def run(tracker: AgentTracker, frames, messages):
    """Return what a tracker shows of its inside, frame by frame."""
    state, shown = tracker.initial(), []
    for frame in frames:
        seen = {}
        state, output = tracker.advance(state, tracker.prepare(frame), messages, observe=seen.__setitem__)
        shown.append((seen, output))
    return shown


@pytest.mark.parametrize('config', [
    SMALL, PUBLISHED, dataclasses.replace(SMALL, hist_len=0),
    dataclasses.replace(SMALL, backbone=BackboneConfig('convnext', (16, 32, 48, 64), (1, 1, 1, 1)))],
    ids=['own', 'published', 'without history', 'convnext'])
@pytest.mark.parametrize('cameras', [1, 2])
def test_both_trackers_see_the_same_in_every_stage_of_several_frames(config, cameras):
    frames = [make_frame(i) for i in range(4)]
    if cameras == 2:
        turned = [f.img_from_lidar @ np.diag([-1.0, -1, 1, 1]) for f in frames]
        frames = [dataclasses.replace(f, images=f.images * 2, img_from_lidar=np.concatenate([f.img_from_lidar, t]))
                  for f, t in zip(frames, turned, strict=True)]
    reference, fast = (run(t, frames, []) for t in trackers(config, Side.VEHICLE))
    survivors = 0
    for (seen, output), (fast_seen, fast_output) in zip(reference, fast, strict=True):
        for name in ('features', 'bev'):
            torch.testing.assert_close(fast_seen[name], seen[name], atol=2e-4, rtol=1e-4)
        for name in ('semantic', 'motion', 'embedding', 'ref_points', 'codes', 'scores'):
            torch.testing.assert_close(
                getattr(fast_seen['final'], name), getattr(seen['final'], name), atol=1e-3, rtol=1e-3)
        assert set(fast_output.tracks.track_id.tolist()) == set(output.tracks.track_id.tolist())
        survivors += len(output.instances)
    assert survivors


def test_both_trackers_fuse_the_same_pairs():
    config = dataclasses.replace(SMALL, method=dataclasses.replace(
        SMALL.method, max_match_distance_m=30.0, min_affinity=0.0))
    sender = trackers(config, Side.ROADSIDE)[0]
    _, sent = sender.step(sender.initial(), make_frame(0))
    message = make_message(sent.instances)
    assert len(message.instances)
    reference, fast = (run(t, [make_frame(0), make_frame(1)], [message])
                       for t in trackers(config, Side.COOPERATIVE))
    pairs = left_out = 0
    for (seen, output), (fast_seen, fast_output) in zip(reference, fast, strict=True):
        known = fast_seen['affinity_logits'].isfinite()
        torch.testing.assert_close(fast_seen['affinity_logits'][known], seen['affinity_logits'][known], atol=1e-3,
                                   rtol=1e-3)
        left_out += int((~known).sum())
        assert [m[:4] for m in map(dataclasses.astuple, fast_output.matches)] == [
            m[:4] for m in map(dataclasses.astuple, output.matches)]
        pairs += len(output.matches)
    assert pairs and left_out, 'affinities of pairs that are out of reach were worked out'


def test_places_on_and_beyond_every_border_read_what_grid_sample_reads():
    torch.manual_seed(0)
    size, heads, points, queries = (5, 7), 2, 3, 400
    values = torch.randn(35, 8)
    locations = torch.rand(queries, heads, points, 2) * 1.6 - 0.3
    locations[:20] = torch.tensor([-1e9, 0.0, 0.5 / 7, 1 - 0.5 / 7, 1.0, 1 + 0.5 / 7, 1e9])[
        torch.randint(7, (20, heads, points, 2))]
    weights = torch.rand(queries, heads, points)
    maps = BorderedMaps(size, heads, points)
    places = maps.places(locations)
    read = maps.sample(maps.table(values), Samples(places[..., 0], places[..., 1], weights))
    expected = sample_by_grid(values[None], size, locations[None], weights[None])[0]
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=1e-5)


def test_a_query_that_is_not_a_number_stays_one_and_disturbs_no_other():
    maps = BorderedMaps((4, 4), 1, 1)
    places = torch.tensor([[[torch.nan]], [[1.0]]])
    weights = torch.tensor([[[torch.nan]], [[1.0]]])
    read = maps.sample(maps.table(torch.ones(16, 2)), Samples(places, places, weights))
    assert read[0].isnan().all() and read[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize('kind', ['resnet', 'compact'])
def test_folding_leaves_no_batch_norm_and_the_same_features(kind):
    torch.manual_seed(0)
    backbone = build_backbone(BackboneConfig(kind, (8, 16, 24, 32), (1, 1, 1, 1))).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    merged = folded(backbone)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in merged.modules())
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(merged(image), backbone(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('execution', ['reference', 'fast'])
@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_every_device_runs_the_same_tracker(execution, device):
    tracker = make_tracker(CoopTrackNetwork(SMALL, Side.VEHICLE), SMALL, Side.VEHICLE, device, execution)
    assert type(tracker) is AgentTracker


def test_graphs_need_a_device_and_fusion_after_the_decoder():
    network = CoopTrackNetwork(SMALL, Side.VEHICLE)
    with pytest.raises(UserError, match="'graph' needs a CUDA device, not 'cpu'"):
        make_tracker(network, SMALL, Side.VEHICLE, execution='graph')
    early = dataclasses.replace(SMALL, method=dataclasses.replace(SMALL.method, fusion_stage='before_decoder'))
    with pytest.raises(UserError, match='fuse after the decoder'):
        make_tracker(network, early, Side.VEHICLE, 'cuda:0', 'graph')


@pytest.mark.parametrize('execution', ['reference', 'fast'])
def test_a_made_tracker_runs_the_network_as_asked(execution):
    network = trackers(SMALL, Side.VEHICLE)[0].network
    frames = [make_frame(i) for i in range(2)]
    made, *known = (run(t, frames, [])[-1][0]['bev'] for t in (
        make_tracker(network, SMALL, Side.VEHICLE, execution=execution),
        *(AgentTracker(network, SMALL, Side.VEHICLE, execution=name) for name in ('reference', 'fast'))))
    # The arrangement for speed adds up in another order, so the last bits tell which one it was.
    assert [torch.equal(made, bev) for bev in known] == [execution == 'reference', execution == 'fast']
