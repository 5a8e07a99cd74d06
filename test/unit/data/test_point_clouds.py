"""Point clouds: every encoding gives the same points."""

from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.point_clouds import PcdFile, read_pcd, write_pcd
from cooptrack_ros.sensors.point_clouds import INTENSITY_SCALE, xyz_intensity

POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', 'u1'), ('timestamp', '<f8')])


@pytest.fixture
def points():
    random = np.random.default_rng(3)
    made = np.zeros(500, POINT)
    for name in 'xyz':
        made[name] = random.normal(size=500).round(2)
    made['intensity'] = random.integers(0, 256, 500)
    made['timestamp'] = 1626155124.0 + np.arange(500) * 1e-4
    return made


def compress_lzf(data):
    """Compress with literals and greedy references, enough to exercise a reader."""
    out, literals, position, seen = bytearray(), bytearray(), 0, {}

    def flush():
        while literals:
            out.append(min(len(literals), 32) - 1)
            out.extend(literals[:32])
            del literals[:32]

    while position < len(data):
        key = bytes(data[position:position + 3])
        start = seen.get(key, -1)
        seen[key] = position
        if len(key) == 3 and start >= 0 and position - start <= 8192:
            length = 3
            while position + length < len(data) and length < 264 and data[start + length] == data[position + length]:
                length += 1
            flush()
            distance, short = position - start - 1, length - 2
            out.append((min(short, 7) << 5) | (distance >> 8))
            if short >= 7:
                out.append(short - 7)
            out.append(distance & 255)
            position += length
        else:
            literals.append(data[position])
            position += 1
    flush()
    return bytes(out)


def header(kind, count):
    text = (f'# comment\nVERSION 0.7\nFIELDS x y z intensity timestamp\nSIZE 4 4 4 1 8\nTYPE F F F U F\n'
            f'COUNT 1 1 1 1 1\nWIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA {kind}\n')
    return text.encode()


def test_written_cloud_is_read_back_unchanged(tmp_path, points):
    write_pcd(tmp_path / 'a.pcd', points)
    np.testing.assert_array_equal(read_pcd(tmp_path / 'a.pcd'), points)


def test_compressed_cloud_gives_the_same_points(tmp_path, points):
    columns = b''.join(np.ascontiguousarray(points[name]).tobytes() for name in POINT.names)
    packed = compress_lzf(columns)
    assert len(packed) < len(columns)
    sizes = np.array([len(packed), len(columns)], '<u4').tobytes()
    (tmp_path / 'a.pcd').write_bytes(header('binary_compressed', 500) + sizes + packed)
    np.testing.assert_array_equal(read_pcd(tmp_path / 'a.pcd'), points)


def test_ascii_cloud_gives_the_same_points(tmp_path, points):
    rows = '\n'.join(' '.join(repr(v.item()) for v in point) for point in points)
    (tmp_path / 'a.pcd').write_bytes(header('ascii', 500) + rows.encode())
    np.testing.assert_array_equal(read_pcd(tmp_path / 'a.pcd'), points)


def test_intensity_is_brought_to_one_scale_and_nan_points_are_dropped(points):
    points['x'][0] = np.nan
    cloud = xyz_intensity(points)
    assert cloud.shape == (499, 4) and cloud.dtype == np.float32
    np.testing.assert_allclose(cloud[:, 3], points['intensity'][1:] / 255.0, rtol=1e-6)
    roadside = np.array([(1, 2, 3, 0.5)], [('x', 'f4'), ('y', 'f4'), ('z', 'f4'), ('intensity', 'f4')])
    assert xyz_intensity(roadside)[0, 3] == 0.5
    assert xyz_intensity(np.zeros(2, POINT)[['x', 'y', 'z']]).shape == (2, 4)


@pytest.mark.parametrize('content', [
    b'', b'no header', header('binary', 500), header('zip', 1),
    header('binary_compressed', 2) + b'\1\0\0\0\4\0\0\0\x20'])
def test_damaged_cloud_is_an_error_that_names_the_file(tmp_path, content):
    (tmp_path / 'bad.pcd').write_bytes(content)
    with pytest.raises(UserError, match='bad.pcd'):
        read_pcd(tmp_path / 'bad.pcd')


def test_missing_cloud_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(UserError, match='none.pcd'):
        read_pcd(tmp_path / 'none.pcd')


CASES = Path(__file__).parents[2] / 'data' / 'pcd_cases'


@pytest.mark.parametrize('name', ['compressed_stored', 'no_points_line', 'upper_case', 'utf8_comment'])
def test_valid_clouds_of_other_writers_are_read(name):
    cloud = PcdFile(CASES / f'{name}.pcd').read()
    assert cloud.shape == (4, 4) and np.isfinite(cloud).all()
    assert cloud[:, :3].any(axis=1).all()
    assert 0 <= cloud[:, 3].min() < cloud[:, 3].max() <= 1


def test_the_cases_hold_the_same_points():
    clouds = [PcdFile(CASES / f'{name}.pcd').read() for name in ('no_points_line', 'upper_case', 'utf8_comment')]
    assert all(np.array_equal(clouds[0], cloud) for cloud in clouds)


def test_a_cloud_without_coordinates_says_which_fields_are_there():
    with pytest.raises(UserError, match=r'no_xyz.pcd: .*expected fields x, y and z, found u, v, w, intensity'):
        PcdFile(CASES / 'no_xyz.pcd').read()


def written(tmp_path, lines, body=b''):
    path = tmp_path / 'a.pcd'
    path.write_bytes('\n'.join(['VERSION 0.7', *lines, '']).encode() + body)
    return path


def test_padding_fields_may_share_a_name(tmp_path):
    point = np.dtype([('x', '<f4'), ('p', 'V4'), ('y', '<f4'), ('q', 'V4'), ('z', '<f4')])
    points = np.zeros(3, point)
    points['x'], points['y'], points['z'] = 1, 2, 3
    path = written(tmp_path, ['FIELDS x padding y padding z', 'SIZE 4 1 4 1 4', 'TYPE F U F U F', 'COUNT 1 4 1 4 1',
                              'WIDTH 3', 'HEIGHT 1', 'DATA binary'], points.tobytes())
    assert PcdFile(path).read()[:, :3].tolist() == [[1, 2, 3]] * 3


@pytest.mark.parametrize('kind', ['ascii', 'binary'])
def test_an_empty_cloud_is_no_error(tmp_path, kind):
    path = written(tmp_path, ['FIELDS x y z', 'SIZE 4 4 4', 'TYPE F F F', 'WIDTH 0', 'HEIGHT 1', 'POINTS 0',
                              f'DATA {kind}'])
    assert PcdFile(path).read().shape == (0, 4)


@pytest.mark.parametrize(('lines', 'complaint'), [
    (['FIELDS x y z', 'SIZE 3 4 4', 'TYPE F F F', 'WIDTH 1', 'DATA binary'], "field 'x' has TYPE F and SIZE 3"),
    (['FIELDS x y z', 'SIZE 4 4 4', 'TYPE F F Q', 'WIDTH 1', 'DATA binary'], "field 'z' has TYPE Q"),
    (['FIELDS x y z', 'SIZE 4 4 4', 'TYPE F F F', 'COUNT 1 0 1', 'POINTS 1', 'DATA binary'], "field 'y' has COUNT 0"),
    (['FIELDS x y z', 'SIZE 4 4', 'TYPE F F F', 'WIDTH 1', 'DATA binary'], 'differ in length'),
    (['FIELDS x y z', 'SIZE 4 4 4', 'TYPE F F F', 'POINTS -1', 'DATA binary'], '-1 points'),
    (['FIELDS x y z', 'SIZE 4 4 4', 'TYPE F F F', 'COUNT 2 1 1', 'POINTS 0', 'DATA binary'], 'no coordinates')])
def test_what_is_not_valid_is_refused_in_one_line(tmp_path, lines, complaint):
    with pytest.raises(UserError, match=complaint) as raised:
        PcdFile(written(tmp_path, lines, bytes(12))).read()
    assert 'a.pcd' in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.parametrize(('dtype', 'stored', 'expected'), [
    ('u2', [0, 32768, 65535], [0, 0.5, 1]), ('u2', [0, 100, 255], [0, 100 / 65535, 255 / 65535]),
    ('u1', [0, 3, 12], [0, 3 / 255, 12 / 255]), ('f4', [0, 3, 12], [0, 3 / 255, 12 / 255]),
    ('u4', [0, 3, 12], [0, 3 / 255, 12 / 255]), ('u2', [0, 3000, 12], [0, 3000 / 65535, 12 / 65535]),
    ('f4', [0, 100, 255], [0, 100 / 255, 1]), ('f4', [0, 32768, 65535], [0, 0.5, 1]),
    ('f4', [0, 0.25, 1], [0, 0.25, 1]), ('u1', [0, 1, 1], [0, 1 / 255, 1 / 255]),
    ('f4', [-1, 0.5, 1.005], [0, 0.5, 1])])
def test_intensity_of_every_usual_scale_is_0_to_1(dtype, stored, expected):
    points = np.zeros(3, [(n, 'f4') for n in 'xyz'] + [('intensity', dtype)])
    points['intensity'] = stored
    np.testing.assert_allclose(xyz_intensity(points)[:, 3], expected, atol=1e-5)


@pytest.mark.parametrize(('side', 'dtype', 'stored', 'expected'), [
    (Side.VEHICLE, 'f4', [0, 1, 1], [0, 1 / 255, 1 / 255]), (Side.ROADSIDE, 'f4', [0, 1, 1], [0, 1, 1]),
    (Side.VEHICLE, 'f4', [0, 0.5, 1], [0, 0.5, 1]), (Side.VEHICLE, 'f4', [0, 51, 255], [0, 0.2, 1]),
    (Side.ROADSIDE, 'f4', [0, 51, 255], [0, 0.2, 1]), (Side.VEHICLE, 'u1', [0, 1, 1], [0, 1 / 255, 1 / 255]),
    (Side.VEHICLE, 'i4', [0, 1, 1], [0, 1 / 255, 1 / 255])])
def test_the_kind_of_the_sensor_decides_where_the_numbers_do_not(side, dtype, stored, expected):
    points = np.zeros(3, [(n, 'f4') for n in 'xyz'] + [('intensity', dtype)])
    points['intensity'] = stored
    np.testing.assert_allclose(xyz_intensity(points, INTENSITY_SCALE[side])[:, 3], expected, atol=1e-6)


@pytest.mark.parametrize('kind', ['ascii', 'binary', 'binary_compressed'])
def test_fields_in_any_order_with_viewpoint_and_points_that_are_none(tmp_path, kind):
    dtype = np.dtype([('z', '<f4'), ('normal', '<f4', (2,)), ('y', '<f8'), ('ring', '<u2'), ('x', '<f4')])
    points = np.zeros(3, dtype)
    points['x'], points['y'], points['z'] = [1, 4, np.nan], [2, 5, 7], [3, np.inf, 8]
    body = points.tobytes()
    if kind == 'ascii':
        body = '\n'.join(' '.join(str(v) for v in (p['z'], *p['normal'], p['y'], p['ring'], p['x']))
                         for p in points).encode()
    elif kind == 'binary_compressed':
        columns = b''.join(np.ascontiguousarray(points[name]).tobytes() for name in dtype.names)
        body = np.array([len(columns)] * 2, '<u4').tobytes() + columns
    path = written(tmp_path, ['FIELDS z normal y ring x', 'SIZE 4 4 8 2 4', 'TYPE F F F U F', 'COUNT 1 2 1 1 1',
                              'WIDTH 3', 'HEIGHT 1', 'VIEWPOINT 5 6 7 0.7 0 0 0.7', 'POINTS 3', f'DATA {kind}'], body)
    assert PcdFile(path).read().tolist() == [[1, 2, 3, 0]]
