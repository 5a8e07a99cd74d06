"""Maps on the Earth."""

import numpy as np
import pytest

from cooptrack_ros.common.earth import Geodetic, MapPlace

AACHEN = Geodetic(50.7753, 6.0839, 220.0)


@pytest.mark.parametrize('yaw', [0.0, 0.7])
@pytest.mark.parametrize('origin', [AACHEN, Geodetic(-33.9, 151.2, 10.0), Geodetic(0.0, -179.99, 0.0)])
def test_points_of_the_map_and_places_on_the_earth_are_the_same(origin, yaw):
    place = MapPlace(origin, yaw)
    for point in ([0.0, 0, 0], [1234.5, -987.6, 12.3], [-5000.0, 3000.0, -2.0]):
        pose = place.map_from_enu(place.geodetic(np.array(point)))
        np.testing.assert_allclose(pose[:3, 3], point, atol=1e-5)


def test_a_degree_is_as_long_as_everybody_knows():
    place = MapPlace(Geodetic(0.0, 0.0, 0.0))
    north, east = (place.map_from_enu(Geodetic(*p, 0.0))[:3, 3] for p in ((1e-3, 0.0), (0.0, 1e-3)))
    assert north[1] == pytest.approx(110.574, abs=2e-3) and east[0] == pytest.approx(111.319, abs=2e-3)
    up = MapPlace(AACHEN).map_from_enu(Geodetic(AACHEN.latitude, AACHEN.longitude, 225.0))
    np.testing.assert_allclose(up[:3, 3], [0, 0, 5], atol=1e-6)


def test_a_turned_map_has_its_x_axis_there():
    pose = MapPlace(AACHEN, np.pi / 2).map_from_enu(AACHEN)
    # North is ahead, east to the right.
    np.testing.assert_allclose(pose[:3, :3] @ [0, 1, 0], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(pose[:3, :3] @ [1, 0, 0], [0, -1, 0], atol=1e-9)


def test_meridians_run_together_towards_the_pole():
    place = MapPlace(AACHEN)
    pose = place.map_from_enu(place.geodetic(np.array([1000.0, 0, 0])))
    turn = np.degrees(np.arctan2(pose[1, 0], pose[0, 0]))
    assert turn == pytest.approx(1000 / 111_320 * np.tan(np.radians(AACHEN.latitude)), abs=1e-4)
