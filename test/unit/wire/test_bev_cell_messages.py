"""Cells of BEV features as messages."""

import numpy as np
import pytest

from cooptrack_ros.cooperation.bev_cells import BevCells
from cooptrack_ros.wire.bev_cells import send_cells


@pytest.mark.parametrize('index', [[0, 7, 1599], [], list(range(1600))])
def test_cells_arrive_as_they_were_sent_and_cost_what_they_hold(index):
    features = np.random.default_rng(0).normal(size=(len(index), 96)).astype(np.float32)
    cells = BevCells((40, 40), np.array(index, np.int64), features)
    arrived, size = send_cells(cells)
    assert arrived.size == (40, 40) and np.array_equal(arrived.index, cells.index)
    assert np.array_equal(arrived.dense(), cells.dense())
    assert 0 < size - cells.payload_bytes - 4 * len(index) < 200
