"""The occupancy head: axes of the lift and of the volume attention, batches, gradients, masks and merging."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.occupancy.attention import VolumeAttention
from cooptrack_ros.model.occupancy.head import MaskOutput, OccupancyHead, Queries
from cooptrack_ros.model.occupancy.lift import VolumeGeometry, VolumeLift, volume_geometry
from cooptrack_ros.model.occupancy.sizes import MINI_HEAD, TRACKOCC_R50
from cooptrack_ros.model.ops.volume_sample import sample_volume
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.merging import MergeRules

GRID = GRIDS['mini'].vehicle
COARSE = MINI_HEAD.coarse_grid(GRID, MINI)


def naive_sample(volume, locations):
    """Return trilinear samples voxel by voxel; locations (N, 3), volume (C, X, Y, Z)."""
    shape = np.array(volume.shape[1:])
    out = np.zeros((len(locations), volume.shape[0]))
    for n, location in enumerate(locations):
        place = location * shape - 0.5
        low = np.floor(place).astype(int)
        for corner in np.ndindex(2, 2, 2):
            index = low + corner
            weight = np.prod(np.where(corner, place - low, 1 - (place - low)))
            if ((index >= 0) & (index < shape)).all():
                out[n] += weight * volume[(slice(None), *index)]
    return out


def test_samples_equal_a_loop_over_voxels():
    rng = np.random.default_rng(0)
    volume, locations = rng.normal(size=(3, 7, 5, 4)), rng.uniform(-0.1, 1.1, (60, 3))
    found = sample_volume(torch.tensor(volume[None]), torch.tensor(locations)[None, :, None])[0, :, :, 0].T
    np.testing.assert_allclose(found.numpy(), naive_sample(volume, locations), atol=1e-12)


def test_a_single_voxel_is_found_where_it_is():
    rng = np.random.default_rng(1)
    for index in rng.integers(0, [7, 5, 4], (50, 3)):
        volume = torch.zeros(1, 1, 7, 5, 4)
        volume[(0, 0, *index)] = 1.0
        centre = torch.tensor((index + 0.5) / [7, 5, 4], dtype=torch.float32)
        assert sample_volume(volume, centre.view(1, 1, 1, 3)).item() == pytest.approx(1.0, abs=1e-5)


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return VolumeAttention(replace(MINI, embed_dims=12, num_heads=6), replace(MINI_HEAD, volume_dims=5))


def test_volume_attention_equals_a_loop(attention):
    torch.nn.init.normal_(attention.offsets.weight)
    torch.nn.init.normal_(attention.weights.weight)
    volume, reference = torch.randn(1, 5, 6, 7, 4), torch.rand(1, 9, 3)
    feats, embeds = torch.randn(1, 9, 12), torch.randn(1, 9, 12)
    query = feats + embeds
    offsets = attention.offsets(query).view(9, 6, 4, 3).detach().numpy()
    weights = attention.weights(query).view(9, 6, 4).softmax(-1).detach().numpy()
    values = attention.value(volume)[0].detach().numpy()
    read = np.zeros((9, 12))
    for n, h, p in np.ndindex(9, 6, 4):
        place = reference[0, n].numpy() + offsets[n, h, p] / [6, 7, 4]
        read[n, 2 * h:2 * h + 2] += weights[n, h, p] * naive_sample(values[2 * h:2 * h + 2], place[None])[0]
    expected = feats[0] + attention.output(torch.tensor(read, dtype=torch.float32))
    torch.testing.assert_close(attention(feats, embeds, volume, reference)[0], expected, atol=1e-5, rtol=0)


def test_gradients_of_volume_attention():
    torch.manual_seed(3)
    attention = VolumeAttention(replace(MINI, embed_dims=4, num_heads=2), replace(MINI_HEAD, volume_dims=2)).double()
    inputs = [torch.randn(1, 2, 4), torch.randn(1, 2, 4), torch.randn(1, 2, 3, 4, 2), 0.2 + 0.6 * torch.rand(1, 2, 3)]
    assert torch.autograd.gradcheck(attention, [x.double().requires_grad_() for x in inputs], fast_mode=True)


def test_first_offsets_lead_one_voxel_further_with_every_point(attention):
    star = attention.offsets.bias.view(6, 4, 3)
    assert torch.equal(star[0, 0], torch.tensor([1.0, 0.0, 0.5]))
    torch.testing.assert_close(star[:, 3], 4 * star[:, 0])
    torch.testing.assert_close(star.abs().amax(-1), torch.arange(1.0, 5.0).expand(6, -1))


def camera(shift=0.0):
    projection = np.eye(4)
    projection[:3] = np.array([[240.0, 0, 256], [0, 240, 144], [0, 0, 1]]) @ np.array(
        [[0.0, -1, 0, shift], [0, 0, -1, 0], [1, 0, 0, 0]])
    return projection


GEOMETRY = volume_geometry(COARSE, np.stack([camera()]), MINI.input_size)


def test_a_bev_cell_is_lifted_into_its_column():
    lift = VolumeLift(MINI, MINI_HEAD).eval()
    for weight in (lift.image.weight, lift.height_embed.weight, lift.bev.bias):
        torch.nn.init.zeros_(weight)
    captured = []
    lift.first.register_forward_pre_hook(lambda module, args: captured.append(args[0]))
    row, column = 3, 30
    bev = torch.zeros(1, 1600, 96)
    bev[0, row * 40 + column] = torch.randn(96)
    lift(torch.zeros(1, 1, 96, 18, 32), bev, GEOMETRY)
    filled = torch.nonzero(captured[0][0].abs().sum(0))
    assert captured[0].shape == (1, MINI_HEAD.lift_dims, 40, 40, 8)
    assert {(int(x), int(y)) for x, y, _ in filled} == {(column, row)} and len(filled) == 8


def test_a_pixel_is_lifted_into_the_voxels_that_it_shows():
    lift = VolumeLift(MINI, MINI_HEAD).eval()
    for weight in (lift.bev.weight, lift.bev.bias, lift.height_embed.weight):
        torch.nn.init.zeros_(weight)
    captured = []
    lift.first.register_forward_pre_hook(lambda module, args: captured.append(args[0]))
    features = torch.zeros(1, 1, 96, 18, 32)
    features[0, 0, :, 9, 20] = torch.randn(96)
    lift(features, torch.zeros(1, 1600, 96), GEOMETRY)
    voxels = torch.nonzero(captured[0][0].abs().sum(0)).numpy()
    points = COARSE.centres(voxels)
    pixel = np.c_[points, np.ones(len(points))] @ camera().T
    pixel = pixel[:, :2] / pixel[:, 2:3] / 16 - 0.5
    assert len(voxels) > 5
    assert (np.abs(pixel - [20, 9]) < 1).all() and (points[:, 0] > 0).all()


def test_cameras_that_see_a_voxel_share_it_equally():
    lift = VolumeLift(MINI, MINI_HEAD).eval()
    away = camera() @ np.diag([-1.0, -1, 1, 1])
    one = volume_geometry(COARSE, np.stack([camera()]), MINI.input_size)
    three = volume_geometry(COARSE, np.stack([camera(), camera(), away]), MINI.input_size)
    torch.manual_seed(1)
    features = torch.randn(1, 1, 32, 18, 32)
    alone = lift._seen(features, one)
    shared = lift._seen(features.repeat(1, 3, 1, 1, 1), three)
    front = one.visible[0]
    torch.testing.assert_close(shared[0][front], alone[0][front])
    assert not shared[0][~three.visible.any(0)].any()


def head_inputs(batch, seed=0):
    torch.manual_seed(seed)
    return torch.randn(batch, 1, 96, 18, 32), torch.randn(batch, 1600, 96)


TENSORS = [field.name for field in fields(MaskOutput) if field.name != 'boxes']


def no_things(batch):
    return Queries(torch.zeros(batch, 0, 96), torch.zeros(batch, 0, 96), torch.zeros(batch, 0, 3))


@pytest.fixture(scope='module')
def head():
    torch.manual_seed(5)
    return OccupancyHead(MINI, MINI_HEAD).eval()


def test_shapes_with_and_without_things(head):
    features, bev = head_inputs(2)
    with torch.no_grad():
        output = head(features, bev, GEOMETRY, head.new_things(2))
        stuff = head(features, bev, GEOMETRY, no_things(2))
    number = MINI_HEAD.thing_queries + MINI_HEAD.stuff_queries
    assert output.logits.shape == (2, number, 6) and output.velocity.shape == (2, number, 3)
    assert output.mask_feats.shape == (2, 12, *GRID.shape) and stuff.logits.shape == (2, MINI_HEAD.stuff_queries, 6)
    assert output.masks(1, torch.tensor([0, 70])).shape == (2, *GRID.shape)
    assert ((output.reference > 0) & (output.reference < 1)).all()


def test_two_frames_in_a_batch_equal_each_alone(head):
    features, bev = head_inputs(2)
    with torch.no_grad():
        both = head(features, bev, GEOMETRY, head.new_things(2))
        for k in (0, 1):
            alone = head(features[k:k + 1], bev[k:k + 1], GEOMETRY, head.new_things(1))
            for name in TENSORS:
                torch.testing.assert_close(getattr(alone, name)[0], getattr(both, name)[k], atol=1e-4, rtol=1e-4)


def test_every_weight_gets_a_gradient():
    torch.manual_seed(6)
    head = OccupancyHead(MINI, MINI_HEAD)
    output = head(*head_inputs(1), GEOMETRY, head.new_things(1))
    loss = sum(getattr(output, name).square().mean() for name in TENSORS)
    (loss + output.masks(0, torch.arange(3)).mean()).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_masks_become_a_volume_with_identities(head):
    features, bev = head_inputs(1)
    with torch.no_grad():
        output = head(features, bev, GEOMETRY, head.new_things(1))
    logits = torch.full_like(output.logits, -9.0)
    logits[0, 7, 1], logits[0, 64, 4] = 3.0, 2.0
    feats = torch.full_like(output.mask_feats, -1.0)
    feats[0, 0, 10:20, :, 2], feats[0, 1, :, :, 3] = 30.0, 30.0
    embed = torch.zeros_like(output.mask_embed)
    embed[0, 7, 0] = embed[0, 64, 1] = 1.0
    volume = head.volume(replace(output, logits=logits, mask_feats=feats, mask_embed=embed),
                         torch.arange(1, MINI_HEAD.thing_queries + 1), MergeRules())
    assert (volume.semantics[10:20, :, 2] == 1).all() and (volume.instances[10:20, :, 2] == 8).all()
    assert (volume.semantics[:, :, 3] == 4).all() and not volume.instances[:, :, 3].any()
    assert (volume.semantics[:, :, 4:] == head.taxonomy.free).all()


def test_masks_are_decided_where_no_feature_speaks(head):
    features, bev = head_inputs(1)
    with torch.no_grad():
        output = head(features, bev, GEOMETRY, head.new_things(1))
        embed = torch.randn_like(output.mask_embed)
        masks = replace(output, mask_embed=embed, mask_feats=torch.zeros_like(output.mask_feats)).masks(
            0, torch.arange(3))
    # Exactly one half would be inside every mask, so that nobody owned its share of it.
    assert torch.equal(masks.flatten(1), embed[0, :3, -1:].sigmoid().expand(3, GRID.all_centres()[..., 0].size))


def test_without_a_certain_query_all_is_free(head):
    with torch.no_grad():
        output = head(*head_inputs(1), GEOMETRY, no_things(1))
    volume = head.volume(replace(output, logits=output.logits - 99), torch.zeros(0, dtype=torch.long), MergeRules())
    assert (volume.semantics == head.taxonomy.free).all()


def test_a_grid_that_does_not_fit_the_network_is_refused():
    with pytest.raises(ValueError, match='grid v2x has 200x200 columns; a BEV grid of 40x40 cells needs 160x160'):
        OccupancyHead(MINI, TRACKOCC_R50)


def test_the_published_size_fits_its_tracker():
    coarse = TRACKOCC_R50.coarse_grid(GRIDS['v2x'].grid(Side.ROADSIDE), R50)
    assert coarse.shape == (50, 50, 16) and coarse.voxel == pytest.approx((2.048, 2.048, 0.5))
    # Shapes only: a frame of this size takes seconds on a CPU.
    with torch.device('meta'):
        head = OccupancyHead(R50, TRACKOCC_R50)
        geometry = VolumeGeometry(torch.empty(2, 2500, 16, 2), torch.empty(2, 2500, 16, dtype=torch.bool))
        output = head(torch.empty(1, 2, 256, 17, 30), torch.empty(1, 2500, 256), geometry, head.new_things(1))
    assert output.mask_feats.shape == (1, 64, 200, 200, 16) and output.logits.shape == (1, 250, 6)


def test_mini_fits_six_megabytes():
    assert sum(v.numel() for v in OccupancyHead(MINI, MINI_HEAD).state_dict().values()) * 2 < 6_000_000
