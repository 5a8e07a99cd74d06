"""What does not depend on the format of a data set: records of several sensors, class names, opening."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import project_points
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.dataset import CameraFrame, FrameRecord, in_classes, recordings
from cooptrack_ros.data.folders import open_dataset, open_datasets

INTRINSIC = np.array([[40.0, 0.0, 32.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]])
AHEAD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
BACK = AHEAD @ np.diag([-1.0, -1, 1, 1])
POINTS = np.array([[10.0, 2.0, 1.0], [20.0, -5.0, -1.0]])


@pytest.fixture
def record(tmp_path):
    """Return a record of a vehicle with a camera to the front and one of another size to the back."""
    cameras = []
    for name, pose, grey, size in (('front', AHEAD, 40, (64, 32)), ('back', BACK, 90, (80, 48))):
        path = tmp_path / f'{name}.jpg'
        cv2.imwrite(str(path), np.full((*size[::-1], 3), grey, np.uint8))
        cameras.append(CameraFrame(name, path, 1_000_000, INTRINSIC, pose, np.zeros(5)))
    boxes = Boxes(np.array([[10.0, 0, 0]]), np.ones((1, 3)), np.zeros(1), np.zeros((1, 2)), np.zeros(1, np.int64),
                  np.ones(1), np.array([4]))
    return FrameRecord(
        token='1', sequence='0', stamp_us=1_000_100, cameras=tuple(cameras), ego_from_lidar=np.eye(4),
        global_from_ego=np.eye(4), stored_global_from_lidar=np.eye(4), side='vehicle-side', classes=('tram',),
        labelled=True, boxes=boxes, from_side=np.array([''], object), infra_track_id=np.array([-1]))


class OneRecord(SimpleNamespace):
    """A data set of one vehicle frame, in no format of a file."""

    def has_side(self, side):
        return side == 'vehicle-side'

    def records(self, side, sequence=None):
        return [self.record]


def test_a_frame_has_the_images_of_all_cameras_with_their_projections(record):
    frame = record.frame()
    assert [image.shape for image in frame.images] == [(32, 64, 3), (48, 80, 3)]
    assert [int(image.mean()) for image in frame.images] == [40, 90]
    assert frame.stamp_ns == 1_000_100_000 and record.image_stamp_us == 1_000_000
    np.testing.assert_array_equal(frame.img_from_lidar, [camera.img_from_lidar for camera in record.cameras])


@pytest.mark.parametrize('least', [None, (10, 10)])
def test_a_calibration_for_images_of_another_size_fits_the_image(record, least):
    camera = record.cameras[0]
    image, projection = replace(camera, size=(128, 128)).read(least)
    expected, _ = project_points(camera.img_from_lidar, POINTS)
    scale = np.array([image.shape[1] / 128, image.shape[0] / 128])
    np.testing.assert_allclose(project_points(projection, POINTS)[0], expected * scale, atol=1e-9)
    np.testing.assert_array_equal(replace(camera, size=(64, 32)).read()[1], camera.img_from_lidar)


def test_a_bag_has_every_camera_under_its_name(record, tmp_path):
    data = OneRecord(record=record, root=Path('made'), split={'val': ['0']}, options={}, units={'pole': None})
    convert(data, '0', tmp_path / 'bag')
    topics = {topic.name: topic.count for topic in describe_bag(tmp_path / 'bag').topics}
    for name in ('front', 'back'):
        for kind in ('image/compressed', 'camera_info', 'calibration'):
            assert topics[f'/ego/camera_{name}/{kind}'] == 1


def test_labels_are_matched_by_name_and_unknown_classes_left_out():
    boxes = Boxes(np.arange(12.0).reshape(4, 3), np.ones((4, 3)), np.zeros(4), np.zeros((4, 2)),
                  np.array([0, 1, 2, 1]), np.ones(4), np.arange(4))
    found = in_classes(boxes, ('car', 'tram', 'pedestrian'), ('pedestrian', 'dog', 'car'))
    assert found.label.tolist() == [2, 0] and found.track_id.tolist() == [0, 2]
    assert len(in_classes(Boxes.empty(), ('car',), ('tram',))) == 0
    same = in_classes(boxes, ('a', 'b', 'c'), ('a', 'b', 'c'))
    assert same.label.tolist() == boxes.label.tolist() and same.label.dtype == boxes.label.dtype


@pytest.mark.parametrize('exists', [True, False])
def test_a_folder_of_no_known_format_is_named_with_what_was_expected(tmp_path, exists, capsys):
    folder = tmp_path / 'photos'
    if exists:
        folder.mkdir()
    with pytest.raises(UserError, match='photos .*expected in it are .*unit_1.*vehicle-side/data_info.json'):
        open_datasets([folder])
    assert main(['bag', 'convert', str(folder), '-o', str(tmp_path / 'bag')]) == 2
    assert str(folder) in capsys.readouterr().err


def test_one_unit_is_a_recording_under_the_name_of_the_folder(tmp_path):
    dataset = SimpleNamespace()
    dataset.units = {'rsu_1': dataset}
    several = SimpleNamespace(units={'a': dataset, 'b': dataset})
    opened = [(tmp_path / 'x', dataset), (tmp_path / 'y', several)]
    assert [name for name, _ in recordings(opened, 'vehicle-side')] == ['x', 'y']
    assert [name for name, _ in recordings(opened, 'cooperative')] == ['x', 'y/a', 'y/b']


def test_the_name_of_the_only_unit_is_that_of_its_records(tmp_path):
    from spd_folders import golden, write_folder

    from cooptrack_ros.data.spd.reader import SpdDataset
    root = write_folder(tmp_path, golden('dataset'))
    pair = SpdDataset(root, unit='pole').records('cooperative', '0000')[0]
    assert pair.unit == 'pole' and pair.side == 'cooperative' and pair.occupancy == {}
    assert open_dataset(root).records('vehicle-side', '0000')[0].unit == ''
    assert list(open_dataset(root).units) == ['rsu_1']
