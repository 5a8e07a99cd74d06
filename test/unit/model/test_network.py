"""Building blocks of the network: sizes, batches, names, conversions, preprocessing."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from cooptrack_ros.common.config import MINI, PRESETS, R50, BackboneConfig
from cooptrack_ros.common.timeline import StampedPose
from cooptrack_ros.common.types import Boxes, Side
from cooptrack_ros.model.bev.geometry import BevGeometry, BevMotion, bev_geometry, bev_motion
from cooptrack_ros.model.image.backbone import build_backbone
from cooptrack_ros.model.image.preprocess import MEAN_RGB, STD_RGB, prepare_image, prepare_projection
from cooptrack_ros.model.instances.boxes import boxes_from_codes, codes_from_boxes
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.model.ops.deform_attn import forced_path, sample_by_grid, sample_by_rows
from cooptrack_ros.parity.fill import manifest
from cooptrack_ros.weights.published_keys import expected_entries, our_name, published_name

MEGABYTE = 1_000_000


@pytest.mark.parametrize('side', list(Side))
def test_mini_fits_the_size_limit(side):
    state = CoopTrackNetwork(MINI, side).state_dict()
    assert sum(v.numel() for v in state.values()) * 2 < 12 * MEGABYTE


@pytest.mark.parametrize(('side', 'name'), [(Side.VEHICLE, 'veh'), (Side.ROADSIDE, 'inf'), (Side.COOPERATIVE, 'coop')])
def test_names_and_shapes_are_the_published_ones(side, name):
    expected = expected_entries(R50, side)
    assert expected == {e.name: e.shape for e in manifest(name)}
    ours = [our_name(n) for n in expected]
    assert len(set(ours)) == len(ours)
    assert [published_name(n) for n in ours] == list(expected)


def test_an_unknown_entry_has_no_name():
    with pytest.raises(KeyError):
        our_name('pts_bbox_head.transformer.unheard_of')


def make_stamped_pose(index: int, yaw: float) -> StampedPose:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[0, 3] = index
    return StampedPose('a', index * 100_000_000, pose, np.arange(18.0) * index)


def make_projection(focal: float) -> np.ndarray:
    camera = np.eye(4)
    camera[:3, :3] = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
    return (np.array([[focal, 0, 256, 0], [0, focal, 144, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ camera)[None]


@pytest.mark.parametrize('config', [MINI], ids=['mini'])
def test_a_batch_gives_what_its_elements_give_alone(config):
    torch.manual_seed(0)
    network = CoopTrackNetwork(config, Side.VEHICLE).eval()
    cells, width = config.bev_size[0] * config.bev_size[1], config.embed_dims
    images = torch.randn(2, 1, 3, 96, 160)
    previous = torch.randn(2, cells, width)
    geometries = [bev_geometry(config, Side.VEHICLE, make_projection(f)) for f in (200.0, 500.0)]
    motions = [bev_motion(config, Side.VEHICLE, make_stamped_pose(1, yaw), make_stamped_pose(0, 0.0))
               for yaw in (0.0, 0.2)]

    def forward(images, geometry, motion, previous):
        features = network.image_features(images)
        bev = network.encode_bev(features, geometry, motion, network.align_bev(previous, motion))
        points = network.query_points.weight.expand(len(images), -1, -1)
        feats = network.query_features.weight.expand(len(images), -1, -1)
        return bev, network.decode(bev, feats, network.embed_points(points), points).boxes[-1]
    both = forward(images, BevGeometry.stack(geometries), BevMotion.stack(motions), previous)
    for i in range(2):
        alone = forward(images[i:i + 1], geometries[i], motions[i], previous[i:i + 1])
        for batched, single in zip(both, alone, strict=True):
            torch.testing.assert_close(batched[i:i + 1], single, atol=2e-4, rtol=1e-3)


def test_the_warped_map_follows_the_motion():
    config = MINI
    rows, columns = config.bev_size
    cell = 102.4 / columns
    now, before = make_stamped_pose(1, 0.0), make_stamped_pose(0, 0.0)
    now.global_from_lidar[0, 3] = 3 * cell
    motion = bev_motion(config, Side.VEHICLE, now, before)
    network = CoopTrackNetwork(config, Side.VEHICLE)
    previous = torch.zeros(1, rows * columns, 1)
    previous.view(rows, columns)[10, 20] = 1
    moved = network.align_bev(previous, motion).view(rows, columns)
    assert moved[10, 17] == pytest.approx(1, abs=1e-3) and moved.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(motion.vector[0, :5], [3 * cell, 0, 0, 0, 0.1], atol=1e-6)
    assert not motion.shift.any()


def test_both_ways_of_sampling_agree():
    torch.manual_seed(0)
    value, weights = torch.randn(2, 63, 24), torch.rand(2, 11, 3, 5)
    locations = torch.rand(2, 11, 3, 5, 2) * 1.6 - 0.3
    locations[0, 0], locations[0, 1], locations[1, 0] = 5e6, -5e6, 0.0
    args = value, (7, 9), locations, weights
    torch.testing.assert_close(sample_by_rows(*args), sample_by_grid(*args), atol=1e-5, rtol=1e-5)


def test_boxes_survive_the_way_to_codes_and_back():
    rng = np.random.default_rng(0)
    n = 20
    boxes = Boxes(rng.normal(size=(n, 3)) * 20, rng.uniform(0.5, 8, (n, 3)), rng.uniform(-np.pi, np.pi, n),
                  rng.normal(size=(n, 2)), rng.integers(0, 3, n), rng.random(n), np.arange(n))
    back = boxes_from_codes(codes_from_boxes(boxes), torch.from_numpy(boxes.label), torch.from_numpy(boxes.score),
                            torch.from_numpy(boxes.track_id))
    for name in ('centre', 'size', 'yaw', 'velocity', 'label', 'score', 'track_id'):
        np.testing.assert_allclose(getattr(back, name), getattr(boxes, name), atol=1e-5)


def test_codes_hold_the_bottom_centre_and_a_clockwise_yaw():
    boxes = Boxes(np.array([[1.0, 2, 3]]), np.array([[4.0, 2, 1.5]]), np.array([0.0]), np.array([[5.0, 6]]),
                  np.zeros(1, int), np.ones(1), np.zeros(1, int))
    expected = [1, 2, np.log(2), np.log(4), 2.25, np.log(1.5), -1, 0, 5, 6]
    np.testing.assert_allclose(codes_from_boxes(boxes)[0], expected, atol=1e-6)


def test_images_go_through_the_published_pipeline():
    image = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    rgb = (image[..., ::-1].astype(np.float32) - MEAN_RGB) * (1 / STD_RGB)
    resized = cv2.resize(rgb.astype(np.float32), (960, 540), interpolation=cv2.INTER_LINEAR)
    prepared = prepare_image(image, R50)
    assert prepared.shape == (3, 544, 960) and prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[:, :540], resized.transpose(2, 0, 1), atol=2e-6)
    assert not prepared[:, 540:].any()


@pytest.mark.parametrize('config', [R50, MINI])
@pytest.mark.parametrize('shape', [(1080, 1920), (540, 960), (720, 1280), (1000, 1000), (265, 960), (288, 512)])
def test_projection_follows_the_image(config, shape):
    prepared = prepare_image(np.full((*shape, 3), 255, np.uint8), config)
    filled = prepared[0].astype(bool)
    pixel = prepare_projection(np.eye(4), shape, config)[:2, :2] @ [shape[1], shape[0]]
    np.testing.assert_allclose(pixel, [filled.any(0).sum(), filled.any(1).sum()])
    assert config is R50 or filled.all()


@pytest.mark.parametrize('image', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
                                   np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused_as_images(image):
    with pytest.raises(ValueError, match='uint8'):
        prepare_image(image, MINI)


@pytest.mark.parametrize('side', list(Side))
def test_training_reaches_every_parameter_of_the_single_agent_stages(side):
    torch.manual_seed(0)
    config = MINI
    network = CoopTrackNetwork(config, side).train()
    geometry = bev_geometry(config, side, make_projection(300.0))
    motion = bev_motion(config, side, make_stamped_pose(1, 0.0), make_stamped_pose(0, 0.0))
    cells = config.bev_size[0] * config.bev_size[1]
    bev = network.encode_bev(network.image_features(torch.randn(1, 1, 3, 96, 160)), geometry, motion,
                             torch.randn(1, cells, config.embed_dims))
    points = network.query_points.weight[None]
    decoded = network.decode(bev, network.query_features.weight[None], network.embed_points(points), points)
    count = config.num_queries
    found = network.track_motion(torch.zeros(count, 10), torch.zeros(count, 3), torch.full((count,), 0.1),
                                 torch.ones(count), decoded.boxes[-1, 0], decoded.feats[-1, 0])[None]
    feature = network.motion_features(found, decoded.feats[-1])
    history = torch.randn(1, config.num_queries, config.hist_len, config.embed_dims)
    padding = torch.zeros(1, config.num_queries, config.hist_len, dtype=torch.bool)
    semantic, feature = network.reason(decoded.feats[-1], feature, history, history, padding,
                                       network.embed_points(decoded.refs[-1]))
    logits, codes, _ = network.refine(semantic, feature, decoded.refs[-1], found)
    (logits.mean() + codes.mean() + decoded.logits.mean() + decoded.boxes.mean()).backward()
    cooperative = ('alignment', 'association', 'aggregation')
    missing = [n for n, p in network.named_parameters() if p.grad is None and not n.startswith(cooperative)]
    assert not missing


def test_an_unknown_sampling_path_is_refused():
    with pytest.raises(ValueError, match='rows, grid'), forced_path('fast'):
        pass


@pytest.mark.parametrize(('preset', 'millions'), [('r50', 25.5 - 2.0), ('r101', 44.5 - 2.0), ('convnext_s', 49.5)])
def test_backbones_have_the_known_sizes(preset, millions):
    with torch.device('meta'):
        backbone = build_backbone(PRESETS[preset].backbone)
    assert sum(p.numel() for p in backbone.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize('kind', ['resnet', 'compact', 'convnext'])
def test_every_kind_of_backbone_tracks_and_learns(kind):
    config = replace(MINI, num_queries=8, bev_size=(8, 8), backbone=BackboneConfig(
        kind, widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), out_stride=16 if kind == 'compact' else 32))
    torch.manual_seed(0)
    network = CoopTrackNetwork(config, Side.VEHICLE)
    features = network.image_features(torch.randn(1, 1, 3, 96, 160))
    stride = config.backbone.out_stride
    assert features.shape == (1, 1, config.embed_dims, 96 // stride, 160 // stride)
    features.square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.backbone.parameters())


def test_an_unknown_backbone_is_refused():
    with pytest.raises(ValueError, match='compact'):
        build_backbone(BackboneConfig('vgg'))
