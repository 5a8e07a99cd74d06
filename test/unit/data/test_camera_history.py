"""Images and calibrations of a data set that cannot belong together are refused, unlikely ones are named once."""

import cv2
import numpy as np
import pytest
from support.spd_folders import golden, write_folder

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.camera_history import CameraHistory
from cooptrack_ros.data.spd.reader import SpdDataset

SIZE = 1920, 1080
MATRIX = np.array([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]])
INTRINSICS = 'vehicle-side/calib/camera_intrinsic/'


def folder(tmp_path, change=lambda content: None, size=SIZE, odd=None):
    """Write a folder with images of a size; the vehicle's image ``odd`` is half as large."""
    content = golden('dataset')
    change(content)
    root = write_folder(tmp_path / 'data', content)
    for side in ('vehicle-side', 'infrastructure-side'):
        (root / side / 'image').mkdir()
        for i in range(29):
            scale = 2 if side == 'vehicle-side' and i == odd else 1
            image = np.full((size[1] // scale, size[0] // scale), i, np.uint8)
            cv2.imwrite(str(root / f'{side}/image/{i:06d}.jpg'), image)
    return root


def refuse(root, tmp_path, text):
    """Check that whoever decodes the images refuses them, and the conversion to a bag, which does not."""
    with pytest.raises(UserError, match=text):
        [record.frame() for record in SpdDataset(root).records('cooperative', '0000')]
    with pytest.raises(UserError, match=text):
        convert(SpdDataset(root), '0000', tmp_path / 'bag')


def test_scaled_images_with_the_calibration_of_the_whole_ones_are_refused(tmp_path):
    refuse(folder(tmp_path, size=(960, 540)), tmp_path,
           r'vehicle-side/image/\d+.jpg \(960x540\).*principal point.*of 960.*another size')


def test_one_image_of_another_size_is_refused(tmp_path):
    refuse(folder(tmp_path, odd=3), tmp_path,
           r'vehicle-side/image/000003.jpg is an image of 960x540, but .*00000\d.jpg of the same camera of 1920x1080')


def test_a_matrix_by_columns_is_refused(tmp_path):
    def by_columns(content):
        for name, file in content.items():
            if name.startswith(INTRINSICS):
                file['cam_K'] = np.reshape(file['cam_K'], (3, 3)).T.ravel().tolist()
                file.pop('P', None)
    refuse(folder(tmp_path, by_columns), tmp_path, r'vehicle-side/image/\d+.jpg.*no camera matrix.*last row \[9')


def test_what_is_only_unlikely_is_named_once_for_a_camera(tmp_path, caplog):
    history = CameraHistory()
    for i in range(3):
        history.check(tmp_path / f'{i}.jpg', SIZE, MATRIX + [[0, 0, 550 + i], [0, 0, 0], [0, 0, 0]], None)
    message, = caplog.messages
    assert '0.jpg (1920x1080)' in message and 'cx 1510.0 of 1920' in message


def test_images_of_any_size_fit_a_calibration_that_says_for_which_it_is(tmp_path, caplog):
    history = CameraHistory()
    for size in (SIZE, (960, 540), (480, 270)):
        history.check(tmp_path / '0.jpg', size, MATRIX, SIZE)
    assert not caplog.messages
    with pytest.raises(UserError, match='no camera matrix'):
        history.check(tmp_path / '0.jpg', SIZE, MATRIX.T, SIZE)
