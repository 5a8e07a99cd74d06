"""Recordings with several roadside units: labels of all, the choice of units, bags."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.recording import read_pairs
from cooptrack_ros.data.dataset import NOBODY
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.data.units import UnitsDataset
from cooptrack_ros.eval.oracle import visible_boxes

UNITS = ('unit_1', 'unit_2')


@pytest.fixture(scope='module')
def scene(scenes):
    """Return a small scene in which each of the two units sees something that nobody else does."""
    return scenes.scene(20008, 1.0, (240, 135), units=2)


def places(record, of=slice(None)) -> set[tuple]:
    """Return class and place of labels, to the millimetre."""
    boxes = record.boxes[of]
    return {(int(label), *np.round(centre, 3)) for label, centre in zip(boxes.label, boxes.centre, strict=True)}


def test_labels_of_all_units_are_those_of_every_unit_together(scene):
    dataset = UnitsDataset(scene)
    records = dataset.records('cooperative')
    partners = dataset.partners(records)
    assert tuple(partners) == UNITS and len(records) >= 8
    for i, record in enumerate(records):
        assert places(record) == places(partners['unit_1'][i]) | places(partners['unit_2'][i])
        assert len(set(record.boxes.track_id.tolist())) == len(record.boxes)
    assert any(places(a) != places(b) for a, b in zip(*partners.values(), strict=True))


def test_with_all_units_sides_are_those_of_the_label_files(scene):
    dataset = UnitsDataset(scene)
    stored = dataset._first.labelled_records(scene / 'cooperative/label')
    for record, raw in zip(dataset.records('cooperative'), stored, strict=True):
        assert record.from_side.tolist() == raw.from_side.tolist()


@pytest.mark.parametrize('unit', UNITS)
def test_a_choice_of_units_keeps_the_labels_and_changes_who_sees_them(scene, unit):
    every, one = UnitsDataset(scene).records('cooperative'), UnitsDataset(scene, [unit])
    hidden = 0
    for whole, record, pair in zip(every, one.records('cooperative'), one.partners(every)[unit], strict=True):
        assert places(record) == places(whole)
        seen = np.asarray(record.from_side != NOBODY, bool)
        assert places(record, seen) == places(pair)
        assert len(visible_boxes(record, 'cooperative')) == seen.sum() <= len(visible_boxes(whole, 'cooperative'))
        assert len(visible_boxes(record, 'vehicle')) == len(visible_boxes(whole, 'vehicle'))
        hidden += (~seen).sum()
    assert hidden > 0


def test_what_is_not_there_is_named(scene, tmp_path):
    with pytest.raises(UserError, match="no roadside unit 'unit_3'; it has unit_1, unit_2"):
        open_datasets([scene], ['unit_3'])
    with pytest.raises(UserError, match="no roadside unit 'unit_1'; it has rsu_1"):
        open_datasets([scene / 'unit_2'], ['unit_1'])
    with pytest.raises(UserError, match='name the folder of one, such as .*unit_1'):
        UnitsDataset(scene).records('infrastructure-side')
    with pytest.raises(UserError, match='several roadside units: records of cooperative for training'):
        UnitsDataset(scene).training_records('cooperative')
    copy = shutil.copytree(scene, tmp_path / 'copy')
    (copy / 'unit_2/cooperative/data_info.json').write_text('[]')
    with pytest.raises(UserError, match=r'unit_2: vehicle frame .* has labels of all units .* no roadside partner'):
        UnitsDataset(copy).records('cooperative')
    shutil.rmtree(copy / 'cooperative')
    with pytest.raises(UserError, match='several roadside units but no .*label'):
        UnitsDataset(copy).records('cooperative')
    assert UnitsDataset(copy).records('vehicle-side', labels=False)


def test_a_folder_may_hold_scenes_with_one_and_with_two_units(scene, tmp_path):
    shutil.copytree(scene, tmp_path / 'seed_2')
    shutil.copytree(scene / 'unit_1', tmp_path / 'seed_1')
    (_, one), (_, two) = open_datasets([tmp_path])
    assert tuple(two.units) == UNITS
    assert one.records('cooperative')[0].infra is not None


def test_a_bag_holds_all_units_and_the_exact_relation_to_each(scene, tmp_path, capsys):
    assert main(['bag', 'convert', str(scene), '-o', str(tmp_path / 'bag')]) == 0
    dataset = UnitsDataset(scene)
    records = dataset.records('cooperative')
    counts = {t.name: t.count for t in describe_bag(tmp_path / 'bag').topics}
    assert describe_bag(tmp_path / 'bag').description['unit'] == 'unit_1,unit_2'
    for name, partners in dataset.partners(records).items():
        pairs = read_pairs(tmp_path / 'bag', name)
        assert counts[f'/infra/{name}/camera/image/compressed'] == len(pairs) == len(records)
        for record in partners:
            pair = pairs[record.stamp_us * 1000]
            assert pair.infra_stamp_ns == record.infra_stamp_us * 1000
            np.testing.assert_array_equal(pair.ego_from_infra, record.ego_from_infra)
    assert main(['bag', 'convert', str(scene), '-o', str(tmp_path / 'other'), '--unit', 'rsu_7']) == 2
    assert 'several roadside units: --unit' in capsys.readouterr().err


def test_archives_beside_data_folders_are_left_alone(scenes, tmp_path):
    source = scenes.scene(20008, 1.0, (240, 135), units=2)
    shutil.copytree(source / 'unit_1', tmp_path / 'seed_000001')
    (tmp_path / 'seed_000001.zip').write_bytes(b'PK')
    (tmp_path / 'seed_000001/unit_1.zip').write_bytes(b'PK')
    assert [path.name for path, _ in open_datasets([tmp_path])] == ['seed_000001']
