"""Point clouds: every encoding gives the same points."""

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.point_clouds import read_pcd, write_pcd, xyz_intensity

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
