"""What lies in a voxel decides its class: things first, the ground last."""

import numpy as np

from cooptrack_ros.occupancy.grids import Grid
from cooptrack_ros.occupancy.painting import paint
from cooptrack_ros.occupancy.taxonomy import V2X

GRID = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (4, 1, 1))
GENERAL, CAR, BICYCLE, GROUND, FREE = 0, 1, 2, 4, 5


def points(*along):
    return np.array([[x, 0.5, 0.5] for x in along]).reshape(-1, 3)


def test_things_go_before_all_else_and_the_ground_comes_last():
    volume = paint(GRID, points(0.5, 1.5, 2.5), points(1.5, 2.5), [(CAR, 9, points(2.5, 7.0))])
    assert volume.semantics.ravel().tolist() == [GROUND, GENERAL, CAR, FREE]
    assert volume.instances.ravel().tolist() == [0, 0, 9, 0]


def test_the_thing_with_most_points_has_the_voxel_then_the_lower_identity():
    things = [(CAR, 2, points(0.1, 0.2, 1.1)), (BICYCLE, 1, points(0.3, 1.2))]
    volume = paint(GRID, points(), points(), things)
    assert volume.instances.ravel().tolist() == [2, 1, 0, 0]
    assert volume.semantics.ravel().tolist() == [CAR, BICYCLE, FREE, FREE]


def test_nothing_is_free():
    volume = paint(GRID, points(), points(), [(CAR, 3, points())])
    assert (volume.semantics == V2X.free).all() and not volume.instances.any()
