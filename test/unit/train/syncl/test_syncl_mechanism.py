"""The figures that tell whether SynCL does what it is meant to."""

import json

import pytest
import torch

from cooptrack_ros.model.instances.decoder import DecoderOutput
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.run_log import Journal
from cooptrack_ros.train.syncl.matching import HybridMatch, Pairs, pairs_of
from cooptrack_ros.train.syncl.mechanism import SYNCL_FIGURES, candidates_per_object, closeness


def output(feats=None, places=(), logits=()):
    """Return what a decoder of a single layer says."""
    boxes = torch.zeros(1, 1, len(places), 10)
    boxes[0, 0, :, :2] = torch.tensor(places).reshape(-1, 2)
    return DecoderOutput(torch.tensor(logits).reshape(1, 1, -1, 1), boxes, torch.zeros(1, 1, len(places), 3),
                         None if feats is None else torch.tensor(feats)[None, None])


def match(*gt_index):
    index = torch.tensor(gt_index)
    return HybridMatch(index, torch.zeros_like(index, dtype=torch.bool), 1.0)


def test_pairs_are_object_queries_whose_object_has_a_track():
    is_track = torch.tensor([False, False, False, True, True, True])
    own_object = torch.tensor([-1, -1, -1, 2, -1, 0])
    pairs = pairs_of(is_track, own_object, match(0, -1, 2, 2, -1, 0))
    assert [p.tolist() for p in pairs] == [[0, 2], [3, 4, 5], [2, 0]]
    assert [p.tolist() for p in pairs_of(is_track, own_object, match(1, 0, -1, 2, -1, 0))][0] == [1]


@pytest.mark.parametrize('is_track, gt_index', [
    ([False, False, True], (0, -1, 0)), ([False, True, True], (-1, 0, 1)), ([False, True, True], (2, 0, 1))])
def test_a_frame_without_a_pair_or_with_one_track_has_none(is_track, gt_index):
    own_object = torch.where(torch.tensor(is_track), torch.tensor(gt_index), -1)
    assert pairs_of(torch.tensor(is_track), own_object, match(*gt_index)) is None


def test_candidates_are_sure_queries_near_an_object():
    targets = Targets(torch.tensor([[10.0, 0.0] + [0.0] * 8, [30.0, 5.0] + [0.0] * 8]), torch.zeros(2), torch.arange(2))
    # Near and sure, near and unsure, far and sure, near and sure but a track.
    found = output(None, [[10.5, 1.0], [30.0, 5.5], [20.0, 0.0], [30.0, 4.0]], [2.0, -2.0, 2.0, 2.0])
    objects = torch.tensor([True, True, True, False])
    assert candidates_per_object(found, objects, targets) == 0.5
    assert candidates_per_object(found, torch.ones(4, dtype=torch.bool), targets) == 1.0
    assert candidates_per_object(found, torch.zeros(4, dtype=torch.bool), targets) == 0.0


def test_closeness_is_that_of_one_object_less_that_of_two():
    found = output([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0]] * 4)
    pairs = Pairs(torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([0, 1]))
    assert closeness(found, pairs) == pytest.approx(1.0)
    assert closeness(found, pairs._replace(positive=torch.tensor([1, 0]))) == pytest.approx(-1.0)


def test_the_log_and_the_board_tell_them_beside_the_losses(tmp_path):
    journal, shown = Journal(tmp_path, 0), {}
    journal._board = type('Board', (), {'add_scalar': lambda self, name, value, step: shown.update({name: value}),
                                        'close': lambda self: None})()
    journal.write(20, 1.0, {'layer0_cls': 0.25, **dict.fromkeys(SYNCL_FIGURES, 0.5)})
    journal.close()
    assert shown == {'loss/layer0_cls': 0.25, **dict.fromkeys(SYNCL_FIGURES, 0.5)}
    assert json.loads((tmp_path / 'log.jsonl').read_text())['syncl_cosine'] == 0.5
