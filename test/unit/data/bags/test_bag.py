"""A converted bag, read back with an independent reader, holds what the data set holds."""

import json
import shutil

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from support.spd_folders import golden, write_folder

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import project_points
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.types import typestore
from cooptrack_ros.data.point_clouds import write_pcd
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.wire.video import VideoStream

PAIRS = 4


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Write a folder with one sequence of four pairs, plain images and two clouds."""
    content = golden('dataset')
    for side in ('vehicle-side', 'infrastructure-side'):
        name = f'{side}/data_info.json'
        content[name] = [e for e in content[name] if e['sequence_id'] == '0000']
    content['cooperative/data_info.json'] = content['cooperative/data_info.json'][:PAIRS]
    root = write_folder(tmp_path_factory.mktemp('spd'), content)
    for side in ('vehicle-side', 'infrastructure-side'):
        (root / side / 'image').mkdir()
        for i in range(12):
            # Of the size that the calibration is for.
            cv2.imwrite(str(root / f'{side}/image/{i:06d}.jpg'), np.full((1080, 1920, 3), 20 * i, np.uint8))
    (root / 'vehicle-side/velodyne').mkdir()
    for i in (1, 2):
        points = np.array([(i, 2, 3, 4)], [(n, '<f4') for n in ('x', 'y', 'z', 'intensity')])
        write_pcd(root / f'vehicle-side/velodyne/{i:06d}.pcd', points)
    return root


@pytest.fixture(scope='module', params=['pointcloud', 'image'])
def bag(request, root, tmp_path_factory):
    path = tmp_path_factory.mktemp('bags') / 'bag'
    convert(SpdDataset(root), '0000', path, stamp=request.param)
    return request.param, path, read(path)


@pytest.fixture(scope='module')
def records(root):
    dataset = SpdDataset(root)
    return dataset.records('cooperative', '0000'), dataset.records('infrastructure-side', '0000')


def read(path):
    """Return topic -> [(log time, message)] in the order of play."""
    found = {}
    with Reader(path) as reader:
        for connection, log_ns, data in reader.messages():
            message = typestore().deserialize_cdr(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_ns, message))
    return found


def ns(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


def image_ns(sensor, stamp):
    return 1000 * (sensor.stamp_us if stamp == 'pointcloud' else sensor.image_stamp_us)


def test_images_keep_their_bytes_and_carry_the_chosen_time(bag, records):
    stamp, _, found = bag
    for prefix, sensors, frame in (('/ego', records[0], 'ego/camera_optical'),
                                   ('/infra/rsu_1', records[1], 'infra/rsu_1/camera_optical')):
        images = [m for _, m in found[f'{prefix}/camera/image/compressed']]
        infos = [m for _, m in found[f'{prefix}/camera/camera_info']]
        assert [bytes(m.data) for m in images] == [s.cameras[0].image_path.read_bytes() for s in sensors]
        assert [ns(m.header.stamp) for m in images] == [image_ns(s, stamp) for s in sensors]
        assert [ns(m.header.stamp) for m in infos] == [s.image_stamp_us * 1000 for s in sensors]
        assert {m.header.frame_id for m in images + infos} == {frame}
        assert {(m.width, m.height) for m in infos} == {(1920, 1080)}


def test_exact_calibration_equals_the_stored_one_and_the_rq_form_agrees(bag, records):
    _, _, found = bag
    for prefix, sensor, base in (('/ego', records[0][0], records[0][0].ego_from_lidar),
                                 ('/infra/rsu_1', records[1][0], records[1][0].stored_global_from_lidar)):
        (_, message), = found[f'{prefix}/camera/calibration']
        projection = np.eye(4)
        projection[:3] = np.array(message.img_from_lidar).reshape(3, 4)
        np.testing.assert_array_equal(projection, sensor.cameras[0].img_from_lidar)
        np.testing.assert_array_equal(np.array(message.base_from_lidar).reshape(4, 4), base)
        assert (message.width, message.height) == (1920, 1080)
        points = np.random.default_rng(0).uniform([10, -20, -2], [90, 20, 4], (100, 3))
        info = found[f'{prefix}/camera/camera_info'][0][1]
        rigid = static_pose(found, message.lidar_frame, info.header.frame_id)
        through_tf = np.eye(4)
        through_tf[:3] = np.array(info.k).reshape(3, 3) @ np.linalg.inv(rigid)[:3]
        assert np.abs(project_points(through_tf, points)[0] - project_points(projection, points)[0]).max() < 1e-6


def static_pose(found, parent, child):
    from cooptrack_ros.common.geometry import make_pose, rotation_from_quaternion
    last = found['/tf_static'][-1][1].transforms
    transform, = (t.transform for t in last if (t.header.frame_id, t.child_frame_id) == (parent, child))
    q, t = transform.rotation, transform.translation
    return make_pose(rotation_from_quaternion([q.w, q.x, q.y, q.z]), [t.x, t.y, t.z])


def test_pair_transform_is_exact_and_comes_before_its_image(bag, records):
    stamp, path, found = bag
    pairs = [m for _, m in found['/infra/rsu_1/pair']]
    for message, record in zip(pairs, records[0], strict=True):
        assert ns(message.header.stamp) == image_ns(record, stamp)
        assert ns(message.infra_stamp) == image_ns(record.infra, stamp)
        np.testing.assert_array_equal(np.array(message.ego_from_infra).reshape(4, 4), record.ego_from_infra)
    topics = [t for t in order_of_play(path) if t in ('/infra/rsu_1/pair', '/ego/camera/image/compressed')]
    assert topics == ['/infra/rsu_1/pair', '/ego/camera/image/compressed'] * PAIRS


def order_of_play(path):
    with Reader(path) as reader:
        return [connection.topic for connection, _, _ in reader.messages()]


def test_latched_topics_come_first_and_offer_transient_local(bag):
    _, path, _ = bag
    assert '/tf_static' in order_of_play(path)[:2]
    latched = {t.name for t in describe_bag(path).topics if t.latched}
    assert latched == {'/tf_static', '/ego/camera/calibration', '/infra/rsu_1/camera/calibration'}


def test_last_static_transforms_are_complete(bag):
    _, _, found = bag
    assert {t.child_frame_id for t in found['/tf_static'][-1][1].transforms} == {
        'ego/lidar', 'ego/camera_optical', 'infra/rsu_1/lidar', 'infra/rsu_1/camera_optical'}


def test_poses_and_odometry_follow_the_vehicle(bag, records):
    _, _, found = bag
    for (log_ns, tf), (_, odometry), record in zip(found['/tf'], found['/ego/odometry'], records[0], strict=True):
        transform, = tf.transforms
        assert (transform.header.frame_id, transform.child_frame_id) == ('map', 'ego/base_link')
        assert ns(transform.header.stamp) == ns(odometry.header.stamp) == log_ns == record.stamp_us * 1000
        assert odometry.pose.pose.position.x == record.global_from_ego[0, 3]


def test_ground_truth_equals_the_labels(bag, records):
    _, _, found = bag
    for topic, frame, expected in (('/ego/ground_truth/tracks', 'ego/lidar', records[0]),
                                   ('/infra/rsu_1/ground_truth/tracks', 'infra/rsu_1/lidar', records[1])):
        for (_, message), record in zip(found[topic], expected, strict=True):
            assert message.header.frame_id == frame
            assert ns(message.header.stamp) == record.stamp_us * 1000
            assert (message.mode, message.reset) == ('ground_truth', record.frame_index == 0)
            np.testing.assert_array_equal(
                np.array(message.map_from_lidar).reshape(4, 4), record.global_from_lidar)
            boxes = record.boxes
            assert [t.id for t in message.tracks] == boxes.track_id.tolist()
            assert [t.label for t in message.tracks] == boxes.label.tolist()
            for i, track in enumerate(message.tracks):
                position, q = track.pose.position, track.pose.orientation
                assert [position.x, position.y, position.z] == boxes.centre[i].tolist()
                assert [track.size.x, track.size.y, track.size.z] == boxes.size[i].tolist()
                assert [track.velocity.x, track.velocity.y] == boxes.velocity[i].tolist()
                assert np.cos(2 * np.arctan2(q.z, q.w) - boxes.yaw[i]) == pytest.approx(1.0)


def test_cooperative_ground_truth_tells_who_saw_an_object(bag, records):
    _, _, found = bag
    provenance = {'veh': 0, 'inf': 1, 'coop': 2}
    for (_, message), record in zip(found['/ego/ground_truth/tracks'], records[0], strict=True):
        assert [t.provenance for t in message.tracks] == [provenance[s] for s in record.from_side]
        for track, infra_id in zip(message.tracks, record.infra_track_id, strict=True):
            assert (track.unit_id, track.infra_track_id) == (('rsu_1', infra_id) if infra_id >= 0 else ('', 0))


def test_markers_follow_the_labels(bag):
    _, _, found = bag
    markers = [m for _, m in found['/ego/ground_truth/markers']]
    assert len(markers) == PAIRS


def test_clouds_are_there_for_the_frames_that_have_one(bag):
    _, _, found = bag
    assert [np.frombuffer(m.data, np.float32)[0] for _, m in found['/ego/lidar/points']] == [1.0, 2.0]
    assert '/infra/rsu_1/lidar/points' not in found


def test_metadata_tells_sequence_stamps_and_pairs(bag, records):
    stamp, path, _ = bag
    description = describe_bag(path).description
    assert (description['sequence'], description['unit'], description['stamp']) == ('0000', 'rsu_1', stamp)
    assert description['pairs'] == [[image_ns(r, stamp), image_ns(r.infra, stamp)] for r in records[0]]
    assert description['ego_frames'][0] == ['000001', image_ns(records[0][0], stamp)]


def test_failure_leaves_nothing_behind(root, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError('disk on fire')
    monkeypatch.setattr('cooptrack_ros.data.bags.standard_messages.odometry', fail)
    with pytest.raises(RuntimeError, match='disk on fire'):
        convert(SpdDataset(root), '0000', tmp_path / 'bag')
    assert list(tmp_path.iterdir()) == []


def test_existing_place_and_unknown_stamp_are_refused(root, tmp_path):
    (tmp_path / 'bag').mkdir()
    with pytest.raises(UserError, match='exists already'):
        convert(SpdDataset(root), '0000', tmp_path / 'bag')
    with pytest.raises(UserError, match='noon'):
        convert(SpdDataset(root), '0000', tmp_path / 'other', stamp='noon')


def test_folder_of_one_side_becomes_a_bag_of_that_side(root, tmp_path):
    other = tmp_path / 'spd'
    (other / 'vehicle-side').mkdir(parents=True)
    for item in (root / 'vehicle-side').iterdir():
        (other / 'vehicle-side' / item.name).symlink_to(item)
    infos = json.loads((root / 'vehicle-side/data_info.json').read_text())
    convert(SpdDataset(other), '0000', tmp_path / 'bag')
    topics = {t.name: t.count for t in describe_bag(tmp_path / 'bag').topics}
    assert topics['/ego/camera/image/compressed'] == len(infos)
    assert not any(name.startswith('/infra') for name in topics)


def test_command_line_converts_and_describes(root, tmp_path, capsys):
    target = str(tmp_path / 'bag')
    assert main(['bag', 'convert', str(root), '-o', target, '--unit', 'north']) == 0
    assert main(['bag', 'info', target]) == 0
    text = capsys.readouterr().out
    assert '/infra/north/pair' in text and 'sequence' in text and 'latched' in text
    assert main(['bag', 'convert', str(root), '-o', target]) == 2
    assert main(['bag', 'info', str(root)]) == 2


def test_a_bad_cloud_costs_nothing_but_the_cloud(root, tmp_path, caplog):
    copied = shutil.copytree(root, tmp_path / 'spd')
    (copied / 'vehicle-side/velodyne/000002.pcd').write_bytes(b'no header')
    convert(SpdDataset(copied), '0000', tmp_path / 'bag')
    topics = {t.name: t.count for t in describe_bag(tmp_path / 'bag').topics}
    assert topics['/ego/lidar/points'] == 1 and topics['/ego/camera/image/compressed'] == PAIRS
    assert '000002.pcd' in caplog.text and 'no cloud for this frame' in caplog.text


def test_png_images_keep_their_bytes_and_are_called_png(root, tmp_path):
    copied = shutil.copytree(root, tmp_path / 'spd')
    for path in copied.glob('*/image/*.jpg'):
        # The names stay: what a file holds is seen from its content.
        path.write_bytes(cv2.imencode('.png', cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR))[1])
    convert(SpdDataset(copied), '0000', tmp_path / 'bag')
    found = read(tmp_path / 'bag')
    for prefix in ('/ego', '/infra/rsu_1'):
        images = [m for _, m in found[f'{prefix}/camera/image/compressed']]
        assert {m.format for m in images} == {'png'}
        assert all(cv2.imdecode(m.data, cv2.IMREAD_COLOR).shape == (1080, 1920, 3) for m in images)
        assert {(m.width, m.height) for _, m in found[f'{prefix}/camera/camera_info']} == {(1920, 1080)}


def test_images_become_video_if_that_is_wanted(root, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed: pip install av')
    assert main(['bag', 'convert', str(root), '-o', str(tmp_path / 'bag'), '--video', 'h264']) == 0
    found = read(tmp_path / 'bag')
    for prefix in ('/ego', '/infra/rsu_1'):
        assert f'{prefix}/camera/image/compressed' not in found
        stream, packets = VideoStream(), [m for _, m in found[f'{prefix}/camera/image/ffmpeg']]
        assert len(packets) == len(found[f'{prefix}/camera/camera_info']) and packets[0].flags == 1
        for message in packets:
            image, = stream.take(message, (1920, 1080))
            assert ns(image.header.stamp) == ns(message.header.stamp)
            assert image.header.frame_id == message.header.frame_id != ''
