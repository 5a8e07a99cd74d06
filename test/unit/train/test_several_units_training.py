"""Training on folders with several roadside units: each gives recordings of its own."""

from dataclasses import replace

import numpy as np
import pytest
from test_run import TINY, recipe

from cooptrack_ros.common.types import InstanceSet, Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.data.synth import generate
from cooptrack_ros.train import run
from cooptrack_ros.train.clips import ClipStream
from cooptrack_ros.train.feature_flow_stage import timelines
from cooptrack_ros.train.recipe import LinkConfig

UNITS = ('unit_1', 'unit_2')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Return a folder with a small scene that two units see."""
    folder = tmp_path_factory.mktemp('scenes')
    generate(folder / 'seed_000702', 20008, 0.6, size=(160, 90), units=2)
    return [folder]


def sent(opened):
    """Return a message for each frame of each unit, as many instances as it has labels."""
    (folder, dataset), = opened
    messages = {}
    for unit, part in dataset.units.items():
        for record in part.records('infrastructure-side'):
            empty = InstanceSet.empty(TINY.embed_dims)
            rows = {name: np.zeros((len(record.boxes), *getattr(empty, name).shape[1:]), np.float32)
                    for name in vars(empty) if name != 'boxes'}
            messages[f'{folder.name}/{unit}', record.token] = InstanceSet(record.boxes, **rows)
    return messages


def samples(stream):
    """Return all frames of a stream once."""
    positions, found = stream.positions(0), []
    while len(found) < stream.num_frames:
        found.append(stream.sample(0, next(positions)))
    return found


def test_every_unit_gives_pairs_of_its_own_with_the_labels_of_the_pair(data):
    opened, settings = open_datasets(data), replace(recipe('mini-cooperative', 1), batch_size=1, link=LinkConfig())
    messages = sent(opened)
    found = samples(ClipStream(opened, Side.COOPERATIVE, TINY, settings, messages))
    assert {s.message.unit_id for s in found} == set(UNITS)
    (folder, dataset), = opened
    for sample in found:
        unit = sample.message.unit_id
        assert sample.inputs.stamped_pose.sequence.startswith(f'{folder.name}/{unit}/')
        pair, = (r for r in dataset.units[unit].records('cooperative')
                 if r.infra_stamp_us * 1000 == sample.message.stamp_ns)
        np.testing.assert_array_equal(sample.message.ego_from_infra, pair.ego_from_infra)
        assert sample.message.instances is messages[f'{folder.name}/{unit}', pair.infra_token]
        assert set(sample.targets.ids.tolist()) <= set(pair.boxes.track_id.tolist())


def test_the_vehicle_is_seen_once_and_each_unit_for_itself(data):
    opened, settings = open_datasets(data), replace(recipe('mini-vehicle', 1), batch_size=1)
    (_, dataset), = opened
    own = ClipStream(opened, Side.VEHICLE, TINY, settings).num_frames
    assert own == ClipStream([(data[0], dataset.units['unit_1'])], Side.VEHICLE, TINY, settings).num_frames
    units = [ClipStream([(data[0], dataset.units[u])], Side.ROADSIDE, TINY, settings).num_frames for u in UNITS]
    assert ClipStream(opened, Side.ROADSIDE, TINY, settings).num_frames == sum(units) > max(units)


def test_the_flow_learns_from_the_messages_of_each_unit(data):
    opened = open_datasets(data)
    assert len(timelines(opened, sent(opened))) == len(UNITS)


def test_a_cooperative_run_trains_on_several_units(data, tmp_path):
    settings, cache = recipe('mini-vehicle', 1), tmp_path / 'messages'
    for side in (Side.VEHICLE, Side.ROADSIDE):
        stage, stream = run.tracking_run(TINY, settings, side, data)
        loop = run.train(stage, stream, TINY, settings, tmp_path / side.value, None)
        run.export(tmp_path / 'model', stage, settings, loop, data)
    package = run.open_model(str(tmp_path / 'model'))
    reported = []
    messages = run.collect_messages(package, data, cache, reported.append)
    assert [line.rpartition(' ')[2] for line in reported] == [f'seed_000702/{unit}' for unit in UNITS]
    assert run.collect_messages(package, data, cache, reported.append).keys() == messages.keys() and len(reported) == 2
    settings = recipe('mini-cooperative', 1)
    stage, stream = run.tracking_run(TINY, settings, Side.COOPERATIVE, data, [tmp_path / 'vehicle'], messages)
    assert run.train(stage, stream, TINY, settings, tmp_path / 'cooperative', None).step == 1
