"""Synthetic scenes with a drone: both sides agree in the world, and nothing is wrong with the data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import transform_boxes
from cooptrack_ros.data.checks import camera_turned
from cooptrack_ros.data.checks.catalogue import RULES
from cooptrack_ros.data.checks.edges import Shift
from cooptrack_ros.data.checks.rule import apply, read
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import PROVENANCE, generate
from cooptrack_ros.data.synth.many import is_complete

SEED, SECONDS, SIZE = 10007, 1.0, (96, 54)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Give a scene with a drone."""
    path = tmp_path_factory.mktemp('synth') / 'scene'
    generate(path, SEED, SECONDS, SIZE, altitude=25.0)
    return path


@pytest.fixture(scope='module')
def data(folder):
    """Give its data set."""
    return open_dataset(folder)


def test_all_cameras_of_both_sides_have_images_and_scenes_of_such_seeds_are_for_validation(data):
    assert data.sequences('val') == data.sequences() == [f'scene-0000-Synthetic-{SEED:06d}']
    pairs = data.records('cooperative')
    assert len(pairs) == 10
    assert [len(s.cameras) for s in (pairs[0], pairs[0].infra)] == [4, 5]
    assert {c.read()[0].shape for c in (*pairs[0].cameras, *pairs[0].infra.cameras)} == {(54, 96, 3)}


def test_the_drone_follows_the_car_at_its_altitude_and_banks(data):
    pairs = data.records('cooperative')
    places = np.array([r.ego_from_infra[:3, 3] for r in pairs])
    assert (np.abs(places[:, 2] - 24.2) < 3.0).all() and (np.hypot(*places[:, :2].T) < 20.0).all()
    tilts = np.array([r.ego_from_infra[2, :2] for r in pairs])
    assert np.abs(tilts).max() > 0.01 and np.ptp(tilts, axis=0).max() > 1e-3


def test_both_sides_put_what_both_see_to_one_place_in_the_world(data):
    shared = 0
    for own, other in zip(data.records('vehicle-side'), data.records('infrastructure-side'), strict=True):
        world, seen = (transform_boxes(r.global_from_lidar, r.boxes) for r in (own, other))
        _, mine, theirs = np.intersect1d(world.track_id, seen.track_id, return_indices=True)
        np.testing.assert_allclose(world.centre[mine], seen.centre[theirs], atol=2e-3)
        np.testing.assert_allclose(np.cos(world.yaw[mine] - seen.yaw[theirs]), 1.0, atol=1e-3)
        np.testing.assert_array_equal(world.size[mine], seen.size[theirs])
        shared += len(mine)
    assert shared > 0


def test_the_drone_labels_the_car_that_carries_the_other_cameras_and_pairs_do_not(data):
    for pair, drone in zip(data.records('cooperative'), data.records('infrastructure-side'), strict=True):
        own = np.linalg.norm(transform_boxes(pair.ego_from_infra, drone.boxes).centre, axis=1) < 0.1
        assert own.sum() <= 1
        assert (np.linalg.norm(pair.boxes.centre, axis=1) > 1.0).all()
        assert set(pair.boxes.track_id) >= set(drone.boxes.track_id[~own])


def test_nothing_is_wrong_with_the_data(folder, data):
    assert apply(RULES, read([(folder, data)])) == []


def test_of_cameras_that_look_down_only_left_and_right_are_judged(data):
    pair = data.records('cooperative')[0]
    assert [camera_turned._looks_down(c) for c in (*pair.cameras, *pair.infra.cameras)] == [False] * 4 + [True] * 5
    turned = Shift(0.9, 0.9, np.full((2, 2), 0.9), 10)
    assert camera_turned._words(turned, False).endswith('0.9 degrees too far right and 0.9 degrees too far down')
    assert camera_turned._words(turned, True).endswith('lie 0.9 degrees too far right')


def test_a_box_below_ground_is_still_found_where_the_drone_banks(folder, data, tmp_path):
    import shutil
    broken = shutil.copytree(folder, tmp_path / 'broken')
    path = sorted((broken / 'drone-side/label').glob('*.txt'))[0]
    kind, x, y, z, *rest = next(line for line in path.read_text().splitlines() if line.startswith('car ')).split()
    path.write_text(path.read_text().replace(f' {z} ', f' {float(z) - 6.0:.4f} '))
    found = apply(RULES, read([(broken, open_dataset(broken))]))
    assert {(f.rule, 'infrastructure-side' in f.where) for f in found} >= {('below-ground', True)}


def test_what_was_made_is_known_again_and_not_taken_for_the_other_format(folder):
    options = {'seconds': SECONDS, 'size': SIZE, 'units': 1, 'lidar': False}
    assert json.loads((folder / PROVENANCE).read_text())['altitude'] == 25.0
    assert is_complete(folder, SEED, options | {'altitude': 25.0})
    for other in ({}, {'altitude': 40.0}):
        with pytest.raises(UserError, match='holds another scene'):
            is_complete(folder, SEED, options | other)


@pytest.mark.parametrize('words, said', [
    (['--altitude', '25'], '--altitude is for --format griffin'),
    (['--format', 'griffin', '--altitude', '0'], '--altitude must be above 0'),
    (['--format', 'griffin', '--altitude', '5'], 'an altitude of 20 to 60 m'),
    (['--format', 'griffin', '--seconds', '0.6'], 'seconds >= 1'),
    (['--format', 'griffin', '--units', '2'], 'units 2'), (['--format', 'griffin', '--lidar'], 'lidar True')])
def test_what_a_drone_cannot_do_is_told(words, said, tmp_path, capsys):
    assert main(['synth', str(tmp_path / 'scene'), '--seed', '1', *words]) == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
