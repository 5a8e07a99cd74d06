"""The reader of Griffin against a folder written by hand: every field, both sides, pairs, dropped frames."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from support.griffin_folders import CAMERAS, CAR, TRUCK, drone_pose, matrix, write_griffin

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import angles_xyz, rotation_xyz
from cooptrack_ros.data.dataset import recordings
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.griffin.reader import EPOCH_US, GriffinDataset
from cooptrack_ros.eval.selection import Selection

FIRST, SECOND = 'scene-0000-Town01-000', 'scene-0001-Town07-001'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Give a folder that no test changes."""
    return write_griffin(tmp_path_factory.mktemp('griffin'))


@pytest.fixture(scope='module')
def data(folder):
    """Give its data set."""
    return open_dataset(folder)


@pytest.fixture
def copy(folder, tmp_path):
    """Give a folder to break."""
    return shutil.copytree(folder, tmp_path / 'copy')


def test_the_folder_is_recognised_and_its_only_unit_is_the_drone(folder, data):
    assert isinstance(data, GriffinDataset)
    assert list(data.units) == ['drone']
    assert data.classes == ('car', 'bicycle', 'pedestrian')
    assert [name for name, _ in recordings([(folder, data)], 'infrastructure-side')] == [folder.name]
    with pytest.raises(UserError, match="no roadside unit 'rsu_1'; it has drone"):
        open_dataset(folder, ['rsu_1'])


def test_a_frame_where_a_side_has_nothing_near_splits_its_scene_and_short_runs_are_dropped(data):
    frames = {name: [int(r.token) for r in data.records('vehicle-side', name)] for name in data.sequences()}
    assert frames == {FIRST: [*range(12)], SECOND: [*range(20, 31)], f'{SECOND}-run2': [*range(32, 46)]}


def test_runs_belong_to_the_part_of_the_split_of_their_scene(data):
    assert data.sequences('train') == [FIRST]
    assert data.sequences('val') == [SECOND, f'{SECOND}-run2']
    assert {r.sequence for r in data.training_records('cooperative')} == {FIRST}
    assert len(Selection('val').records(data)) == 25
    with pytest.raises(UserError, match="unknown split 'test'; known: train, val"):
        data.sequences('test')


@pytest.mark.parametrize('side', ['vehicle-side', 'infrastructure-side', 'cooperative'])
def test_records_of_all_sides_have_the_same_frames_and_times(data, side):
    records = data.records(side)
    assert [r.token for r in records[:2]] == ['000000', '000001']
    assert [r.stamp_us - EPOCH_US for r in records[:3]] == [0, 100_000, 200_000]
    assert records[20 - 8].stamp_us - EPOCH_US == 2_000_000
    assert all(c.stamp_us == r.stamp_us for r in records for c in r.cameras)
    first = records[0]
    assert (first.previous, first.next, first.frame_index, first.labelled) == ('', '000001', 0, True)


def test_every_field_of_own_labels_of_twelve_eleven_and_nine_columns(data):
    record = data.records('vehicle-side', FIRST)[0]
    boxes = record.boxes
    assert record.type_names.tolist() == ['car', 'pedestrian', 'motorcycle']
    assert boxes.label.tolist() == [0, 2, 1]
    assert boxes.track_id.tolist() == [7, 8, 9]
    np.testing.assert_allclose(boxes.centre, [[10, 2, 0.75], [5, -3, 0.9], [12, 0.5, 0.8]])
    np.testing.assert_allclose(boxes.size, [[4.5, 1.9, 1.5], [0.6, 0.7, 1.8], [2.0, 0.8, 1.6]])
    np.testing.assert_allclose(np.degrees(boxes.yaw), [90, -45, 180], atol=1e-9)
    assert record.visibility.tolist() == [2, 4, 4]
    assert record.object_tokens.tolist() == ['000000/7', '000000/8', '000000/9']
    np.testing.assert_allclose(boxes.velocity, 0, atol=1e-9)
    assert record.infra is None


@pytest.mark.parametrize('share, level', [(0.0, 1), (0.39, 1), (0.4, 2), (0.6, 3), (0.79, 3), (0.8, 4), (1.0, 4)])
def test_levels_of_visibility(copy, share, level):
    (copy / 'vehicle-side/label/000000.txt').write_text(f'car 10 2 0.75 4.5 1.9 1.5 0 0 90 7 {share}\n')
    assert open_dataset(copy).records('vehicle-side', FIRST)[0].visibility.tolist() == [level]


def test_cameras_of_both_sides_come_in_order_with_their_calibration(data):
    pair = data.records('cooperative', FIRST)[3]
    for sensor, side in ((pair, 'vehicle-side'), (pair.infra, 'drone-side')):
        assert tuple(c.name for c in sensor.cameras) == CAMERAS[side]
        assert all(c.image_path == data.root / side / 'camera' / c.name / '000003.png' for c in sensor.cameras)
        images, projections = zip(*(c.read() for c in sensor.cameras))
        assert {i.shape for i in images} == {(18, 32, 3)} and np.stack(projections).shape == (len(sensor.cameras), 4, 4)
    left = pair.cameras[2].img_from_lidar @ [1.0, 10.0, 1.6, 1.0]
    np.testing.assert_allclose(left[:2] / left[2], [15.5, 8.5], atol=1e-9)
    ahead = pair.cameras[0].img_from_lidar @ [11.0, -2.0, 2.6, 1.0]
    np.testing.assert_allclose(ahead[:3], [10 * 15.5 + 20 * 2, 10 * 8.5 - 20 * 1, 10.0], atol=1e-9)
    below = pair.infra.cameras[4].img_from_lidar @ [1.0, 0.0, -23.4, 1.0]
    np.testing.assert_allclose(below[:2] / below[2], [15.5, 8.5], atol=1e-9)


def test_roll_and_pitch_of_the_drone_are_in_its_pose_and_in_the_pose_of_the_pair(data):
    for record in data.records('cooperative', FIRST):
        drone = matrix(drone_pose(int(record.token)))
        np.testing.assert_allclose(record.infra.global_from_lidar, drone, atol=1e-9)
        np.testing.assert_allclose(record.global_from_lidar, matrix(CAR), atol=1e-9)
        np.testing.assert_allclose(record.ego_from_infra, np.linalg.inv(matrix(CAR)) @ drone, atol=1e-9)
        assert np.abs(record.ego_from_infra[2, :2]).max() > 0.1


def test_pairs_have_the_union_of_both_sides_in_the_frame_of_the_car_without_the_car(data):
    for number, record in enumerate(data.records('cooperative', FIRST)):
        assert record.boxes.track_id.tolist() == [7, 8, 9, 20]
        assert record.from_side.tolist() == ['coop', 'veh', 'veh', 'inf']
        assert record.vehicle_track_id.tolist() == [7, 8, 9, -1]
        assert record.infra_track_id.tolist() == [7, -1, -1, 20]
        assert record.visibility.tolist() == [2, 4, 4, 1]
        # The car looks along y, so that what lies 25 m along y in the world lies ahead.
        np.testing.assert_allclose(record.boxes.centre[3], [25.0 + 0.5 * number, 8.0, TRUCK[2] - CAR['z']], atol=1e-4)
        assert abs(record.boxes.yaw[3]) < 1e-5
        np.testing.assert_allclose(record.boxes.velocity[3], [5.0 if number < 11 else 0.0, 0.0], atol=1e-3)


def test_objects_of_a_banking_drone_are_where_its_pose_puts_them(data):
    for record in data.records('infrastructure-side', FIRST):
        assert record.boxes.track_id.tolist() == [7, 20, 1]
        world = record.global_from_lidar @ [*record.boxes.centre[1], 1.0]
        np.testing.assert_allclose(world[:3], [TRUCK[0], TRUCK[1] + 0.5 * int(record.token), TRUCK[2]], atol=1e-4)


def test_central_velocities_are_those_of_the_world(folder):
    record = open_dataset(folder, velocity_labels='central').records('cooperative', FIRST)[-1]
    np.testing.assert_allclose(record.boxes.velocity[3], [5.0, 0.0], atol=1e-3)


def test_one_side_alone_is_a_data_set(tmp_path):
    data = open_dataset(write_griffin(tmp_path, ('vehicle-side',), images=False))
    assert [data.has_side(side) for side in ('vehicle-side', 'infrastructure-side', 'cooperative')] == [
        True, False, False]
    # Without the drone no frame lacks an object.
    assert [len(data.records('vehicle-side', s)) for s in data.sequences()] == [12, 26]
    with pytest.raises(UserError, match='has no frames of cooperative'):
        data.records('cooperative')


def test_frames_without_labels_are_the_same_frames(data):
    records = data.records('cooperative', labels=False)
    assert [r.token for r in records] == [r.token for r in data.records('cooperative')]
    assert not any(r.labelled or len(r.boxes) for r in records)


@pytest.mark.parametrize('name, kind', [('vehicle-side/camera/left/000004.png', 'image'),
                                        ('drone-side/pose/000004.json', 'calibration')])
def test_frames_that_lack_a_file_are_left_out_of_both_sides_and_told(copy, name, kind):
    (copy / name).unlink()
    data = open_dataset(copy)
    # Neither part of the scene is long enough without that frame.
    assert FIRST not in data.sequences() and len(data.records('vehicle-side')) == 25
    (left,) = data.left_out()
    assert (left.kind, left.count, left.example) == (kind, 1, str(copy / name))


def test_an_identity_that_repeats_in_a_frame_stays_once_and_is_told(copy):
    path = copy / 'vehicle-side/label/000002.txt'
    path.write_text(path.read_text() + 'car 30 2 0.75 4.5 1.9 1.5 0 0 90 7 1.0\n')
    data = open_dataset(copy)
    assert data.records('vehicle-side', FIRST)[2].boxes.track_id.tolist() == [7, 8, 9]
    (left,) = data.left_out()
    assert (left.kind, left.example) == ('repeated identity', f'id 7 in {path}, line 5')


def _rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize('text, said', [
    ('car 1 2 3', 'line 1: expected 12 fields'), ('car 1 2 3 4 5 6 0 0 x 7 1', "line 1: 'roll pitch yaw' must hold"),
    ('car 1 2 3 4 5 nan 0 0 0 7 1', "line 1: 'x y z l w h' must hold 6 finite numbers"),
    ('car 1 2 3 4 0 6 0 0 0 7 1', 'line 1: length, width and height must be above 0'),
    ('\ncar 1 2 3 4 5 6 0 0 0 7.5 1', "line 2: 'id' must be a whole number")])
def test_labels_that_cannot_be_read_are_told_with_their_line(copy, text, said):
    (copy / 'vehicle-side/label/000003.txt').write_text(text)
    with pytest.raises(UserError, match='000003.txt, ' + said):
        open_dataset(copy).records('vehicle-side', FIRST)


@pytest.mark.parametrize('name, changes, said', [
    ('drone-side/calib/bottom.json', {'extrinsic': np.diag([1, 1, -1, 1]).tolist()}, "'extrinsic' must be a rotation"),
    ('drone-side/calib/bottom.json', {'intrinsic': [[0] * 3] * 3}, 'cannot be inverted'),
    ('drone-side/pose/000001.json', {'roll': 'steep'}, "'roll' must hold"),
    ('drone-side/pose/000001.json', {'yaw': None}, "'yaw' must hold")])
def test_calibrations_and_poses_that_cannot_be_read_are_told(copy, name, changes, said):
    _rewrite(copy / name, **changes)
    with pytest.raises(UserError, match=said) as error:
        open_dataset(copy).records('cooperative', FIRST)
    assert str(copy / name) in str(error.value)


@pytest.mark.parametrize('infos, said', [
    ([{'name': 'a', 'info': {'frames': 3}}], "'frames' of scene-0000-a must be a list"),
    ([{'name': 'a', 'info': {}}], "key 'frames' is missing"),
    ([{'name': name, 'info': {'frames': ['1']}} for name in 'ab'], 'frame 1 of scene-0001-b')])
def test_lists_of_scenes_that_cannot_be_read_are_told(copy, infos, said):
    (copy / 'drone-side/scene_infos.json').write_text(json.dumps(infos))
    with pytest.raises(UserError, match=said):
        open_dataset(copy).sequences()


def test_without_a_split_no_scene_belongs_to_a_part(copy):
    (copy / 'split_25m.json').unlink()
    data = open_dataset(copy)
    assert len(data.sequences()) == 3 and data.sequences('train') == data.sequences('val') == []


def test_angles_are_those_of_the_rotation():
    for angles in np.random.default_rng(0).uniform(-1.5, 1.5, (20, 3)):
        np.testing.assert_allclose(angles_xyz(rotation_xyz(*angles)), angles, atol=1e-12)
