"""Files of labels and of cases: there and back, and what is wrong is named."""

import json

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.occupancy.case_file import measure_case
from cooptrack_ros.occupancy.label_file import VoxelLabels, label_files, label_path, read_voxels, write_voxels
from cooptrack_ros.occupancy.taxonomy import V2X, read_taxonomy

SHAPE = (3, 2, 2)
PARTS = ('gt_sem', 'gt_inst', 'pred_sem', 'pred_inst', 'mask')


def labels():
    rng = np.random.default_rng(1)
    volume = [rng.integers(0, 3, SHAPE).astype(kind) for kind in (np.uint8, np.uint16, np.uint8, np.uint8)]
    return VoxelLabels(*volume, np.array([1, 2]), np.array([70, -1]))


def test_labels_there_and_back(tmp_path):
    path = label_path(tmp_path / 'vehicle-side', 'mini', '000003')
    write_voxels(path, labels())
    for name, array in vars(read_voxels(path)).items():
        assert np.array_equal(array, getattr(labels(), name)) and array.dtype == getattr(labels(), name).dtype
    assert label_files(tmp_path / 'vehicle-side', '000003') == {'mini': path}
    assert label_files(tmp_path / 'vehicle-side', '000004') == {}
    assert set(np.load(path)) >= {'semantics', 'mask_lidar', 'mask_camera', 'instances'}


@pytest.mark.parametrize('write, said', [
    (lambda path: path.write_bytes(b'no archive'), 'cannot be read'),
    (lambda path: path.write_bytes(b''), 'cannot be read'),
    (lambda path: np.savez(path, semantics=np.zeros(SHAPE, int)), 'no array instances'),
    (lambda path: np.savez(path, **{**vars(labels()), 'instances': np.zeros((3, 2, 1), int)}), 'one shape'),
    (lambda path: np.savez(path, **{**vars(labels()), 'instances': np.array([None])}), 'cannot be read'),
    (lambda path: np.savez(path, **{**vars(labels()), 'instances': np.zeros(SHAPE)}), 'whole numbers'),
    (lambda path: path.mkdir(), 'cannot be read')])
def test_a_file_that_holds_no_labels_is_named(tmp_path, write, said):
    path = tmp_path / 'frame.npz'
    write(path)
    with pytest.raises(UserError, match=f'frame.npz.*{said}'):
        read_voxels(path)


def case(**changes):
    return {f'seq0_{part}': np.zeros((1, *SHAPE), np.uint8) for part in PARTS} | changes


@pytest.mark.parametrize('arrays, said', [
    ({}, 'no arrays seq0_gt_sem'), ({'other': np.zeros(1)}, 'it has other'),
    ({k: v for k, v in case().items() if 'mask' not in k}, 'no array seq0_mask'),
    (case(seq0_mask=np.zeros((2, *SHAPE), np.uint8)), 'one shape'),
    (case(seq0_gt_sem=np.zeros((1, *SHAPE))), 'whole numbers'),
    (case(seq0_gt_sem=np.zeros((3, 2), np.uint8)), 'whole numbers'),
    (case(seq0_gt_sem=np.full((1, *SHAPE), 6, np.uint8), seq0_mask=np.ones((1, *SHAPE), np.uint8)), '0 to 5')])
def test_a_case_that_cannot_be_measured_is_named(tmp_path, arrays, said):
    path = tmp_path / 'case.npz'
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=f'case.npz.*{said}'):
        measure_case(path, V2X)


def test_a_missing_case_is_named(tmp_path):
    with pytest.raises(UserError, match='none.npz cannot be read'):
        measure_case(tmp_path / 'none.npz', V2X)


GOOD = {'classes': ['a', 'b', 'free'], 'thing_classes': [1], 'ignored_classes': [], 'free_class': 2}


@pytest.mark.parametrize('change, said', [
    ({'classes': 'abc'}, 'classes'), ({'classes': ['a', 'a', 'free']}, 'classes'), ({'classes': [1, 2]}, 'classes'),
    ({'thing_classes': [3]}, 'thing_classes'), ({'thing_classes': True}, 'thing_classes'),
    ({'ignored_classes': [1]}, 'two kinds'), ({'free_class': 1}, 'free_class'), ({'free_class': None}, 'free_class')])
def test_a_taxonomy_that_cannot_be_is_named(tmp_path, change, said):
    path = tmp_path / 'classes.json'
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(UserError, match=f'classes.json.*{said}'):
        read_taxonomy(path)


@pytest.mark.parametrize('text', ['[]', 'no JSON', None])
def test_a_file_that_is_no_taxonomy_is_named(tmp_path, text):
    path = tmp_path / 'classes.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match='classes.json'):
        read_taxonomy(path)
