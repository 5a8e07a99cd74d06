"""Masks of queries are merged as recorded, and each kind of query writes classes of its own."""

from pathlib import Path

import numpy as np

from cooptrack_ros.occupancy.merging import MergeRules, merge_masks
from cooptrack_ros.occupancy.taxonomy import GOLDEN, V2X

GOLDEN_FILE = Path(__file__).resolve().parents[2] / 'data/occ_golden/merge_masks.npz'


def test_golden_volume():
    golden = np.load(GOLDEN_FILE)
    volume = merge_masks(golden['cls_prob'], golden['mask_prob'], golden['ids'], GOLDEN, MergeRules(kinds_apart=False))
    assert np.array_equal(volume.semantics, golden['expected_sem'])
    assert np.array_equal(volume.instances, golden['expected_inst'])


def merged(probability, masks, ids, **rules):
    masks = np.array(masks, np.float32).reshape(len(ids), 1, 1, -1)
    volume = merge_masks(np.array(probability), masks, np.array(ids), V2X, MergeRules(**rules))
    return volume.semantics.ravel().tolist(), volume.instances.ravel().tolist()


#            general car bicycle pedestrian ground free
UNDECIDED = [0.1, 0.5, 0.1, 0.1, 0.6, 0.0]


def test_things_are_no_stuff_and_stuff_no_thing():
    assert merged([UNDECIDED], [[1.0, 0.4]], [8]) == ([1, 5], [8, 0])
    assert merged([UNDECIDED], [[1.0, 0.4]], [0]) == ([4, 5], [0, 0])


def test_in_the_published_code_they_may_be():
    assert merged([UNDECIDED], [[1.0, 0.4]], [8], kinds_apart=False) == ([4, 5], [8, 0])


def test_a_query_that_owns_too_little_of_its_mask_writes_nothing():
    strong, weak = [0, 0.9, 0, 0, 0, 0], [0, 0.6, 0, 0, 0, 0]
    masks = [[1, 1, 0, 0], [0.9, 0.9, 0.9, 0]]
    assert merged([strong, weak], masks, [1, 2]) == ([1, 1, 5, 5], [1, 1, 0, 0])
    assert merged([strong, weak], masks, [1, 2], owned=0.3) == ([1, 1, 1, 5], [1, 1, 2, 0])


def test_without_queries_all_is_free():
    volume = merge_masks(np.zeros((0, 6)), np.zeros((0, 2, 2, 2)), np.zeros(0, int), V2X, MergeRules())
    assert (volume.semantics == V2X.free).all() and volume.semantics.shape == (2, 2, 2)
