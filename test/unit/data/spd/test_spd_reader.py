"""The reader beyond the golden data: choices, corrections, splits, and folders that are not complete."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from support.spd_folders import golden, write_folder

from cooptrack_ros.common.ego_motion import can_bus, heading_degrees
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, rotation_z, transform_points
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.spd.index import sample_frames
from cooptrack_ros.data.spd.labels import Label, LabelledFrame, complete_tracks
from cooptrack_ros.data.spd.nuscenes import world_boxes
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.data.spd.tables import invalid_frames, label_updates, official_split


@pytest.fixture
def content():
    return golden('dataset')


def label(track_id='000001', x=0.0, yaw=0.0):
    return Label('token', 'Car', track_id, 0, np.array([x, 0.0, 0.0]), np.ones(3), yaw)


def labelled_frame(index, *labels):
    return LabelledFrame(1626155124000000 + index * 100000, np.eye(4), labels)


@pytest.mark.parametrize('first, last, middle', [(3.0, -3.0, np.pi), (-3.0, 3.0, np.pi), (0.2, 0.4, 0.3)])
def test_yaw_of_a_hole_takes_the_shorter_way_across_pi(first, last, middle):
    frames = [labelled_frame(0, label(yaw=first)), labelled_frame(1), labelled_frame(2, label(yaw=last))]
    (filled,) = complete_tracks(frames)[1]
    assert np.cos(filled.yaw - middle) == pytest.approx(1.0)
    assert filled.occluded_state == 3


def test_velocity_looks_forward_and_is_zero_at_the_last_label():
    frames = [labelled_frame(0, label(x=0.0)), labelled_frame(1, label(x=0.5)), labelled_frame(2)]
    first, second, third = complete_tracks(frames)
    assert first[0].velocity == pytest.approx((5.0, 0.0), abs=1e-5)
    assert second[0].velocity == (0.0, 0.0)
    assert third == []


def test_central_velocity_spans_both_neighbours_and_two_frames_at_the_ends():
    frames = [labelled_frame(k, label(x=x)) for k, x in enumerate((0.0, 0.5, 1.4, 2.0))]
    found = [row[0].velocity[0] for row in complete_tracks(frames, 'central')]
    assert found == pytest.approx([7.0, 7.0, 7.5, 7.5], abs=1e-4)
    short = complete_tracks([labelled_frame(0, label(x=0.0)), labelled_frame(1, label(x=0.5)), labelled_frame(2)],
                            'central')
    assert [row[0].velocity[0] for row in short[:2]] == pytest.approx([5.0, 5.0], abs=1e-4)


def test_central_velocity_is_in_the_axes_of_its_own_frame():
    """The vehicle stands and turns by 90 degrees between the frames; the object drives along x of the world."""
    poses = [make_pose(rotation_z(angle), [0.0, 0.0, 0.0]) for angle in (0.0, np.pi / 2)]
    frames = [LabelledFrame(index * 100_000, pose, (replace(label(), centre=pose[:3, :3].T @ [x, 0.0, 0.0]),))
              for index, (pose, x) in enumerate(zip(poses, (1.0, 1.5)))]
    first, second = (row[0].velocity for row in complete_tracks(frames, 'central'))
    assert first == pytest.approx((5.0, 0.0)) and second == pytest.approx((0.0, -5.0))


def test_central_velocity_of_a_single_label_is_not_known():
    (row,) = complete_tracks([labelled_frame(0, label())], 'central')
    assert np.isnan(row[0].velocity).all()


def test_other_velocity_labels_are_refused(content, tmp_path):
    with pytest.raises(UserError, match='published, central'):
        SpdDataset(write_folder(tmp_path, content), velocity_labels='forward')


@pytest.mark.parametrize('velocity_labels', ['published', 'central'])
def test_frames_with_equal_times_do_not_divide_by_zero(velocity_labels):
    frames = [labelled_frame(0, label()), labelled_frame(0, label(x=1.0))]
    velocity = complete_tracks(frames, velocity_labels)[0][0].velocity
    assert velocity == (0.0, 0.0) if velocity_labels == 'published' else np.isnan(velocity).all()


@pytest.mark.parametrize('degrees', [-179.9, -120.0, -90.0, -1e-14, 0.0, 30.0, 100.0, 179.9, 240.0])
@pytest.mark.parametrize('tilt', [0.0, 0.03, 3.1])
def test_can_bus_has_the_quaternion_of_pyquaternion_and_a_heading_from_0_to_360(degrees, tilt):
    pyquaternion = pytest.importorskip('pyquaternion')
    cos, sin = np.cos(tilt), np.sin(tilt)
    rotation = rotation_z(np.radians(degrees)) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    values = can_bus(make_pose(rotation, [1.0, 2.0, 3.0]))
    np.testing.assert_allclose(values[3:7], pyquaternion.Quaternion(matrix=rotation).elements, atol=1e-9)
    assert 0.0 <= values[17] < 360.0
    assert np.cos(np.radians(values[17] - degrees)) == pytest.approx(1.0)
    assert values[16] == pytest.approx(np.radians(heading_degrees(rotation)))
    np.testing.assert_array_equal(values[7:16], 0.0)


def test_sampling_keeps_the_first_frame_of_each_bin_also_across_holes():
    assert sample_frames(['000009', '000010', '000015', '000016', '000031'], 2) == [0, 2, 4]
    assert sample_frames(['000009', '000010'], 10) == [0, 1]
    assert sample_frames([], 2) == []
    with pytest.raises(UserError, match='11'):
        sample_frames(['000000'], 11)


def test_published_tables_have_their_published_counts():
    split = official_split()
    assert [len(split[k]) for k in ('train', 'val', 'test', 'test_A')] == [46, 21, 28, 8]
    assert len({s for k in ('train', 'val', 'test') for s in split[k]}) == 95
    assert len(invalid_frames('vehicle-side')) == 335
    assert len(invalid_frames('cooperative')) == 83
    assert invalid_frames('infrastructure-side') == frozenset()
    updates = label_updates('bundled')
    assert sum(len(v) for v in updates['vehicle-side'].values()) == 29
    assert sum(len(v) for v in updates['cooperative'].values()) == 6963


def test_split_file_of_the_folder_wins_over_the_published_table(tmp_path, content):
    assert SpdDataset(write_folder(tmp_path / 'a', content)).sequences('train') == ['0000']
    content['cooperative-split-data-spd.json'] = {'batch_split': {'val': ['0000']}}
    dataset = SpdDataset(write_folder(tmp_path / 'b', content))
    assert dataset.sequences('val') == ['0000']
    assert dataset.sequences('train') == []
    assert dataset.sequences() == ['0000', '0003']


def test_invalid_frames_are_left_out_of_training_only_in_the_published_data_set(tmp_path, content, monkeypatch):
    monkeypatch.setattr('cooptrack_ros.data.spd.reader.invalid_frames', lambda side: frozenset({'000002'}))
    dataset = SpdDataset(write_folder(tmp_path, content))
    tokens = [r.token for r in dataset.training_records('cooperative', '0000')]
    assert '000002' not in tokens and len(tokens) == 9
    assert len(dataset.records('cooperative', '0000')) == 10
    content['cooperative-split-data-spd.json'] = {'batch_split': {'train': ['0000']}}
    other = SpdDataset(write_folder(tmp_path, content))
    assert len(other.training_records('cooperative', '0000')) == 10


def test_label_updates_delete_and_rename_before_repeated_ids_are_removed(tmp_path, content):
    objects = content['vehicle-side/label/lidar/000001.json']
    table = tmp_path / 'updates.json'
    table.write_text(json.dumps({'vehicle_lidar': {'000001': {
        objects[0]['token']: None, objects[1]['token']: ['Pedestrian', '000077'],
        objects[2]['token']: ['Car', '000077']}}}))
    root = write_folder(tmp_path / 'spd', content)
    plain = SpdDataset(root).records('vehicle-side', '0000', keep_cones=True)[0]
    updated = SpdDataset(root, update_labels=table).records('vehicle-side', '0000', keep_cones=True)[0]
    assert len(updated.boxes) == len(plain.boxes) - 2
    assert updated.boxes.track_id[0] == 77 and updated.boxes.label[0] == 2


@pytest.mark.parametrize('ego_labels, removed', [('keep', 0), ('remove', 1)])
def test_ego_labels_are_removed_only_when_asked(tmp_path, content, ego_labels, removed):
    token = content['cooperative/label/000001.json'][0]['token']
    table = tmp_path / 'updates.json'
    table.write_text(json.dumps({'cooperative': {'000001': {token: None}}}))
    root = write_folder(tmp_path / 'spd', content)
    record = SpdDataset(root, table, ego_labels).records('cooperative', '0000')[0]
    assert len(record.boxes) == 9 - removed


def test_traffic_cones_are_dropped_unless_asked_for(tmp_path, content):
    dataset = SpdDataset(write_folder(tmp_path, content))
    with_cones = dataset.records('cooperative', '0000', keep_cones=True)[0]
    without = dataset.records('cooperative', '0000')[0]
    assert len(with_cones.boxes) == len(without.boxes) + 1
    assert len(without.visibility) == len(without.type_names) == len(without.from_side) == len(without.boxes)


def test_single_sides_have_all_frames_when_asked_or_without_pairs(tmp_path, content):
    dataset = SpdDataset(write_folder(tmp_path / 'a', content))
    assert len(dataset.records('vehicle-side', '0000')) == 10
    assert len(dataset.records('vehicle-side', '0000', paired_only=False)) == 12
    for name in [n for n in content if n.startswith('cooperative/')]:
        del content[name]
    alone = SpdDataset(write_folder(tmp_path / 'b', content))
    assert len(alone.records('vehicle-side', '0000')) == 12
    with pytest.raises(UserError, match='cooperative/data_info.json is missing'):
        alone.records('cooperative')


def test_unsorted_index_gives_the_same_records(tmp_path, content):
    expected = [r.token for r in SpdDataset(write_folder(tmp_path / 'a', content)).records('cooperative')]
    for side in ('vehicle-side', 'infrastructure-side', 'cooperative'):
        content[f'{side}/data_info.json'].reverse()
    assert [r.token for r in SpdDataset(write_folder(tmp_path / 'b', content)).records('cooperative')] == expected


def test_missing_files_are_listed_once_by_kind_and_count(tmp_path, content, caplog):
    del content['vehicle-side/calib/novatel_to_world/000002.json']
    del content['cooperative/label/000003.json']
    del content['vehicle-side/label/lidar/000004.json']
    with caplog.at_level(logging.WARNING):
        dataset = SpdDataset(write_folder(tmp_path, content))
        records = dataset.records('cooperative', '0000')
        dataset.records('cooperative', '0000')
    assert [r.token for r in records][:3] == ['000001', '000003', '000004']
    assert [r.labelled for r in records][:3] == [True, False, True]
    assert dataset.index.missing == {
        ('vehicle-side', 'global_from_ego'): 1, ('vehicle-side', 'label'): 1, ('vehicle-side', 'image'): 24,
        ('infrastructure-side', 'image'): 20, ('cooperative', 'partner'): 1, ('cooperative', 'label'): 1}
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 6
    assert any('vehicle-side: 1 of 24 frames lack their global_from_ego' in text for text in texts)
    assert not dataset.records('vehicle-side', '0000')[2].labelled


def test_frame_without_image_is_left_out_when_others_have_one(tmp_path, content):
    root = write_folder(tmp_path, content)
    for frame in range(1, 12):
        (root / 'vehicle-side/image').mkdir(exist_ok=True)
        if frame != 5:
            (root / f'vehicle-side/image/{frame:06d}.jpg').write_bytes(b'not looked at')
    assert '000005' not in [r.token for r in SpdDataset(root).records('cooperative', '0000')]


def test_images_are_found_in_an_unpacked_archive_beside_the_folder(tmp_path, content):
    root = write_folder(tmp_path / 'V2X-Seq-SPD', content)
    archive = tmp_path / 'V2X-Seq-SPD-vehicle-side-image'
    archive.mkdir()
    for frame in range(29):
        (archive / f'{frame:06d}.jpg').write_bytes(b'x')
    assert SpdDataset(root).records('vehicle-side', '0000')[0].cameras[0].image_path == archive / '000001.jpg'


def test_unreadable_image_is_an_error_that_names_the_file(tmp_path, content):
    record = SpdDataset(write_folder(tmp_path, content)).records('vehicle-side', '0000')[0]
    with pytest.raises(UserError, match='000001.jpg'):
        record.frame()


def test_frames_of_both_sides_carry_image_time_and_pose(tmp_path, content):
    cv2 = pytest.importorskip('cv2')
    root = write_folder(tmp_path, content)
    for side, ids in (('vehicle-side', range(29)), ('infrastructure-side', range(23))):
        (root / side / 'image').mkdir()
        for i in ids:
            cv2.imwrite(str(root / f'{side}/image/{i:06d}.jpg'), np.full((1080, 1920, 3), 50, np.uint8))
    record = SpdDataset(root).records('cooperative', '0000')[0]
    for frame, stamp in ((record.frame(), record.stamp_us), (record.frame('infrastructure'), record.infra_stamp_us)):
        assert frame.images[0].shape == (1080, 1920, 3)
        assert frame.stamp_ns == stamp * 1000
        assert frame.img_from_lidar.shape == (1, 4, 4)
    np.testing.assert_array_equal(record.frame('infrastructure').ego_from_lidar, np.eye(4))


def scale_times(elements, factor):
    """Give the times of all frames another unit."""
    for element in elements:
        for key in ('image_timestamp', 'pointcloud_timestamp'):
            element[key] = str(int(int(element[key]) * factor))


def test_frames_are_in_the_order_of_their_numbers_also_without_leading_zeros(tmp_path, content):
    for side in ('vehicle-side', 'infrastructure-side'):
        for element in content[f'{side}/data_info.json']:
            element['frame_id'] = str(int(element['frame_id']))
    del content['cooperative/data_info.json']
    records = SpdDataset(write_folder(tmp_path, content)).records('vehicle-side', '0000')
    tokens = [int(record.token) for record in records]
    assert tokens == sorted(tokens) and tokens[-1] > 9
    assert [record.next for record in records[:-1]] == [record.token for record in records[1:]]


@pytest.mark.parametrize('name, change, text', [
    ('vehicle-side/data_info.json', lambda c: c[0].pop('frame_id'), "'frame_id' is missing"),
    ('vehicle-side/data_info.json', lambda c: c[0].update(image_timestamp='12.5'), 'image_timestamp'),
    ('vehicle-side/data_info.json', lambda c: scale_times(c, 1000), 'looks like nanoseconds since 1970'),
    ('infrastructure-side/data_info.json', lambda c: scale_times(c, 1e-3), 'looks like milliseconds since 1970'),
    ('vehicle-side/data_info.json', lambda c: scale_times(c, 1e-6), 'looks like seconds since 1970'),
    ('vehicle-side/data_info.json', lambda c: c[0].update(image_timestamp='-1'), 'image_timestamp.*from 0 to less'),
    ('vehicle-side/data_info.json', lambda c: c[0].update(image_timestamp=str(2**31 * 10**6)), 'end of ROS time'),
    ('vehicle-side/data_info.json', lambda c: c[0].update(frame_id='first'), "'frame_id' must be a whole number"),
    ('vehicle-side/data_info.json', lambda c: c[3].update(frame_id='000001', sequence_id='0003'),
     "two frames have the frame_id '000001', in the sequences '0000' and '0003'"),
    ('cooperative/data_info.json', lambda c: c[1].update(vehicle_frame='000001'), "frame '000001', expected one"),
    ('cooperative/label/000001.json', lambda c: c[0].update(track_id=str(2**63)), "'track_id' must fit into 64 bits"),
    ('cooperative/label/000001.json', lambda c: c[0].update(veh_track_id=-2**80), "'veh_track_id' must fit into 64"),
    ('vehicle-side/calib/novatel_to_world/000001.json', lambda c: c.update(rotation=[[2, 0, 0], [0, 1, 0], [0, 0, 1]]),
     'must be a rotation'),
    ('infrastructure-side/calib/camera_intrinsic/000000.json', lambda c: c.update(P=[1, 2]), 'must hold 12 finite'),
    ('infrastructure-side/calib/virtuallidar_to_world/000000.json', lambda c: c.pop('translation'), 'translation'),
    ('cooperative/label/000001.json', lambda c: c[0].pop('3d_location'), "'3d_location' is missing"),
    ('cooperative/label/000001.json', lambda c: c[0].update(rotation=float('nan')), 'rotation'),
])
def test_bad_content_is_an_error_that_names_file_and_key(tmp_path, content, name, change, text):
    change(content[name])
    root = write_folder(tmp_path, content)
    with pytest.raises(UserError, match=text) as error:
        SpdDataset(root).records('cooperative', '0000')
    assert name in str(error.value)


def test_folder_of_another_kind_unknown_side_split_and_sequence_are_refused(tmp_path, content):
    with pytest.raises(UserError, match='not a V2X-Seq-SPD folder'):
        SpdDataset(tmp_path)
    dataset = SpdDataset(write_folder(tmp_path, content))
    for call, text in ((lambda: dataset.records('roadside'), 'roadside'),
                       (lambda: dataset.records('cooperative', '0007'), '0000, 0003'),
                       (lambda: dataset.sequences('dev'), 'dev'),
                       (lambda: SpdDataset(tmp_path, ego_labels='drop'), 'drop')):
        with pytest.raises(UserError, match=text):
            call()


def test_unknown_object_type_is_left_out_with_one_warning(tmp_path, content, caplog):
    content['cooperative/label/000001.json'][0]['type'] = 'Dragon'
    content['cooperative/label/000001.json'][9]['type'] = 'Trafficcone'
    dataset = SpdDataset(write_folder(tmp_path, content))
    record = dataset.records('cooperative', '0000', keep_cones=True)[0]
    assert len(record.boxes) == 9 and record.boxes.label[-1] == 3
    assert sum('Dragon' in r.getMessage() for r in caplog.records) == 1


def test_pair_transform_is_the_exact_inverse_and_agrees_with_the_world(tmp_path, content):
    record = SpdDataset(write_folder(tmp_path, content)).records('cooperative', '0000')[0]
    points = np.array([[10.0, 5.0, -1.0], [80.0, -40.0, 2.0]])
    in_ego = transform_points(record.ego_from_infra, points)
    world = transform_points(record.infra.stored_global_from_lidar, points)
    back = transform_points(record.stored_global_from_lidar, in_ego - [*record.offset, 0.0])
    np.testing.assert_allclose(back, world, atol=1e-8)


def test_world_boxes_keep_centres_and_turn_headings(tmp_path, content):
    record = SpdDataset(write_folder(tmp_path, content)).records('cooperative', '0000')[0]
    boxes = world_boxes(record)
    np.testing.assert_allclose(
        boxes.centre, transform_points(record.global_from_lidar, record.boxes.centre), atol=1e-9)
    assert isinstance(boxes, Boxes) and len(boxes) == len(record.boxes)
