"""The laser scanners of synthetic scenes."""

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, rotation_xyz, transform_points
from cooptrack_ros.data.synth import provenance
from cooptrack_ros.data.synth.lidar import (
    ROADSIDE,
    VEHICLE,
    Lidar,
    cast,
    roadside_cloud,
    roadside_sensor,
    sweep,
    vehicle_cloud,
)
from cooptrack_ros.data.synth.many import is_complete
from cooptrack_ros.data.synth.meshes import Mesh
from cooptrack_ros.data.synth.render import body_corners
from cooptrack_ros.data.synth.sensors import make_roadside_rig
from cooptrack_ros.data.synth.solids import Solids, SolidScene
from cooptrack_ros.data.synth.writer import write_json

ALL_AROUND = Lidar(np.linspace(-60, 60, 25), np.arange(-180.0, 180.0, 5.0), 200.0, 0.0)


@pytest.fixture(scope='module')
def solids(scene):
    return SolidScene(scene.renderer)


@pytest.fixture(scope='module')
def rig(scene):
    return make_roadside_rig(scene.layout, np.random.default_rng(5), (240, 135), scene.agents[scene.ego].path.arms[0])


@pytest.fixture(scope='module')
def sides(scene, solids, rig):
    """Return the sweeps of both sensors."""
    own = sweep(solids, VEHICLE, 0.5, scene.vehicle_view(500_000).scene_from_lidar, np.random.default_rng(1), scene.ego)
    pose = roadside_sensor(rig.camera.position, rig.scene_from_lidar)
    return own, sweep(solids, ROADSIDE, 0.5, pose, np.random.default_rng(1))


def blocks(*places):
    mesh = Mesh()
    for x, y, z in places:
        mesh.block((x - 1, x + 1), (y - 0.5, y + 0.5), (z, z + 2), (0, 0, 0), bottom=True)
    corners, normals, _, _ = mesh.arrays()
    return Solids(corners, normals, np.full(len(corners), 0.5))


def box_hits(directions, origin, places):
    """Return the first hit of boxes and ground by the method of slabs."""
    with np.errstate(divide='ignore'):
        best = np.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], np.inf)
        for place in np.array(places, float):
            ends = (np.stack([place - [1, 0.5, 0], place + [1, 0.5, 2]])[:, None] - origin) / directions
            enter, leave = ends.min(0).max(1), ends.max(0).min(1)
            best = np.where((enter < leave) & (enter > 0), np.minimum(best, enter), best)
    return best


@pytest.mark.parametrize('tilt', [(0.0, 0.0, 0.0), (0.1, 0.6, 2.9)])
def test_the_first_thing_on_a_beam_is_met_wherever_it_stands(tilt):
    places = [(4, 0, 0), (6, 0.3, 0), (-5, 0.2, 0), (0, 7, 0.5), (0.2, 0.1, 0.5), (-8, -8, 0), (3, -9, 4)]
    pose = make_pose(rotation_xyz(*tilt), [0.0, 0.0, 3.1])
    distance, hit, cosine = cast(ALL_AROUND.directions, ALL_AROUND, blocks(*places), pose)
    ways = ALL_AROUND.directions @ pose[:3, :3].T
    expected = box_hits(ways, pose[:3, 3], places)
    # A beam along an edge may count on either side of it.
    same = np.isclose(distance, expected, rtol=1e-5) | (np.isinf(distance) & np.isinf(expected))
    assert same.mean() > 0.999 and len(np.unique(hit)) > 10
    assert ((cosine >= 0) & (cosine <= 1 + 1e-9)).all()


def test_beams_are_those_of_the_sensors_of_the_data_set():
    assert len(VEHICLE.elevation) == 40 and np.ptp(VEHICLE.azimuth) > 359
    assert (np.diff(VEHICLE.elevation) > 0).all() and np.diff(VEHICLE.elevation).min() == pytest.approx(1 / 3)
    assert (np.ptp(ROADSIDE.elevation), round(np.ptp(ROADSIDE.azimuth))) == (40, 100)


def test_sweeps_are_dense_but_not_everything_comes_back(sides):
    for found, lidar in zip(sides, (VEHICLE, ROADSIDE)):
        assert 20_000 < len(found.points) < len(lidar.directions)
        assert len(np.unique(found.beam)) == len(found.beam)
        assert 0 <= found.intensity.min() < found.intensity.max() <= 1


def test_the_ground_is_lost_at_grazing_angles_where_walls_are_not(scene, solids):
    pose = scene.vehicle_view(500_000).scene_from_lidar
    distance, hit, _ = cast(VEHICLE.directions, VEHICLE, solids.at(0.5, scene.ego), pose)
    seen = np.zeros(len(distance), bool)
    seen[sweep(solids, VEHICLE, 0.5, pose, np.random.default_rng(2), scene.ego).beam] = True
    far = (distance > 40) & (distance < 90)
    share = {name: seen[of].mean() for name, of in (('near', (distance < 12) & (hit < 0)), ('far', far & (hit < 0)),
                                                    ('walls', far & (hit >= 0)))}
    assert share['near'] > 0.9 > 0.6 > share['far'] and share['walls'] > share['far'] + 0.2


def test_points_lie_on_ground_and_surfaces_up_to_the_noise(scene, sides):
    ground = sides[0].points[sides[0].face < 0]
    assert abs(ground[:, 2]).max() < 6 * VEHICLE.noise_m and ground[:, 2].std() > 0


def test_bodies_hide_what_is_behind_them_and_are_seen_themselves(scene, sides):
    """No point of any sweep lies inside a body; those on cars are on the side that faces the sensor."""
    on_bodies = 0
    for found, skip in zip(sides, (scene.ego, -1)):
        for agent in scene.agents:
            if agent.number == skip or not agent.alive(0.5):
                continue
            x, y, yaw = agent.pose(0.5)
            c, s = np.cos(yaw), np.sin(yaw)
            local = (found.points - [x, y, 0]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            within = (np.abs(local[:, :2]) < agent.size[:2] / 2 + 0.05).all(1) & (local[:, 2] < agent.size[2] + 0.05)
            on_bodies += int((within & (found.face >= 0)).sum())
            deep = (np.abs(local[:, :2]) < agent.size[:2] / 4).all(1) & (local[:, 2] > 0.4) & (
                local[:, 2] < 0.4 * agent.size[2])
            if agent.kind in ('Car', 'Van'):
                assert not deep.any()
    assert on_bodies > 300


def test_own_body_is_seen_by_the_unit_alone(scene, solids, rig):
    at = body_corners(scene.agents[scene.ego], scene.agents[scene.ego].pose(0.5))
    view = scene.vehicle_view(500_000)
    cloud = vehicle_cloud(solids, scene.ego, 0.5, view.scene_from_lidar, 0.0, np.random.default_rng(0))
    points = transform_points(view.scene_from_lidar, np.stack([cloud[k] for k in 'xyz'], 1).astype(float))
    inside = (np.linalg.norm(points[:, :2] - at.mean(0)[:2], axis=1) < 1.0) & (points[:, 2] > 0.3)
    assert not inside.any()
    assert cloud['timestamp'].min() >= 0 and cloud['timestamp'].max() < 0.1


def test_intensities_have_the_scales_of_the_two_sensors(scene, solids, rig):
    own = vehicle_cloud(solids, scene.ego, 0.5, scene.vehicle_view(500_000).scene_from_lidar, 0.0,
                        np.random.default_rng(0))
    unit = roadside_cloud(solids, 0.5, rig.camera.position, rig.scene_from_lidar, np.random.default_rng(0))
    assert own.dtype['intensity'] == np.uint8 and own['intensity'].max() > 1
    assert unit.dtype['intensity'].kind == 'f' and 0 < unit['intensity'].max() <= 1 and (unit['x'] >= 0).all()


def test_scenes_with_the_clouds_of_an_earlier_version_are_not_taken_for_these(tmp_path):
    options = {'seconds': 1.0, 'size': (64, 36), 'units': 1}
    plain = provenance(3, lidar=False, **options)
    write_json(tmp_path / 'scene.json', plain)
    assert is_complete(tmp_path, 3, options | {'lidar': False})
    write_json(tmp_path / 'scene.json', plain | {'lidar': True})
    with pytest.raises(UserError, match='another scene'):
        is_complete(tmp_path, 3, options | {'lidar': True})
