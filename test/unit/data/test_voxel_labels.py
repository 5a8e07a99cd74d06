"""Labels of voxels of any data set with point clouds and boxes: resumed, of several units, against exact ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.dataset import CameraFrame, FrameRecord
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.voxels.labels import Job, SequenceLabeller, files_of, jobs, write_missing
from cooptrack_ros.data.voxels.scans import agent_frames
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.label_file import read_voxels, write_voxels

GENERAL, CAR, GROUND, FREE = 0, 1, 4, 5
AHEAD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
GRID = GRIDS['mini'].vehicle


class Scan(SimpleNamespace):
    def read(self):
        return self.points


class InMemory(SimpleNamespace):
    """A data set of a format of its own, of one vehicle without roadside."""

    classes = ('tram', 'car')

    @property
    def units(self):
        return {'none': self}

    def has_side(self, side):
        return side == 'vehicle-side'

    def sequences(self):
        return ['0']

    def records(self, side, sequence=None):
        return self.frames


def in_memory(scans=True):
    """Return a vehicle that drives 1 m a frame past a wall, behind a car that keeps its distance."""
    rng = np.random.default_rng(0)
    frames = []
    for k in range(4):
        floor = np.c_[rng.uniform(-5, 25, 8000), rng.uniform(-6, 6, 8000), np.full(8000, -1.9)]
        wall = np.c_[rng.uniform(-5, 25, 4000), np.full(4000, 6.2), rng.uniform(-1.8, 1.0, 4000)]
        rear = np.c_[np.full(300, 10.0), rng.uniform(-0.9, 0.9, 300), rng.uniform(-1.5, -0.4, 300)]
        cloud = np.c_[np.concatenate([floor, wall, rear]), np.zeros(12300)].astype(np.float32)
        camera = CameraFrame('front', Path('none.jpg'), k, np.array([[400.0, 0, 480], [0, 400, 270], [0, 0, 1]]),
                             AHEAD, np.zeros(5), (960, 540))
        boxes = Boxes(np.array([[12.0, 0, -1.1], [40.0, 5, 0]]), np.array([[4.0, 1.8, 1.6], [9.0, 2.5, 3.0]]),
                      np.zeros(2), np.zeros((2, 2)), np.array([1, 0]), np.ones(2), np.array([0, 8]))
        pose = np.eye(4)
        pose[0, 3] = 1000.0 + k
        frames.append(FrameRecord(
            token=str(k), sequence='0', stamp_us=k * 100_000, cameras=(camera,), ego_from_lidar=np.eye(4),
            global_from_ego=pose, stored_global_from_lidar=pose, side='vehicle-side', classes=InMemory.classes,
            labelled=True, boxes=boxes, point_cloud=Scan(points=cloud) if scans else None))
    return InMemory(root=Path('made'), frames=frames)


def test_any_data_set_with_clouds_and_boxes_gets_labels():
    frames = agent_frames(in_memory(), '0')
    labeller = SequenceLabeller(Job(Path('made'), '0', 'mini'), frames)
    labels = labeller.label(frames[2])

    def at(x, y, z):
        place = tuple(GRID.places(np.array([x, y, z])).astype(int))
        return [int(array[place]) for array in (labels.semantics, labels.instances, labels.mask_camera)]
    assert at(10.1, 0.2, -0.8) == [CAR, 1, 1]
    assert at(20.2, 6.2, 0.5)[0] == GENERAL
    assert at(8.1, 0.2, -1.9)[0] == GROUND
    assert at(8.1, 0.2, -0.5) == [FREE, 0, 1]
    # A tram is no class of voxels; identities begin at 1, also those of track 0.
    assert labels.identity.tolist() == [1] and labels.track_id.tolist() == [0]
    assert not labels.mask_lidar[:, :, 0].any()
    assert [path.as_posix() for path in files_of(frames[2], 'mini')] == ['made/vehicle-side/occupancy/mini/2.npz']


def test_a_sequence_without_clouds_is_refused():
    with pytest.raises(UserError, match="made: sequence '0' has no point clouds"):
        SequenceLabeller(Job(Path('made'), '0', 'mini'), agent_frames(in_memory(scans=False), '0'))


def test_a_sequence_whose_poses_jump_is_refused():
    dataset = in_memory()
    dataset.frames[1].global_from_ego[1, 3] = 9000.0
    with pytest.raises(UserError, match="made: the poses of sequence '0' lie 9.* m apart"):
        SequenceLabeller(Job(Path('made'), '0', 'mini'), agent_frames(dataset, '0'))


@pytest.fixture(scope='module')
def scene(scenes):
    """Return a scene with point clouds and exact labels."""
    return scenes.scene(20006, 0.5, (480, 270), lidar=True, occupancy='mini')


@pytest.fixture
def unlabelled(scene, tmp_path):
    """Return a copy of the scene without labels of voxels."""
    return shutil.copytree(scene, tmp_path / 'scene', ignore=shutil.ignore_patterns('occupancy'))


def test_labels_lie_beside_the_data_are_resumed_and_read_with_it(unlabelled, capsys):
    assert main(['occupancy', 'labels', str(unlabelled), '--grid', 'mini', '--jobs', '1']) == 0
    dataset = open_dataset(unlabelled)
    files = sorted(unlabelled.glob('*/occupancy/mini/*.npz'))
    records = {side: dataset.records(side) for side in ('vehicle-side', 'infrastructure-side', 'cooperative')}
    assert len(files) == len(records['vehicle-side']) + len(records['infrastructure-side'])
    for record in records['vehicle-side'] + records['cooperative']:
        assert record.occupancy == {'mini': unlabelled / f'vehicle-side/occupancy/mini/{record.token}.npz'}
    before = read_voxels(files[3])
    files[3].unlink()
    kept = files[0].stat().st_mtime_ns
    assert f'{len(files)} files written' in capsys.readouterr().out
    assert main(['occupancy', 'labels', str(unlabelled), '--grid', 'mini', '--jobs', '1']) == 0
    assert '1 files written' in capsys.readouterr().out
    assert files[0].stat().st_mtime_ns == kept
    for name, array in vars(read_voxels(files[3])).items():
        assert np.array_equal(array, getattr(before, name)), name


def test_an_object_has_one_identity_on_both_sides(scene):
    frames = agent_frames(open_dataset(scene), '0000')
    pairs = {record.token: record for record in open_dataset(scene).records('cooperative')}
    names = {(f.agent, int(number)): track for f in frames for track, number in zip(f.tracks, f.side_track_id)}
    shared = 0
    for pair in pairs.values():
        for own, other in zip(pair.vehicle_track_id, pair.infra_track_id):
            if own >= 0 and other >= 0:
                assert names['vehicle', int(own)] == names['rsu_1', int(other)]
                shared += 1
    assert shared > 0


def test_labels_agree_with_the_exact_ones(scene, tmp_path, capsys):
    out = tmp_path / 'agreement.json'
    assert main(['occupancy', 'labels', str(scene), '--grid', 'mini', '--compare', '--json', str(out)]) == 0
    shown = capsys.readouterr().out
    assert 'convention strict' in shown and 'grid mini' in shown and 'mask: camera' in shown
    figures = json.loads(out.read_text())
    ious = figures['masks']['camera']['IoU_per_class']
    assert figures['classes'][1] == 'car' and ious['1'] > 0.7 and ious['4'] > 0.5
    assert figures['known_of_camera'] > 0.6
    assert figures['masks']['camera']['OccAQ'] > 0.6
    assert figures['masks']['camera']['OccAQ_per_class']['1'] > 0.5


def test_frames_without_labels_cannot_be_compared(unlabelled, capsys):
    assert main(['occupancy', 'labels', str(unlabelled), '--grid', 'mini', '--compare']) == 2
    assert 'npz is missing: expected labels to compare with' in capsys.readouterr().err
    assert main(['occupancy', 'labels', str(unlabelled), '--grid', 'mini', '--json', 'a.json']) == 2


def test_labels_of_unknown_classes_cannot_be_compared(scene, tmp_path, capsys):
    folder = shutil.copytree(scene, tmp_path / 'scene')
    path = open_dataset(folder).records('vehicle-side')[0].occupancy['mini']
    labels = read_voxels(path)
    write_voxels(path, replace(labels, semantics=labels.semantics + 200))
    assert main(['occupancy', 'labels', str(folder), '--grid', 'mini', '--compare']) == 2
    assert f'{path.name}: a class of voxels is none of 0 to 5' in capsys.readouterr().err


def test_the_vehicle_of_several_units_has_the_same_labels_in_each_folder(tmp_path, scenes):
    folder = shutil.copytree(scenes.scene(20006, 0.5, (64, 36), units=2, lidar=True), tmp_path / 'scene')
    (job,) = jobs([folder], 'mini')
    assert write_missing(job) > 0 and write_missing(job) == 0
    one, two = (sorted((folder / unit / 'vehicle-side/occupancy/mini').iterdir()) for unit in ('unit_1', 'unit_2'))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two] != []
    assert list((folder / 'unit_2/infrastructure-side/occupancy/mini').iterdir())
