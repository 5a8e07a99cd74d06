"""Round trips of a generated data set: files, transforms, labels."""

import filecmp
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import split_projection, transform_points
from cooptrack_ros.data.point_clouds import read_pcd
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.data.synth.render import body_corners
from cooptrack_ros.sensors.point_clouds import xyz_intensity

from .conftest import SECONDS, SEED, SIZE


def load(path: Path):
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def pose(path: Path, key: str | None = None) -> np.ndarray:
    """Return the 4x4 matrix of a calibration file."""
    content = load(path)[key] if key else load(path)
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = content['rotation'], np.ravel(content['translation'])
    return out


def location(label: dict) -> np.ndarray:
    """Return the centre of a label."""
    return np.array([label['3d_location'][k] for k in 'xyz'])


def agent_at(scene, scene_point, t: float):
    """Return the agent whose centre lies at a scene point at a time, and the distance."""
    alive = [a for a in scene.agents if a.alive(t)]
    centres = np.array([body_corners(a, a.pose(t)).mean(0) for a in alive])
    distance = np.linalg.norm(centres - scene_point, axis=1)
    return alive[int(distance.argmin())], float(distance.min())


def frames_of(folder: Path, side: str) -> list[dict]:
    """Return the frames of a side."""
    return load(folder / side / 'data_info.json')


def seconds(scene, stamp: str) -> float:
    """Return the scene's time of a stamp."""
    return (int(stamp) - 1_626_155_124_000_000 - scene.seed * 1_000_000_000) * 1e-6


def all_files(root: Path) -> list[str]:
    """Return the relative paths of all files."""
    return sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())


def test_same_seed_gives_the_same_bytes(tmp_path, scene_folder):
    generate(tmp_path / 'again', SEED, SECONDS, SIZE, units=2, lidar=True)
    names = all_files(scene_folder)
    assert names == all_files(tmp_path / 'again')
    assert filecmp.cmpfiles(scene_folder, tmp_path / 'again', names, shallow=False)[1:] == ([], [])


def test_units_share_the_vehicle_side_and_differ_in_the_pole(scene_folder):
    one, two = scene_folder / 'unit_1', scene_folder / 'unit_2'
    names = all_files(one / 'vehicle-side')
    assert filecmp.cmpfiles(one / 'vehicle-side', two / 'vehicle-side', names, shallow=False)[0] == names
    places = [pose(u / 'infrastructure-side/calib/virtuallidar_to_world/000000.json')[:3, 3] for u in (one, two)]
    assert np.linalg.norm(places[0] - places[1]) > 5.0


def test_reader_reads_all_sides(scene_folder):
    dataset = SpdDataset(scene_folder / 'unit_1')
    assert dataset.sequences('val') == ['0000']
    records = dataset.records('cooperative', '0000')
    assert len(records) == len(load(scene_folder / 'unit_1/cooperative/data_info.json')) >= 6
    assert records[0].frame().images[0].shape == (SIZE[1], SIZE[0], 3)
    assert sum(len(r.boxes) for r in records) > 0
    assert len(dataset.records('vehicle-side')) >= len(records)


@pytest.mark.parametrize('unit', ['unit_1', 'unit_2'])
def test_roadside_labels_are_the_world(scene_folder, scene, unit):
    side = scene_folder / unit / 'infrastructure-side'
    scene_from_world = np.linalg.inv(scene.world_from_scene)
    checked = 0
    for info in frames_of(scene_folder / unit, 'infrastructure-side'):
        world_from_lidar = pose(side / info['calib_virtuallidar_to_world_path'])
        for label in load(side / info['label_lidar_std_path']):
            point = transform_points(scene_from_world @ world_from_lidar, location(label))
            agent, distance = agent_at(scene, point, seconds(scene, info['pointcloud_timestamp']))
            assert distance < 1e-6 and agent.kind == label['type'] and agent.number != scene.ego
            checked += 1
    assert checked > 10


def test_spd_rule_brings_both_sides_together(scene_folder, scene):
    """Standing objects labelled by both sides have the same centre after the published transform."""
    folder = scene_folder / 'unit_1'
    roadside = {i['frame_id']: load(folder / 'infrastructure-side' / i['label_lidar_std_path'])
                for i in frames_of(folder, 'infrastructure-side')}
    checked = 0
    for record in SpdDataset(folder).records('cooperative'):
        for label in roadside[record.infra_token]:
            centre = transform_points(record.ego_from_infra, location(label))
            view = scene.vehicle_view(record.stamp_us - 1_626_155_124_000_000 - scene.seed * 1_000_000_000)
            agent, distance = agent_at(scene, transform_points(view.scene_from_lidar, centre), view.t)
            if agent.path is None:
                assert distance < 1e-6
                checked += 1
    assert checked > 0


def test_corners_of_standing_objects_project_on_the_2d_box(scene_folder, scene):
    side = scene_folder / 'unit_1/infrastructure-side'
    checked = 0
    for info in frames_of(scene_folder / 'unit_1', 'infrastructure-side')[:3]:
        t = seconds(scene, info['pointcloud_timestamp'])
        intrinsic = np.array(load(side / info['calib_camera_intrinsic_path'])['cam_K']).reshape(3, 3)
        world_from_lidar = pose(side / info['calib_virtuallidar_to_world_path'])
        cam_from_lidar = pose(side / info['calib_virtuallidar_to_camera_path'])
        cam_from_scene = cam_from_lidar @ np.linalg.inv(world_from_lidar) @ scene.world_from_scene
        for label in load(side / info['label_lidar_std_path']):
            point = transform_points(np.linalg.inv(scene.world_from_scene) @ world_from_lidar, location(label))
            agent, _ = agent_at(scene, point, t)
            points = transform_points(cam_from_scene, body_corners(agent, agent.pose(t)))
            if points[:, 2].min() < 1.0:
                continue
            pixels = (points @ intrinsic.T)[:, :2] / points[:, 2:]
            low, high = (np.clip(p, 0, np.array(SIZE) - 1) for p in (pixels.min(0), pixels.max(0)))
            box = np.array([label['2d_box'][k] for k in ('xmin', 'ymin', 'xmax', 'ymax')])
            assert np.abs(np.concatenate([low, high]) - box).max() < 1.0
            checked += 1
    assert checked > 5


def test_roadside_calibration_is_not_quite_a_rotation_and_splits_exactly(scene_folder):
    side = scene_folder / 'unit_1/infrastructure-side'
    cam_from_lidar = pose(side / 'calib/virtuallidar_to_camera/000000.json')
    skew = np.abs(cam_from_lidar[:3, :3] @ cam_from_lidar[:3, :3].T - np.eye(3)).max()
    assert 1e-4 < skew < 0.1
    intrinsic = np.array(load(side / 'calib/camera_intrinsic/000000.json')['cam_K']).reshape(3, 3)
    split_k, split_pose = split_projection(intrinsic, cam_from_lidar)
    whole = intrinsic @ cam_from_lidar[:3]
    parts = split_k @ split_pose[:3]
    np.testing.assert_allclose(whole / whole[2, 3], parts / parts[2, 3], atol=1e-9 * np.abs(whole).max())


def test_cooperative_labels_link_existing_labels(scene_folder):
    folder = scene_folder / 'unit_1'
    vehicle = {i['frame_id']: i for i in frames_of(folder, 'vehicle-side')}
    roadside = {i['frame_id']: i for i in frames_of(folder, 'infrastructure-side')}
    sides = set()
    for pair in load(folder / 'cooperative/data_info.json'):
        own = load(folder / 'vehicle-side' / vehicle[pair['vehicle_frame']]['label_lidar_std_path'])
        other = load(folder / 'infrastructure-side' / roadside[pair['infrastructure_frame']]['label_lidar_std_path'])
        own, other = ({o['token']: o['track_id'] for o in labels} for labels in (own, other))
        gap = (int(vehicle[pair['vehicle_frame']]['pointcloud_timestamp'])
               - int(roadside[pair['infrastructure_frame']]['pointcloud_timestamp']))
        assert abs(gap) <= 50_000
        labels = load(folder / f"cooperative/label/{pair['vehicle_frame']}.json")
        assert {o['veh_token'] for o in labels} - {'-1'} == set(own)
        assert {o['inf_token'] for o in labels} - {'-1'} == set(other)
        for label in labels:
            sides.add(label['from_side'])
            in_both = {'veh': (True, False), 'inf': (False, True), 'coop': (True, True)}[label['from_side']]
            assert (label['veh_token'] in own, label['inf_token'] in other) == in_both
            assert own.get(label['veh_token'], '-1') == label['veh_track_id']
            assert other.get(label['inf_token'], '-1') == label['inf_track_id']
    assert 'inf' in sides


def test_images_come_shortly_after_the_frames_of(scene_folder):
    for side in ('vehicle-side', 'infrastructure-side'):
        frames = frames_of(scene_folder / 'unit_1', side)
        delay = np.array([int(f['image_timestamp']) - int(f['pointcloud_timestamp']) for f in frames])
        step = np.diff([int(f['pointcloud_timestamp']) for f in frames])
        assert (delay >= 0).all() and (delay <= 30_000).all()
        assert (np.abs(step - 100_000) < 20_000).all()
        assert cv2.imread(str(scene_folder / 'unit_1' / side / frames[0]['image_path'])).shape == (*SIZE[::-1], 3)


def test_clouds_lie_on_the_ground_and_on_labelled_objects(scene_folder):
    for side, ground in (('vehicle-side', -1.9), ('infrastructure-side', -1.7)):
        root = scene_folder / 'unit_1' / side
        info = frames_of(scene_folder / 'unit_1', side)[0]
        points = xyz_intensity(read_pcd(root / info['pointcloud_path']))
        near = points[np.hypot(points[:, 0], points[:, 1]) < 15.0]
        assert abs(np.median(near[near[:, 2] < ground + 0.5, 2]) - ground) < 0.15
        hits = 0
        for label in load(root / info['label_lidar_std_path']):
            local = points[:, :3] - location(label)
            size = [label['3d_dimensions'][k] for k in 'lwh']
            hits += (np.linalg.norm(local, axis=1) < 0.6 * np.linalg.norm(size)).sum()
        assert hits > 20
    assert (points[:, 0] >= 0).all()


def test_folder_in_use_and_senseless_arguments_are_refused(tmp_path):
    (tmp_path / 'file').write_text('x')
    with pytest.raises(UserError, match='exists already'):
        generate(tmp_path, 1, 1.0)
    with pytest.raises(UserError, match='seconds'):
        generate(tmp_path / 'new', 1, 0.0)
    assert not (tmp_path / 'new').exists()
