"""The usual mistakes in a calibration are found and named; a right one is left alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import rotation_z
from cooptrack_ros.sensors.calibration_check import check_calibration, check_rig, view_angles
from cooptrack_ros.sensors.calibration_file import CameraCalibration, read_calibration

EXAMPLE = Path(__file__).parents[3] / 'config/calibration.example.yaml'
SAMPLES = {
    # matrix, size and distortion of two real dash cameras (comma2k19, Udacity); extrinsics are assumed.
    'comma2k19': ([[910.0, 0, 582], [0, 910, 437], [0, 0, 1]], (1164, 874), [0.0] * 5),
    'udacity': ([[1156.4568, 0, 671.3191], [0, 1151.2665, 389.2173], [0, 0, 1]], (1280, 720),
                [-0.246670, -0.025441, -0.000670, 0.000134, 0.010666])}


def good() -> CameraCalibration:
    """Return the example."""
    return read_calibration(EXAMPLE)


def turned(calibration: CameraCalibration, rotation) -> CameraCalibration:
    """Return a calibration with another rotation matrix."""
    matrix = calibration.camera_from_lidar.copy()
    matrix[:3, :3] = rotation
    return replace(calibration, camera_from_lidar=matrix)


def test_the_example_is_right():
    assert check_calibration(good(), (960, 540)) == []
    assert view_angles(good())['height_m'] == pytest.approx(1.687, abs=1e-3)


@pytest.mark.parametrize('name', SAMPLES)
def test_real_cameras_are_left_alone(name):
    matrix, (width, height), distortion = SAMPLES[name]
    camera = CameraCalibration(width, height, np.array(matrix), 'plumb_bob', np.array(distortion), np.array(
        [[0.0, -1, 0, 0], [0, 0, -1, -0.5], [1, 0, 0, -0.5], [0, 0, 0, 1]]), -1.9)
    assert check_calibration(camera) == []


@pytest.mark.parametrize('looks_deg', [0, 45, -90, 120, 180])
def test_a_camera_may_look_anywhere_if_its_file_says_so(looks_deg):
    turn = rotation_z(np.radians(looks_deg))
    camera = good().camera_from_lidar.copy()
    camera[:3, :3] = camera[:3, :3] @ turn.T
    # Seen from any side, the same camera at the same place of a turned car.
    camera = replace(good(), camera_from_lidar=camera, looks_deg=looks_deg)
    assert check_calibration(camera) == []
    finding, = check_calibration(replace(camera, looks_deg=looks_deg + 180))
    assert finding.problem.startswith('the camera does not look')
    remedy = float(finding.advice.partition('looks_deg: ')[2].partition(';')[0])
    assert (remedy - looks_deg + 180) % 360 == pytest.approx(180, abs=1)


def placed(**changes):
    """Return the example with changes of its place."""
    return replace(good(), mounting=replace(good().mounting, **changes))


@pytest.mark.parametrize(('pose', 'problem'), [
    (np.diag([1, 1.05, 1, 1]), 'base_from_lidar is not a rotation'),
    (np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.7], [0, 0, 0, 1]]), 'the lidar frame is not level')])
def test_an_unlikely_place_is_found(pose, problem):
    finding, = check_calibration(placed(base_from_lidar=pose.astype(float)))
    assert finding.problem == problem


def test_cameras_of_one_agent_share_frame_place_and_road():
    others = {'b': replace(good(), camera_frame='rear'), 'c': replace(good(), mounting=None)}
    assert check_rig({'a': good(), **others}) == []
    moved = good().mounting.base_from_lidar + np.eye(4, k=3)
    for other, problem in ((placed(lidar_frame='other'), 'different frames'),
                           (placed(base_from_lidar=moved), 'different places'),
                           (replace(good(), ground_z=-1.5), 'different heights')):
        finding, = check_rig({'a': good(), 'b': other})
        assert finding.problem.startswith('b and a ') and finding.problem.endswith(problem)


def with_matrix(*changes):
    """Return a change of single entries of K."""
    def change(calibration):
        matrix = calibration.matrix.copy()
        for row, column, value in changes:
            matrix[row, column] = value
        return replace(calibration, matrix=matrix)
    return change


MISTAKES = {
    'inverted': (lambda c: replace(c, camera_from_lidar=np.linalg.inv(c.camera_from_lidar)), 'invert the matrix'),
    'transposed rotation': (lambda c: turned(c, c.camera_from_lidar[:3, :3].T), 'invert the matrix'),
    'camera frame with x forward': (lambda c: turned(c, np.eye(3)), 'x forward: use the optical frame'),
    'mirrored': (lambda c: turned(c, np.diag([-1.0, 1, 1]) @ c.camera_from_lidar[:3, :3]), 'wrong sign'),
    'upside down': (lambda c: turned(c, np.diag([-1.0, -1, 1]) @ c.camera_from_lidar[:3, :3]), 'check the axes'),
    'backwards': (lambda c: turned(c, np.diag([-1.0, 1, -1]) @ c.camera_from_lidar[:3, :3]), 'check the axes'),
    'scaled': (lambda c: turned(c, 1.02 * c.camera_from_lidar[:3, :3]), 'as Calibration'),
    'millimetres': (lambda c: replace(c, ground_z=-1900.0), 'metres, not millimetres'),
    'sign of the ground': (lambda c: replace(c, ground_z=1.9), 'mostly negative'),
    'focal length in millimetres': (with_matrix((0, 0, 6.0), (1, 1, 6.0)), 'not in millimetres'),
    'swapped centre': (with_matrix((0, 2, 200.0), (1, 2, 480.0)), 'swapped'),
    'no camera matrix': (with_matrix((0, 0, -500.0)), 'expected [[fx'),
    'distortion of another order': (
        lambda c: replace(c, distortion=np.array([-0.6, -0.5, 0.0, 0.0, 0.0])), 'k1, k2, p1, p2, k3'),
    'unknown distortion': (lambda c: replace(c, distortion_model='magic', distortion=np.ones(3)), 'known are')}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_found_and_the_remedy_named(name):
    change, remedy = MISTAKES[name]
    finding, = check_calibration(change(good()))
    assert remedy in finding.advice


def test_a_pitch_that_hides_the_road_is_found():
    angle = np.radians(60)
    up = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
    calibration = turned(good(), np.linalg.inv(up) @ good().camera_from_lidar[:3, :3])
    problems = [f.problem for f in check_calibration(calibration)]
    assert len(problems) == 1 and ('road' in problems[0] or 'look ahead' in problems[0])


@pytest.mark.parametrize(('old', 'new', 'error'), [
    ('width: 960', 'breadth: 960', 'missing fields: width; unknown fields: breadth'),
    ('ground_z: -1.9', 'ground_z: [1, 2]', "'ground_z' must be one number, but is 2"),
    ('ground_z: -1.9', 'ground_z: low', "'ground_z' does not hold numbers only"),
    ('ground_z: -1.9', 'ground_z: .nan', "'ground_z' holds NaN"),
    ('  - [0.0, 0.0, 1.0]\n', '', "'matrix' must be 3x3, but is 2x3"),
    ('498.435995', '0.0', "'matrix' cannot be inverted"),
    ('width: 960', 'width: 960.5', "'width' must be a number of pixels, but is 960.5"),
    ('lidar_frame: ego/lidar\n', '', 'missing fields: lidar_frame; unknown fields: none'),
    ('lidar_frame: ego/lidar', 'lidar_frame: ""', "'lidar_frame' is empty"),
    ('base_frame: ego/base_link', 'base_frame: 7', "'base_frame' must be a name of at most 64 characters, but is 7"),
    ('0.999991423, 1.789', '0.0, 1.789', "'base_from_lidar' must hold a rotation and a place"),
    ('looks_deg: 0', 'looks_deg: ahead', "'looks_deg' does not hold numbers only"),
    ('base_from_lidar_std: [0.0, 0.0', 'base_from_lidar_std: [-0.1, 0.0', "must not be negative"),
    ('base_from_lidar_std: [0.0, 0.0', 'base_from_lidar_std: [0.0', "'base_from_lidar_std' must be 6, but is 5")])
def test_a_file_with_errors_is_refused_by_field(tmp_path, old, new, error):
    text = EXAMPLE.read_text(encoding='utf-8')
    assert old in text
    path = tmp_path / 'calibration.yaml'
    path.write_text(text.replace(old, new), encoding='utf-8')
    with pytest.raises(UserError) as caught:
        read_calibration(path)
    assert error in str(caught.value)
