"""The parts of SynCL: threshold, matching, contrast, settings."""

import numpy as np
import pytest
import torch

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.train.recipe import load_recipe
from cooptrack_ros.train.syncl.contrast import ContrastHead, contrast, contrastive_loss
from cooptrack_ros.train.syncl.matching import hybrid_match
from cooptrack_ros.train.syncl.mixture import GOOD_ENOUGH, threshold
from cooptrack_ros.train.syncl.settings import SynclConfig

SETTINGS = SynclConfig(twin=True)
KERNEL = torch.tensor([[2, .5, -1], [.1, 1.5, .3], [1, .2, 0]], dtype=torch.float64)
POSITIVE = torch.tensor([0, 1, 0])


@pytest.mark.parametrize('costs, expected, kept', [
    ([0.20, 0.25, 0.30, 0.22, 1.40, 1.60, 1.50, 0.27], 0.248, [0.20, 0.22]),
    ([0.4, 0.5, 0.55, 0.7, 0.9, 1.0, 1.3, 1.8, 2.2, 2.4, 0.45, 0.6], 0.621375, [0.4, 0.5, 0.55, 0.45, 0.6])])
def test_the_threshold_has_its_known_value(costs, expected, kept):
    found = threshold(np.array(costs))
    assert found == pytest.approx(expected, abs=1e-6)
    assert [c for c in costs if c <= found] == kept


@pytest.mark.parametrize('seed', range(5))
def test_fewer_steps_find_nearly_the_same_threshold(seed):
    rng = np.random.default_rng(seed)
    costs = np.concatenate([rng.normal(0.3, 0.1, 20), rng.normal(2.0, 0.3, 25)])
    assert threshold(costs, GOOD_ENOUGH) == pytest.approx(threshold(costs), abs=1e-3)


@pytest.mark.parametrize('costs', [[0.3], [0.1, 0.2, 0.9], [0.5, 0.5, 0.5, 0.5004]])
def test_few_or_equal_costs_give_their_mean(costs):
    assert threshold(np.array(costs)) == pytest.approx(np.mean(costs))


def test_the_contrastive_losses_have_their_known_values():
    printed, bounded = ([float(contrastive_loss(KERNEL[i:i + 1], POSITIVE[i:i + 1], 0.5, includes)) for i in range(3)]
                        for includes in (False, True))
    assert printed == pytest.approx([-2.951413, -1.886985, -1.086985], abs=1e-6)
    assert bounded == pytest.approx([0.050946, 0.141090, 0.290602], abs=1e-6)
    assert float(contrastive_loss(KERNEL, POSITIVE, 0.5, False)) == pytest.approx(-1.975127, abs=1e-6)
    assert float(contrastive_loss(KERNEL, POSITIVE, 0.5, True)) == pytest.approx(0.160879, abs=1e-6)


def test_a_new_head_starts_at_the_log_of_the_number_of_tracks():
    torch.manual_seed(0)
    right = torch.zeros(7, dtype=torch.long)
    loss = contrast(ContrastHead(16), torch.randn(7, 16), torch.randn(5, 16), right, SETTINGS)
    assert float(loss.detach()) == pytest.approx(np.log(5), abs=1e-6)


@pytest.mark.parametrize('stopped, moves_objects, moves_tracks', [
    ('none', True, True), ('track', True, False), ('object', False, True)])
def test_the_gradient_stops_where_it_is_told(stopped, moves_objects, moves_tracks):
    torch.manual_seed(0)
    head = ContrastHead(16)
    torch.nn.init.normal_(head.kernel[-1].weight)
    objects, tracks = (torch.randn(n, 16, requires_grad=True) for n in (3, 4))
    contrast(head, objects, tracks, torch.tensor([0, 1, 2]), SynclConfig(stop_gradient=stopped)).backward()
    assert (objects.grad is not None, tracks.grad is not None) == (moves_objects, moves_tracks)


def test_the_printed_form_has_a_bounded_kernel():
    head = ContrastHead(4)
    torch.nn.init.constant_(head.kernel[-1].bias, 1e4)
    settings = SynclConfig(denominator='exclude_positive', temperature=0.5)
    loss = contrast(head, torch.randn(2, 4), torch.randn(3, 4), torch.tensor([0, 1]), settings)
    assert float(loss.detach()) == pytest.approx(np.log(2), abs=1e-4)


def _random_frame(seed):
    rng = torch.Generator().manual_seed(seed)
    queries, objects = 40, int(torch.randint(1, 9, (1,), generator=rng))
    is_track = torch.rand(queries, generator=rng) < 0.3
    own = torch.full((queries,), -1)
    rows = is_track.nonzero().flatten()
    tracked = torch.randperm(objects, generator=rng)[:max(objects - 2, 1)]
    count = min(len(rows), len(tracked))
    own[rows[:count]] = tracked[:count]
    return torch.rand(queries, objects, generator=rng) * 3, is_track, own


@pytest.mark.parametrize('newborn', ['ignore', 'background', 'match'])
@pytest.mark.parametrize('seed', range(25))
def test_the_rules_of_matching_hold_on_random_frames(seed, newborn):
    costs, is_track, own = _random_frame(seed)
    match = hybrid_match(costs, is_track, own, SynclConfig(twin=True, newborn=newborn))
    persistent = set(own[own >= 0].tolist())
    objects = (~is_track).nonzero().flatten().tolist()
    taken = [(row, int(match.gt_index[row])) for row in objects if match.gt_index[row] >= 0]
    many = [(row, g) for row, g in taken if g in persistent]
    assert all(costs[row, g] <= match.threshold + 1e-6 for row, g in many)
    assert all(sum(g == one for _, g in many) <= 5 for one in persistent)
    born = [g for _, g in taken if g not in persistent]
    assert len(born) == len(set(born)) and (newborn == 'match' or not born)
    assert torch.equal(match.gt_index[is_track], own[is_track])
    assert not match.ignored.any() or newborn == 'ignore'
    assert not (match.ignored & (match.gt_index >= 0)).any() and not match.ignored[is_track].any()


def test_a_query_that_two_objects_want_goes_to_the_cheaper_one():
    costs = torch.tensor([[0.0, 9.0], [9.0, 0.0], [0.5, 0.3]])
    is_track, own = torch.tensor([True, True, False]), torch.tensor([0, 1, -1])
    match = hybrid_match(costs, is_track, own, SynclConfig(filter='none'))
    assert match.gt_index.tolist() == [0, 1, 1]


def test_each_part_of_the_matching_can_be_switched_off():
    costs, is_track, own = _random_frame(3)
    tracks_only = hybrid_match(costs, is_track, own, SynclConfig(one_to_many=False))
    assert (tracks_only.gt_index[~is_track] == -1).all() and (tracks_only.gt_index[is_track] >= 0).any()
    objects_only = hybrid_match(costs, is_track, own, SynclConfig(by_identity=False))
    assert (objects_only.gt_index[is_track] == -1).all() and (objects_only.gt_index[~is_track] >= 0).any()
    unfiltered = hybrid_match(costs, is_track, own, SynclConfig(filter='none', newborn='background'))
    assert (unfiltered.gt_index >= 0).sum() > (hybrid_match(costs, is_track, own, SETTINGS).gt_index >= 0).sum()


@pytest.mark.parametrize('change, named', [
    ({'filter': 'kmeans'}, 'gmm, none'), ({'newborn': 'keep'}, 'ignore, background, match'),
    ({'temperature': 0.0}, 'above 0'), ({'queries_per_object': 0}, 'at least 1')])
def test_settings_that_are_none_are_refused(change, named):
    with pytest.raises(UserError, match=named):
        SynclConfig(**change)


def test_a_recipe_names_the_block(tmp_path):
    path = tmp_path / 'recipe.yaml'
    path.write_text('recipe: mini-vehicle\nsyncl: {twin: true, contrast_weight: 1.0}\n')
    assert load_recipe(str(path)).syncl == SynclConfig(twin=True, contrast_weight=1.0)
    path.write_text('recipe: mini-vehicle\nsyncl: {filter: best}\n')
    with pytest.raises(UserError, match='syncl.filter'):
        load_recipe(str(path))
