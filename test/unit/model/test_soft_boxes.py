"""Masks of known things start from their boxes: axes, headings, both sides, what the head learns about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.small_voxels import GRID, OWN_SIZES, PROFILE, SHAPE, SMALL_CONFIG, TRACKER_SIZES, small_grid  # noqa: F401

from cooptrack_ros.common.types import Boxes, Side
from cooptrack_ros.model.instances.boxes import codes_from_boxes, normalize, points_of
from cooptrack_ros.model.occupancy.head import OccupancyHead, Queries
from cooptrack_ros.model.occupancy.lift import volume_geometry
from cooptrack_ros.occupancy.mask_boxes import voxels_in
from cooptrack_ros.occupancy.merging import MergeRules

pytestmark = pytest.mark.usefixtures('small_grid')
DIMS = SMALL_CONFIG.embed_dims
AHEAD = np.diag([1.0, 1, 1, 1])[[1, 2, 0, 3]]


def cars(side=Side.VEHICLE):
    """Return two cars in the range of a side, one of them turned."""
    middle = PROFILE.grid(side).origin + GRID.extent / 2
    return Boxes(middle + [[12.0, 3.3, 0.4], [-20.0, -15.0, -0.6]], np.array([[9.0, 6.0, 3.0], [12.0, 5.0, 2.5]]),
                 np.array([0.0, 0.7]), np.zeros((2, 2)), np.array([0, 0]), np.ones(2), np.array([4, 9]))


def things_of(boxes, side=Side.VEHICLE):
    codes = codes_from_boxes(boxes)
    points = normalize(points_of(codes), SMALL_CONFIG.range_of(side).pc_range)
    torch.manual_seed(1)
    return Queries(torch.randn(1, len(boxes), DIMS), torch.randn(1, len(boxes), DIMS), points[None], codes[None])


def make_head():
    torch.manual_seed(2)
    return OccupancyHead(SMALL_CONFIG, TRACKER_SIZES).eval()


def run(head, things):
    torch.manual_seed(3)
    geometry = volume_geometry(TRACKER_SIZES.coarse_grid(GRID, SMALL_CONFIG), AHEAD[None], SMALL_CONFIG.input_size)
    return head(torch.randn(1, 1, DIMS, 4, 4), torch.randn(1, 64, DIMS), geometry, things)


def silent(output):
    """Return what is said with masks that know the boxes only."""
    return replace(output, mask_embed=torch.zeros_like(output.mask_embed))


@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
def test_before_training_masks_are_the_voxels_that_boxes_touch(side):
    boxes, grid = cars(side), PROFILE.grid(side)
    with torch.no_grad():
        output = run(make_head(), things_of(boxes, side))
        masks = output.masks(0, torch.arange(2)) >= 0.5
    reach = np.array([max(GRID.voxel[:2])] * 2 + [GRID.voxel[2]])
    for k in range(2):
        inside = np.zeros(SHAPE, bool)
        inside.ravel()[voxels_in(grid, boxes.centre[k], boxes.size[k] + reach, float(boxes.yaw[k]))] = True
        assert inside.any() and np.array_equal(masks[k].numpy(), inside)


def test_before_training_things_are_where_they_are_known_to_be():
    things = things_of(cars())
    with torch.no_grad():
        torch.testing.assert_close(run(make_head(), things).reference[:, :2], things.reference)


def test_stuff_has_no_box_and_others_keep_theirs():
    with torch.no_grad():
        output = run(make_head(), things_of(cars()))
        every = torch.arange(2 + TRACKER_SIZES.stuff_queries)
        logits = silent(output).mask_logits(0, every)
        output = replace(output, mask_embed=torch.randn_like(output.mask_embed))
        plain = replace(output, boxes=None).mask_logits(0, every)
        some, voxels = output.chosen(torch.tensor([3, 1])), torch.tensor([5, 900])
        assert not logits[2:].any() and logits[:2].abs().amax(1).min() > 1
        torch.testing.assert_close(output.mask_logits(0, every), plain + logits)
        torch.testing.assert_close(some.mask_logits(0, torch.arange(2), voxels), (plain + logits)[[3, 1]][:, voxels])


def test_sharpness_reach_and_place_are_learned():
    head = make_head()
    torch.nn.init.normal_(head.box_shapes.terms.weight, std=0.01)
    torch.nn.init.normal_(head.refinement.weight, std=0.01)
    run(head, things_of(cars())).masks(0, torch.arange(2)).square().mean().backward()
    shapes = head.box_shapes
    for weight in (shapes.mask_embed[-1].weight, shapes.terms.weight, shapes.terms.bias, head.refinement.weight):
        assert weight.grad.abs().sum() > 0
    # Along the ground the box stands where the head thinks that the thing is.
    assert head.refinement.weight.grad.abs().sum(1)[2] == 0


def test_known_things_become_a_volume_with_their_identities():
    boxes, head = cars(), make_head()
    with torch.no_grad():
        output = run(head, things_of(boxes))
        logits = torch.full_like(output.logits, -9.0)
        logits[0, :2, 1] = 3.0
        volume = head.volume(replace(output, logits=logits), torch.tensor([4, 9]), MergeRules())
    for k, identity in enumerate((4, 9)):
        place = tuple(np.floor(GRID.places(boxes.centre[k])).astype(int))
        assert (volume.semantics[place], volume.instances[place]) == (1, identity)
    assert set(np.unique(volume.instances)) == {0, 4, 9}


def test_no_thing_is_a_thing_without_a_voxel():
    with torch.no_grad():
        output = run(make_head(), things_of(cars()[np.zeros(0, int)]))
    assert output.logits.shape[1] == TRACKER_SIZES.stuff_queries
    assert output.masks(0, torch.arange(2)).shape == (2, *SHAPE)


def test_boxes_belong_to_things_that_come_from_outside():
    with pytest.raises(ValueError, match='things have boxes if, and only if'):
        run(make_head(), replace(things_of(cars()), codes=None))
    with pytest.raises(ValueError, match='things have boxes if, and only if'):
        run(OccupancyHead(SMALL_CONFIG, OWN_SIZES), things_of(cars()))
