"""Assignment of objects to rows in training."""

import pytest
import torch

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.cooperation.matching import match_by_distance
from cooptrack_ros.train.losses import association_loss, box_loss, focal_loss
from cooptrack_ros.train.matching import Targets, assign, association_labels, nearest_bev_iou
from cooptrack_ros.train.recipe import LossConfig

CONFIG = LossConfig()


def code(x, y, yaw=0.0):
    """Return a car's box code at a place."""
    return [x, y, 0.6, 1.5, -1.9, 0.4, float(torch.tensor(yaw).sin()), float(torch.tensor(yaw).cos()), 0.0, 0.0]


def targets(*places, ids=None):
    """Return cars at places."""
    return Targets(torch.tensor([code(*p) for p in places]).reshape(-1, 10), torch.zeros(len(places), dtype=torch.long),
                   torch.tensor(ids if ids else list(range(len(places))), dtype=torch.long))


def test_new_rows_take_the_nearest_objects():
    rows = torch.tensor([code(30, 0), code(0, 0), code(10, 0)])
    result = assign(torch.zeros(3, 3), rows, torch.full((3,), -1), targets((10, 1), (0, 1)), CONFIG)
    assert result.gt_index.tolist() == [-1, 1, 0]
    assert (result.num_new, result.num_carried) == (2, 0)


def test_a_carried_track_keeps_its_object_even_if_another_row_is_nearer():
    rows = torch.tensor([code(5, 0), code(10, 0)])
    result = assign(torch.zeros(2, 3), rows, torch.tensor([7, -1]), targets((10, 0), ids=[7]), CONFIG)
    assert result.gt_index.tolist() == [0, -1]
    assert (result.num_new, result.num_carried) == (0, 1)


def test_a_track_whose_object_is_gone_becomes_background():
    result = assign(torch.zeros(1, 3), torch.tensor([code(5, 0)]), torch.tensor([7]), targets((5, 0), ids=[8]), CONFIG)
    assert result.gt_index.tolist() == [-1]
    assert result.num_carried == 1


def test_no_objects_give_background_only_and_finite_losses():
    none = targets()
    result = assign(torch.zeros(4, 3), torch.zeros(4, 10), torch.full((4,), -1), none, CONFIG)
    assert (result.gt_index == -1).all()
    assert torch.isfinite(focal_loss(torch.zeros(4, 3), result.gt_index, none, CONFIG))
    assert box_loss(torch.zeros(4, 10), result.gt_index, none, CONFIG) == 0


def test_focal_loss_of_an_undecided_row_has_its_known_value():
    value = focal_loss(torch.zeros(1, 3), torch.tensor([0]), targets((0, 0)), CONFIG)
    # ln 2 / 4 times alpha for the class and (1 - alpha) for the two others.
    assert torch.isclose(value, torch.log(torch.tensor(2.0)) / 4 * (0.25 + 2 * 0.75))


def test_velocity_weighs_a_fifth():
    row = torch.tensor([code(0, 0)])
    row[0, 8] = 10.0
    assert torch.isclose(box_loss(row, torch.tensor([0]), targets((0, 0)), CONFIG), torch.tensor(2.0))


SPREAD = LossConfig(motion_loss='spread', code_weights=(1.0,) * 6 + (2.0, 2.0, 3.0, 3.0))


def test_squares_of_the_heading_and_a_huber_loss_of_the_velocity():
    row, truth = torch.tensor([code(0, 0)]), targets((0, 0))
    row[0, 6] += 0.5
    row[0, 8:] = torch.tensor([1.0, -9.0])
    # 2 x 0.25, and 3 x (1 / 6 + 9 - 1.5) m/s.
    assert torch.isclose(box_loss(row, torch.tensor([0]), truth, SPREAD), torch.tensor(0.5 + 3 * (1 / 6 + 7.5)))


def test_the_best_constant_of_a_mixed_street_is_not_zero():
    """Two of three cars stand about along x, one crosses at 5 m/s: L1 looks away from it, the other loss does not."""
    truth = targets((0, 0, -0.01), (5, 0, -0.01), (9, 0, 1.5708))
    truth.codes[:, 8] = torch.tensor([-0.01, -0.01, 5.0])
    for config, pulls in ((CONFIG, False), (SPREAD, True)):
        rows = truth.codes.clone()
        rows[:, 6:], constant = 0.0, torch.zeros(4, requires_grad=True)
        box_loss(torch.cat([rows[:, :6], constant.expand(3, 4)], 1), torch.arange(3), truth, config).backward()
        towards = -constant.grad[[0, 2]] > 0
        assert towards.all() == pulls


def test_what_is_not_known_costs_nothing():
    truth = targets((0, 0))
    truth.codes[0, 8:] = float('nan')
    row = torch.tensor([code(0, 0)])
    row[0, 8:] = 7.0
    for config in (CONFIG, SPREAD):
        assert box_loss(row, torch.tensor([0]), truth, config) == 0


def test_an_unknown_loss_is_refused():
    with pytest.raises(UserError, match='l1 or spread'):
        box_loss(torch.tensor([code(0, 0)]), torch.tensor([0]), targets((0, 0)), LossConfig(motion_loss='l2'))



def test_nearest_bev_iou_swaps_sides_of_a_turned_box():
    first, second = torch.tensor([code(0, 0, 0.0)]), torch.tensor([code(0, 0, 1.5708)])
    assert torch.isclose(nearest_bev_iou(first, first), torch.tensor(1.0))
    assert nearest_bev_iou(first, second) < 0.5


def test_pairs_beyond_the_gate_are_rejected():
    rows, columns = match_by_distance(torch.tensor([[0.0, 0], [50, 0]]), torch.tensor([[49.0, 0], [9, 0]]), 3.5)
    assert (rows.tolist(), columns.tolist()) == ([1], [0])


def test_association_labels_link_rows_of_the_same_object():
    label = association_labels(torch.tensor([code(0, 0), code(20, 0)]), torch.tensor([code(20.5, 0), code(40, 0)]),
                               targets((0, 0), (20, 0), (40, 0)), 3.0)
    assert label.tolist() == [[0, 0], [1, 0]]


def test_association_loss_without_a_positive_pair_is_zero():
    assert association_loss(torch.randn(2, 3), torch.zeros(2, 3), CONFIG) == 0
