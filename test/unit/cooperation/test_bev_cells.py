"""Which cells of its BEV features a unit sends."""

from __future__ import annotations

import numpy as np
import pytest

from cooptrack_ros.common.types import Boxes
from cooptrack_ros.cooperation.bev_cells import best_cells, cells_within, confidence_map

RANGE, SIZE = (0.0, -10.0, -5.0, 20.0, 10.0, 3.0), (10, 10)


def boxes(*rows):
    """Return boxes of (x, y, length, score)."""
    x, y, length, score = np.array(rows, float).reshape(-1, 4).T
    n = len(x)
    return Boxes(np.column_stack([x, y, np.zeros(n)]), np.column_stack([length, np.ones((n, 2))]), np.zeros(n),
                 np.zeros((n, 2)), np.zeros(n, np.int64), score, np.arange(n))


def test_a_cell_is_as_sure_as_the_detection_at_its_centre_and_less_around_it():
    found = confidence_map(boxes((5, -3, 4, 0.8)), RANGE, SIZE).reshape(SIZE)
    assert found[3, 2] == pytest.approx(0.8)
    assert found[3, 3] == found[4, 2] == pytest.approx(0.8 * np.exp(-0.5))
    assert found.argmax() == 32 and found[9, 9] < 0.01


def test_where_detections_overlap_the_surer_one_counts():
    found = confidence_map(boxes((5, -3, 4, 0.8), (5, -3, 4, 0.3)), RANGE, SIZE)
    assert np.array_equal(found, confidence_map(boxes((5, -3, 4, 0.8)), RANGE, SIZE))


def test_a_long_object_covers_more_cells_and_a_small_one_no_less_than_its_own():
    bus, car, walker = (confidence_map(boxes((5, -3, length, 1.0)), RANGE, SIZE) for length in (12, 4, 0.5))
    assert (bus > 0.5).sum() > (car > 0.5).sum() and np.array_equal(car, walker)


def test_without_detections_nothing_is_sure():
    assert not confidence_map(boxes(), RANGE, SIZE).any()


def test_the_best_cells_go_in_the_order_of_the_grid():
    features = np.arange(24, dtype=np.float32).reshape(6, 4)
    sent = best_cells(features, np.array([0.1, 0.9, 0.2, 0.5, 0.9, 0.0]), (2, 3), 3)
    assert sent.index.tolist() == [1, 3, 4] and sent.payload_bytes == 3 * 4 * 4
    dense = sent.dense()
    assert np.array_equal(dense[[1, 3, 4]], features[[1, 3, 4]]) and not dense[[0, 2, 5]].any()
    assert np.array_equal(best_cells(features, np.zeros(6), (2, 3), None).dense(), features)


def test_a_budget_is_so_many_cells_and_all_of_them_are_the_whole_map():
    assert [cells_within(b, 4) for b in (15, 16, 47, 48, None)] == [0, 1, 2, 3, None]
    features = np.ones((6, 4), np.float32)
    assert len(best_cells(features, np.zeros(6), (2, 3), cells_within(10 ** 6, 4))) == 6
