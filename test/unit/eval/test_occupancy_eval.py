"""Occupancy over data: what baselines make of the same frames, which voxels count, and what is written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.small_tracker import MANY, make_frame, make_tracker
from support.small_voxels import (  # noqa: F401
    GRID,
    PROFILE,
    SHAPE,
    SMALL_CONFIG,
    TRACKER_SIZES,
    VoxelRecords,
    block_labels,
    small_grid,
)

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Boxes, Match, RoadsideMessage, Side
from cooptrack_ros.cooperation.limits import Limits
from cooptrack_ros.cooperation.voxels.fill import UnitVoxels
from cooptrack_ros.cooperation.voxels.identities import UNIT_FIRST_ID
from cooptrack_ros.eval.occupancy import report
from cooptrack_ros.eval.occupancy.arms import (
    FilledBoxes,
    FilledByUnits,
    FoundFrame,
    MatchedQueries,
    TrackedBoxes,
    arms_of,
    renamed,
)
from cooptrack_ros.eval.occupancy.run import Measured, TrackedSource, masks_of, measure
from cooptrack_ros.eval.occupancy.sight import seen_by_units
from cooptrack_ros.eval.occupancy.units import UnitHeads, packed_bytes
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.model.occupancy.head import MaskOutput, OccupancyHead
from cooptrack_ros.occupancy.label_file import label_path, write_voxels
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.tracking.panoptic import PanopticFrame, PanopticReader
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.weights.store_parts import save_occupancy

pytestmark = pytest.mark.usefixtures('small_grid')


def found_frame(blocks, index, feats=None, boxes=None) -> FoundFrame:
    """Return a frame of blocks, see ``block_labels``, whose queries have features (N, C)."""
    labels, ids = block_labels(blocks), torch.tensor([b[0] for b in blocks])
    feats = torch.eye(8)[:len(blocks)] if feats is None else feats
    none = torch.zeros(1)
    output = MaskOutput(none, none, none, feats[None], none, none)
    volume = Volume(labels.semantics, labels.instances.astype(np.int64))
    frame = make_frame(index)
    return FoundFrame(PanopticFrame(volume, output, ids), boxes, frame.global_from_lidar, frame.stamp_ns)


def ids_at(volume, *places):
    return [int(volume.instances[place]) for place in places]


def test_boxes_of_masks_are_followed_whatever_the_head_called_them():
    arm = TrackedBoxes(PROFILE, GRID)
    first = arm.volume(found_frame([(5, 1, 20, 23, 14, 16), (6, 3, 8, 9, 20, 21)], 0))
    second = arm.volume(found_frame([(6, 1, 20, 23, 14, 16), (1, 3, 8, 9, 20, 21)], 1))
    places = (21, 15, 1), (8, 20, 1)
    assert ids_at(first, *places) == ids_at(second, *places) and 0 not in ids_at(first, *places)
    np.testing.assert_array_equal(first.semantics, found_frame([(5, 1, 20, 23, 14, 16), (6, 3, 8, 9, 20, 21)],
                                                               0).panoptic.volume.semantics)


def test_a_mask_far_from_all_is_somebody_new():
    arm = TrackedBoxes(PROFILE, GRID)
    first = arm.volume(found_frame([(5, 3, 8, 9, 20, 21)], 0))
    second = arm.volume(found_frame([(5, 3, 28, 29, 4, 5)], 1))
    assert ids_at(first, (8, 20, 1)) != ids_at(second, (28, 4, 1))


def test_queries_that_are_alike_are_the_same_thing():
    arm, turned = MatchedQueries(PROFILE, GRID), torch.eye(8)[[1, 0]]
    first = arm.volume(found_frame([(5, 1, 20, 23, 14, 16), (6, 1, 8, 10, 20, 22)], 0))
    second = arm.volume(found_frame([(5, 1, 20, 23, 14, 16), (6, 1, 8, 10, 20, 22)], 1, turned))
    places = (21, 15, 1), (8, 20, 1)
    assert ids_at(second, *places) == ids_at(first, *places)[::-1]
    third = arm.volume(found_frame([(5, 1, 20, 23, 14, 16), (6, 1, 8, 10, 20, 22), (7, 3, 2, 3, 2, 3)], 2))
    assert len({*ids_at(third, *places, (2, 2, 1))}) == 3


def test_frames_without_things_are_legal():
    for arm in (TrackedBoxes(PROFILE, GRID), MatchedQueries(PROFILE, GRID)):
        assert not arm.volume(found_frame([], 0)).instances.any()
        assert arm.volume(found_frame([(5, 1, 20, 23, 14, 16)], 1)).instances.any()
        assert not arm.volume(found_frame([], 2)).instances.any()


def test_filled_boxes_take_the_place_of_masks():
    centre = GRID.centres(np.array([21.0, 14.5, 1.5]))
    boxes = Boxes(centre[None], np.array([[9.0, 6.0, 3.9]]), np.zeros(1), np.zeros((1, 2)), np.array([1]), np.ones(1),
                  np.array([77]))
    found = FilledBoxes(PROFILE, GRID).volume(found_frame([(5, 1, 2, 5, 2, 4)], 0, boxes=boxes))
    assert np.unique(found.instances).tolist() == [0, 77] and (found.semantics[:, :, 0] == 4).all()


def test_units_fill_what_the_vehicle_does_not_see_under_the_identity_of_the_fused_track():
    own = found_frame([(5, 1, 20, 23, 14, 16)], 0)
    volume = block_labels([(8, 1, 20, 23, 14, 16), (9, 1, 4, 6, 4, 6)])
    voxels = Occupied.of(Volume(volume.semantics, volume.instances.astype(np.int64)), V2X)
    tracker = make_tracker(Side.ROADSIDE, MANY, SMALL_CONFIG)
    instances = tracker.step(tracker.initial(), make_frame(0))[1].instances[:1]
    # Both grids lie alike, so the unit stands where the lower corner of its grid is that of the vehicle's.
    shift = np.eye(4)
    shift[0, 3] = GRID.origin[0] - PROFILE.roadside_x
    message = RoadsideMessage('rsu', own.stamp_ns, instances, shift)
    found = replace(own, matches=(Match(5, 'rsu', 0, 8, 1.0),), units=(UnitVoxels(message, own.stamp_ns, voxels),))
    filled = FilledByUnits(PROFILE, GRID, Limits.of(SMALL_CONFIG)).volume(found)
    assert ids_at(filled, (21, 15, 1)) == [5] and ids_at(filled, (4, 4, 1))[0] >= UNIT_FIRST_ID
    assert set(np.unique(filled.instances)) == {0, 5, *ids_at(filled, (4, 4, 1))}


def test_the_voxels_of_units_are_found_once_for_every_frame_of_theirs():
    # These weights find things and stuff in all of the grid; a message of a few voxels is mostly its head.
    torch.manual_seed(5)
    head = OccupancyHead(SMALL_CONFIG, TRACKER_SIZES)
    torch.nn.init.constant_(head.cls.bias, 2.0)
    reader = PanopticReader(head, SMALL_CONFIG, Side.ROADSIDE)
    heads = UnitHeads(make_tracker(Side.ROADSIDE, MANY, SMALL_CONFIG), reader)
    pairs = [SimpleNamespace(sequence='a', infra_token=str(k), infra_stamp_us=100_000 * k,
                             frame=lambda side, least=None, k=k: make_frame(k)) for k in (0, 1, 1)]
    data = SimpleNamespace(partners=lambda records: {'rsu': pairs})
    found = heads.voxels(data, [])
    assert sorted(found) == [('rsu', 0), ('rsu', 100_000_000)]
    assert all(0 < packed_bytes(voxels, SHAPE) < 7 * len(voxels) + 1 for voxels in found.values())


def test_things_without_a_new_name_lose_theirs():
    volume = renamed(found_frame([(5, 1, 20, 23, 14, 16), (6, 1, 8, 10, 20, 22)], 0).panoptic.volume, {5: 1})
    assert np.unique(volume.instances).tolist() == [0, 1]


def test_only_a_box_tracker_has_boxes_to_fill():
    assert list(arms_of('own', None)) == ['own', 'ab3dmot', 'minvis']
    assert list(arms_of('tracker', None)) == ['tracker', 'ab3dmot', 'minvis', 'boxes']
    limits = Limits.of(SMALL_CONFIG)
    assert list(arms_of('tracker', limits)) == ['tracker', 'cooperative', 'ab3dmot', 'minvis', 'boxes']


def test_masks_tell_seen_known_and_hidden_apart():
    labels = block_labels([(3, 1, 20, 23, 14, 16)])
    labels.mask_lidar[0] = labels.mask_camera[0] = 0
    masks = masks_of(labels)
    assert masks['known'].sum() == 31 * 32 * 4 and masks['camera'].sum() == 31 * 32 * 3
    assert masks['hidden_from_ego'].sum() == 31 * 32


def test_what_units_see_is_told_by_their_own_labels(tmp_path):
    labels = block_labels([])
    # The unit sees one column of voxels, which is that of the vehicle whose index in x is higher by ten.
    labels.mask_camera[:], labels.mask_camera[4, 6, :2] = 0, 1
    path = label_path(tmp_path, 'small', 'u1')
    write_voxels(path, labels)
    shift = np.eye(4)
    shift[0, 3] = GRID.origin[0] - PROFILE.roadside_x + 10 * GRID.voxel[0]
    pairs = [SimpleNamespace(sequence='a', infra_token=token, ego_from_infra=shift) for token in ('u1', 'u2')]
    unit = SimpleNamespace(records=lambda side: [SimpleNamespace(sequence='a', token='u1', occupancy={'small': path})])
    data = SimpleNamespace(units={'rsu': unit}, partners=lambda records: {'rsu': pairs})
    first, second = seen_by_units(data, pairs, PROFILE)
    assert np.argwhere(first).tolist() == [[14, 6, 0], [14, 6, 1]] and second is None
    hidden = block_labels([])
    hidden.mask_camera[14, 6, 0] = 0
    assert np.argwhere(masks_of(hidden, first)['unit_only']).tolist() == [[14, 6, 0]]
    assert 'unit_only' not in masks_of(hidden, second)


def test_the_truth_itself_has_full_marks_in_every_table():
    labels = block_labels([(3, 1, 20, 23, 14, 16)])
    measured = Measured(V2X, ['tracker'])
    for _ in range(2):
        measured.add('a', labels, {'tracker': Volume(labels.semantics, labels.instances)})
    figures = report.figures_of(measured, 'small', None)
    assert figures['strict']['OccSTQ'] == 1.0 and figures['sequences'] == 1 and figures['frames'] == 2
    assert 0.24 < figures['occupied_share'] < 0.27
    text = '\n'.join(str(table.title) for table in report.tables(figures))
    assert 'convention strict, grid small, classes general, car' in text and 'convention released' in text
    json.dumps(figures)


@pytest.fixture
def source():
    torch.manual_seed(3)
    head = OccupancyHead(SMALL_CONFIG, TRACKER_SIZES)
    torch.nn.init.constant_(head.cls.bias, 2.0)
    tracker = make_tracker(Side.VEHICLE, MANY, SMALL_CONFIG)
    return TrackedSource(tracker, PanopticReader(head, SMALL_CONFIG, Side.VEHICLE))


class Recorded(VoxelRecords):
    """A data set as the evaluation takes it."""

    def __init__(self, folder, count):
        """Take the frames that have labels."""
        super().__init__(folder, count)
        self.root, self.records_ = folder, self.records[:-1]
        self.records = lambda side, sequence=None: self.records_

    def sequences(self, split=None):
        """Return the only one."""
        return ['a']

    def partners(self, records):
        """Return no unit."""
        return {}


def test_all_arms_are_measured_on_the_same_frames(tmp_path, source):
    measured = measure(source, [(tmp_path, Recorded(tmp_path, 4))], Selection())
    results = measured.results()
    assert list(results) == ['tracker', 'ab3dmot', 'minvis', 'boxes'] and measured.frames == 3
    # Who is who changes nothing about classes.
    sq = [results[arm]['camera']['strict']['OccSQ'] for arm in ('tracker', 'ab3dmot', 'minvis')]
    assert sq[0] == sq[1] == sq[2] is not None
    # Nobody knows what units see.
    assert results['tracker']['unit_only']['strict']['OccSTQ'] is None


def test_arms_that_nobody_asks_for_are_not_measured(tmp_path, source):
    measured = measure(source, [(tmp_path, Recorded(tmp_path, 2))], Selection(), only=('tracker', 'boxes'))
    assert list(measured.results()) == ['tracker', 'boxes']


def test_frames_without_labels_are_named(tmp_path, source):
    data = Recorded(tmp_path, 4)
    data.records_[1].occupancy = {}
    with pytest.raises(UserError, match='frame 1 of sequence a has no labels of voxels of the grid small'):
        measure(source, [(tmp_path, data)], Selection())


@pytest.mark.parametrize(('options', 'complaint'), [
    (['--mode', 'late'], 'has the modes none, no_messages, cooperative, vehicle, roadside'),
    (['--errors'], '--errors is for --task tracking')])
def test_options_of_the_other_task_are_refused(options, complaint, tmp_path, capsys):
    assert main(['eval', '--task', 'occupancy', '--data', str(tmp_path), *options]) == 2
    assert complaint in capsys.readouterr().err


@pytest.fixture
def recorded(tmp_path, scenes):
    """Return a data set with labels of the small grid, and a model with a head for it."""
    data, model = tmp_path / 'seed_020001', tmp_path / 'model'
    shutil.copytree(scenes.scene(20001, 0.6, (160, 90)), data)
    for image in (data / 'vehicle-side' / 'image').iterdir():
        write_voxels(label_path(data / 'vehicle-side', 'small', image.stem), block_labels([(3, 1, 20, 23, 14, 16)]))
    torch.manual_seed(3)
    head = OccupancyHead(SMALL_CONFIG, TRACKER_SIZES)
    torch.nn.init.constant_(head.cls.bias, 2.0)
    save_side(model, SMALL_CONFIG, Side.VEHICLE, make_tracker(Side.VEHICLE, MANY, SMALL_CONFIG).network, {})
    save_occupancy(open_model(str(model)), Side.VEHICLE, head, {})
    return data, model


def test_figures_of_voxels_are_made_again(tmp_path, recorded, capsys):
    data, model = recorded
    path = tmp_path / 'voxels.json'
    command = ['eval', '--task', 'occupancy', '--data', str(data), '--weights', str(model), '--mode', 'none']
    assert main([*command, '--limit', '1', '--json', str(path)]) == 0
    figures = json.loads(path.read_text())
    assert figures['frames'] == 1 and figures['options']['task'] == 'occupancy'
    moved = data.rename(tmp_path / 'moved')
    capsys.readouterr()
    assert main(['eval', '--rerun', str(path), '--data', str(moved)]) == 0
    assert ' figures are equal, 0 different' in capsys.readouterr().out
    figures['arms']['minvis']['camera']['strict']['OccSQ'] += 0.1
    path.write_text(json.dumps(figures))
    assert main(['eval', '--rerun', str(path), '--data', str(moved)]) == 1
    assert 'none arms.minvis.camera.strict.OccSQ: different' in capsys.readouterr().out
