"""Exact labels of the voxels of a scene."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import transform_points
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.synth import make_scene, provenance
from cooptrack_ros.data.synth.bodies import body_points
from cooptrack_ros.data.synth.labels import View
from cooptrack_ros.data.synth.many import is_complete
from cooptrack_ros.data.synth.meshes import Mesh
from cooptrack_ros.data.synth.render import body_corners
from cooptrack_ros.data.synth.sensors import make_roadside_rig
from cooptrack_ros.data.synth.writer import write_json
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.label_file import read_voxels

GENERAL, CAR, GROUND, FREE = 0, 1, 4, 5


@pytest.fixture(scope='module')
def scene():
    return make_scene(20006, 1.0, (480, 270), occupancy='mini')


@pytest.fixture(scope='module')
def roadside(scene):
    rig = make_roadside_rig(scene.layout, np.random.default_rng(5), (480, 270),
                            scene.agents[scene.ego].path.arms[0])
    return View(0.5, rig.scene_from_lidar, rig.camera)


def place_of(grid, view, point):
    return tuple(np.floor(grid.places(transform_points(np.linalg.inv(view.scene_from_lidar), point))).astype(int))


def inside(grid, place):
    return all(0 <= i < n for i, n in zip(place, grid.shape))


@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
def test_every_body_is_where_it_stands(scene, roadside, side):
    view = scene.vehicle_view(500_000) if side is Side.VEHICLE else roadside
    labels = scene.voxels.label(side, view, {})
    grid, cars, walls = GRIDS['mini'].grid(side), 0, 0
    for agent in scene.agents:
        place = place_of(grid, view, body_corners(agent, agent.pose(view.t)).mean(0)) if agent.alive(view.t) else None
        if place and inside(grid, place) and agent.kind in ('Car', 'Van') and agent.number != scene.ego:
            assert (labels.semantics[place], labels.instances[place]) == (CAR, agent.number + 1)
            cars += 1
    for building in scene.layout.buildings:
        place = place_of(grid, view, np.array([*building.centre, 1.0]))
        if inside(grid, place):
            assert labels.semantics[place] == GENERAL
            walls += 1
    assert cars > 3 and walls > 1


def test_the_ground_is_below_everything(scene):
    view = scene.vehicle_view(500_000)
    labels = scene.voxels.label(Side.VEHICLE, view, {})
    # 1.9 m below the lidar, in layers of 1 m from -5 m.
    assert np.isin(labels.semantics[:, :, 3], (GENERAL, 1, 2, 3, GROUND)).all()
    assert (labels.semantics[:, :, :3] == FREE).all()
    assert (labels.semantics[:, :, 3] == GROUND).mean() > 0.4


def test_the_ego_vehicle_is_in_no_label_and_in_no_mask(scene, roadside):
    own = scene.voxels.label(Side.VEHICLE, scene.vehicle_view(500_000), {})
    assert not (own.instances == scene.ego + 1).any()
    labels = scene.voxels.label(Side.ROADSIDE, roadside, {})
    ego = labels.instances == scene.ego + 1
    assert ego.any() and not labels.mask_lidar[ego].any() and not labels.mask_camera[ego].any()
    assert labels.mask_lidar[~ego].all()


def test_the_camera_sees_surfaces_and_the_free_space_before_them(scene):
    labels = scene.voxels.label(Side.VEHICLE, scene.vehicle_view(500_000), {3: 70})
    seen = labels.mask_camera != 0
    assert seen[85:].any() and not seen[:78].any()
    assert 0.01 < (labels.semantics[seen] != FREE).mean() < 0.5
    assert dict(zip(labels.identity.tolist(), labels.track_id.tolist()))[4] == 70
    assert set(labels.track_id.tolist()) == {70, -1}


def test_the_command_writes_them_and_says_so(tmp_path):
    arguments = ['--seed', '20006', '--seconds', '0.5', '--size', '64x36']
    assert main(['synth', str(tmp_path / 'with'), *arguments, '--occupancy', 'v2x']) == 0
    assert json.loads((tmp_path / 'with/scene.json').read_text())['occupancy'] == 'v2x'
    for side in ('vehicle-side', 'infrastructure-side'):
        images = sorted(path.stem for path in (tmp_path / 'with' / side / 'image').iterdir())
        files = sorted((tmp_path / 'with' / side / 'occupancy/v2x').iterdir())
        assert [path.stem for path in files] == images
        labels = read_voxels(files[0])
        assert labels.semantics.shape == GRIDS['v2x'].vehicle.shape
        names = json.loads((tmp_path / 'with' / side / ('label/lidar' if side[0] == 'v' else 'label/virtuallidar')
                            / f'{files[0].stem}.json').read_text())
        assert sorted(int(label['track_id']) for label in names) == sorted(labels.track_id[labels.track_id >= 0])
    # A set with labels also is one without; not the other way round.
    assert main(['synth', str(tmp_path / 'with'), *arguments]) == 0
    assert main(['synth', str(tmp_path / 'with'), *arguments, '--occupancy']) == 2


def test_the_grid_of_the_paper_has_no_labels_of_ours(tmp_path):
    with pytest.raises(SystemExit):
        main(['synth', str(tmp_path / 'a'), '--seed', '1', '--occupancy', 'waymo'])


def test_a_body_is_solid_and_has_its_shape():
    mesh = Mesh()
    mesh.block((-1.0, 1.0), (-0.5, 0.5), (0.2, 0.6), np.zeros(3), bottom=True)
    mesh.block((-0.8, 0.4), (-0.5, 0.5), (0.6, 1.6), np.zeros(3), (-0.4, 0.0), (-0.3, 0.3))
    step = np.array([0.1, 0.1, 0.2])
    points = body_points(mesh.arrays()[0], step)
    assert points.min(0) == pytest.approx([-1.0, -0.5, 0.2]) and points.max(0) == pytest.approx([1.0, 0.5, 1.6])
    # The roof is where it is, to a step; nothing stands on the bonnet, and every place inside has a point near it.
    assert np.abs(points[points[:, 2] > 1.55][:, 0] + 0.2).max() < 0.2 + step[0]
    assert points[points[:, 0] > 0.5][:, 2].max() < 0.65
    inside = np.random.default_rng(0).uniform([-0.9, -0.4, 0.25], [0.9, 0.4, 0.55], (200, 3))
    assert (np.abs(inside[:, None] - points[None]) <= 1.5 * step).all(-1).any(1).all()


def test_a_gap_in_a_body_stays_open():
    mesh = Mesh()
    mesh.block((-0.1, 0.1), (-0.1, 0.1), (0.0, 1.0), np.zeros(3))
    mesh.block((-0.1, 0.1), (-0.5, 0.5), (1.0, 1.1), np.zeros(3), bottom=True)
    points = body_points(mesh.arrays()[0], np.full(3, 0.1))
    assert points[np.abs(points[:, 1]) > 0.2][:, 2].min() > 0.95


def test_scenes_with_labels_of_an_earlier_version_are_not_taken_for_these(tmp_path):
    options = {'seconds': 1.0, 'size': (64, 36), 'units': 1, 'lidar': False}
    write_json(tmp_path / 'scene.json', provenance(3, **options) | {'occupancy': 'mini'})
    assert is_complete(tmp_path, 3, options)
    with pytest.raises(UserError, match='another scene'):
        is_complete(tmp_path, 3, options | {'occupancy': 'mini'})
    write_json(tmp_path / 'scene.json', provenance(3, **options, occupancy='mini'))
    assert is_complete(tmp_path, 3, options | {'occupancy': 'mini'})
