"""The reader gives what the published converters and data loader give (spd_golden)."""

import numpy as np
import pytest
from support.spd_folders import golden, write_folder

from cooptrack_ros.common.ego_motion import can_bus, row_vector_pose
from cooptrack_ros.common.geometry import quaternion_from_rotation
from cooptrack_ros.data.spd.nuscenes import instance_token, tables
from cooptrack_ros.data.spd.reader import SpdDataset

SIDES = ('vehicle-side', 'infrastructure-side', 'cooperative')
NAMES = ('car', 'bicycle', 'pedestrian', 'traffic_cone')
WORLD = {'rtol': 0, 'atol': 1e-5}
EXACT = {'rtol': 0, 'atol': 1e-6}


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return SpdDataset(write_folder(tmp_path_factory.mktemp('spd'), golden('dataset')))


@pytest.fixture(scope='module', params=[10, 2])
def rate(request):
    return request.param, golden(f'expected_{request.param}hz')


@pytest.fixture(scope='module', params=SIDES)
def pairs(request, rate, dataset):
    """Pairs of (record of the reader, published record)."""
    hz, expected = rate
    records = dataset.records(request.param, hz=hz, keep_cones=True)
    published = expected[request.param]['records']
    assert [r.token for r in records] == [e['token'] for e in published]
    return list(zip(records, published))


def test_identity_order_and_times_equal_the_published_records(pairs, dataset):
    for record, expected in pairs:
        assert (record.sequence, record.frame_index) == (expected['scene_token'], expected['frame_idx'])
        assert (record.previous, record.next) == (expected['prev'], expected['next'])
        assert record.stamp_us == int(expected['timestamp']) and isinstance(record.stamp_us, int)
        assert record.sequence in dataset.sequences(expected['split'])
        assert str(record.cameras[0].image_path).endswith(expected['image'])
        assert record.labelled
        if 'token_inf' in expected:
            assert record.infra_token == expected['token_inf']
            assert record.infra_stamp_us == int(expected['timestamp_inf'])
            offset = expected['system_error_offset']
            np.testing.assert_array_equal(record.offset, [offset['delta_x'], offset['delta_y']])


def test_poses_equal_the_published_records(pairs):
    for record, expected in pairs:
        for pose, name in ((record.ego_from_lidar, 'lidar2ego'), (record.global_from_ego, 'ego2global')):
            np.testing.assert_allclose(
                quaternion_from_rotation(pose[:3, :3]), expected[f'{name}_rotation'], **EXACT)
            np.testing.assert_allclose(pose[:3, 3], expected[f'{name}_translation'], **WORLD)


def test_boxes_equal_the_published_records(pairs):
    for record, expected in pairs:
        wanted = expected['boxes']
        boxes = record.boxes
        assert [NAMES[i] for i in boxes.label] == [b['name'] for b in wanted]
        np.testing.assert_array_equal(boxes.track_id, [b['ind'] for b in wanted])
        np.testing.assert_array_equal(record.visibility, [b['visibility'] for b in wanted])
        code = np.column_stack([boxes.centre, boxes.size[:, [1, 0, 2]], -boxes.yaw - np.pi / 2])
        np.testing.assert_allclose(code, [b['code'] for b in wanted], **EXACT)
        np.testing.assert_allclose(boxes.velocity, [b['velocity'] for b in wanted], **EXACT)
        for i, box in enumerate(wanted):
            assert instance_token(boxes.track_id[i], record.sequence) == box['instance']
            if box['visibility'] > 1:
                assert record.object_tokens[i] == box['token']


def test_network_inputs_equal_the_published_loader(pairs):
    for record, expected in pairs:
        derived = expected['derived']
        r_mat, t = row_vector_pose(record.global_from_lidar)
        assert r_mat.dtype == t.dtype == np.float32
        np.testing.assert_allclose(r_mat, derived['l2g_r_mat'], **EXACT)
        np.testing.assert_allclose(t, np.float32(derived['l2g_t']), rtol=0, atol=3e-4)
        np.testing.assert_allclose(record.cameras[0].img_from_lidar, derived['lidar2img'], rtol=1e-9, atol=1e-6)
        half = np.diag([0.5, 0.5, 1.0, 1.0]) @ record.cameras[0].img_from_lidar
        np.testing.assert_allclose(half, derived['lidar2img_half'], rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(can_bus(record.global_from_ego), derived['can_bus'], **WORLD)


def test_pair_transform_equals_the_published_loader(pairs):
    for record, expected in pairs:
        if 'veh2inf_rt' not in expected['derived']:
            continue
        infra_from_ego = np.linalg.inv(record.ego_from_infra)
        np.testing.assert_allclose(infra_from_ego.T, expected['derived']['veh2inf_rt'], rtol=0, atol=1e-6)


def test_nuscenes_tables_equal_the_published_ones(rate, dataset):
    hz, expected = rate
    wanted = expected['cooperative']['nuscenes_tables']
    made = tables(dataset.records('cooperative', hz=hz, keep_cones=True))
    assert made['sample'] == [{**s, 'timestamp': int(s['timestamp'])} for s in wanted['sample']]
    assert [dict(sorted(s.items())) for s in made['scene']] == [dict(sorted(s.items())) for s in wanted['scene']]
    assert len(made['annotation']) == len(wanted['annotation'])
    interpolated = {a['token'] for a in wanted['annotation'] if a['visibility_token'] == 1}
    for row, published in zip(made['annotation'], wanted['annotation']):
        for key in ('sample_token', 'instance_token', 'visibility_token'):
            assert row[key] == published[key]
        for key in ('token', 'prev', 'next'):
            if published[key] not in interpolated:
                assert row[key] == published[key]
        for key in ('translation', 'size'):
            np.testing.assert_allclose(row[key], published[key], **WORLD)
        # q and -q are one orientation.
        assert abs(np.dot(row['rotation'], published['rotation'])) == pytest.approx(1.0, abs=1e-9)
