"""Files for the Rerun viewer, read back with its own library."""

import json
import sys

import numpy as np
import pytest
from support.ros_world import instances

from cooptrack_ros.cli import main as cli
from cooptrack_ros.common.types import Match, Provenance
from cooptrack_ros.data.bags.merge import merge_answers
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.eval.exchange import ExchangeBuilder
from cooptrack_ros.eval.links import TrackLink
from cooptrack_ros.wire.features import FeatureMeta, encode_instances
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks

HALF_SIZE, PLACE, TEXT = 'HalfSize3D', 'PoseTranslation3D', 'Text'


@pytest.fixture(scope='module')
def scene(scenes):
    return scenes.scene(20001, 0.6, (320, 180))


@pytest.fixture(scope='module')
def records(scene):
    return open_dataset(scene).records('cooperative')


def near(record, count):
    """Return the nearest labelled objects of a frame."""
    return record.boxes[np.argsort(np.hypot(*record.boxes.centre[:, :2].T))[:count]]


@pytest.fixture(scope='module')
def result(scene, records, tmp_path_factory):
    """Return a result file whose frames have 0, 1, 2, ... tracks, the first of each linked to the unit."""
    builder = ExchangeBuilder('mini')
    for count, record in enumerate(records):
        boxes = near(record, count)
        links = [TrackLink(int(boxes.track_id[0]), boxes.centre[0] + [1, 0, 0], 0.75)] if count else []
        builder.add(record, '', boxes, None, links, np.full(count, Provenance.FUSED))
    path = tmp_path_factory.mktemp('result') / 'result.json'
    path.write_text(json.dumps(builder.finish()))
    return path


@pytest.fixture(scope='module')
def recording(scene, records, scenes, tmp_path_factory):
    """Return a bag with the inputs, what a unit sent and tracks: 0, 1, 2, ... in its frames."""
    folder = tmp_path_factory.mktemp('recording')
    with BagWriter(folder / 'answers') as bag:
        for count, record in enumerate(records):
            stamp = 1000 * record.stamp_us
            sent = instances(2)
            meta = FeatureMeta('rsu_1', 1, count, 'm', stamp, 'infra/rsu_1/lidar', 'map',
                               record.infra.global_from_lidar)
            bag.write('/infra/rsu_1/features', encode_instances(sent, meta), stamp + 1000)
            boxes = near(record, count)
            matches = {int(i): Match(int(i), 'rsu_1', 0, int(sent.boxes.track_id[1]), 0.75)
                       for i in boxes.track_id[:1]}
            meta = TrackMeta(stamp, 'ego/lidar', 'cooperative', 'm', 'map', record.global_from_lidar, record.classes)
            message = encode_tracks(boxes, meta, np.zeros(count), np.full(count, 2), matches)
            bag.write('/ego/ego_node/output/tracks', message, stamp + 2000)
    merge_answers(scenes.bag(scene), folder / 'answers', folder / 'bag')
    return folder / 'bag'


class Read:
    """A file as the library reads it: columns of entities by frame."""

    def __init__(self, path):
        """Read all."""
        rerun = pytest.importorskip('rerun')
        archive = rerun.dataframe.load_recording(path)
        self.names = {c.entity_path for c in archive.schema().component_columns()}
        self._table = archive.view(index='frame', contents='/**').select().read_all()
        self.columns = self._table.column_names

    def column(self, entity, component):
        """Return one list for each frame."""
        return self._table.column(f'/{entity}:{component}').to_pylist()


@pytest.fixture(scope='module', params=['result', 'recording'])
def read(request, scene, tmp_path_factory):
    pytest.importorskip('rerun')
    source = request.getfixturevalue(request.param)
    path = tmp_path_factory.mktemp('rrd') / 'out.rrd'
    assert cli.main(['render', str(source), '--rrd', str(path),
                     *(['--data', str(scene)] if request.param == 'result' else [])]) == 0
    return Read(path)


def test_every_frame_has_as_many_boxes_as_tracks_with_their_identities(read, records):
    sizes, texts = read.column('world/tracks', HALF_SIZE), read.column('world/tracks', TEXT)
    assert [len(s) for s in sizes] == list(range(len(records)))
    for count, (record, text) in enumerate(zip(records, texts, strict=True)):
        assert sorted(map(int, text)) == sorted(near(record, count).track_id.tolist())


def test_boxes_stand_in_the_map_around_the_first_place_of_the_vehicle(read, records):
    origin = records[0].global_from_lidar[:3, 3]
    for count, (record, places) in enumerate(zip(records, read.column('world/tracks', PLACE), strict=True)):
        pose = record.global_from_lidar
        expected = near(record, count).centre @ pose[:3, :3].T + pose[:3, 3] - origin
        np.testing.assert_allclose(np.sort(np.reshape(places, (-1, 3)), axis=0), np.sort(expected, axis=0), atol=1e-3)
    ego = np.array(read.column('world/ego', PLACE))[:, 0]
    np.testing.assert_allclose(ego, [r.global_from_lidar[:3, 3] - origin for r in records], atol=1e-3)


def test_links_name_their_affinity_and_units_their_place(read, records):
    assert read.column('world/links', TEXT) == [[], *[['0.75']] * (len(records) - 1)]
    assert read.column('world/units', TEXT) == [['rsu_1']] * len(records)
    assert len(read.column('world/trails', 'LineStrip3D')[-1]) > 0


def test_cameras_of_both_sides_come_with_boxes_in_them(read, records):
    cameras = sorted(n for n in read.names if n.startswith('/cameras/') and n.endswith('/image'))
    assert len(cameras) == 2 and cameras[0] == '/cameras/ego/image'
    assert all(read.column('cameras/ego/image', 'Blob'))
    # A bag may begin before the first image of the unit.
    assert all(read.column(cameras[1][1:], 'Blob')[1:])
    lines = read.column('cameras/ego/tracks', 'LineStrip2D')
    assert not lines[0] and any(lines)


def test_the_time_line_has_the_stamps_of_the_images(read, records):
    stamps = [t.value for t in read._table.column('time')]
    assert stamps == [1000 * r.stamp_us for r in records]


def test_without_the_library_one_line_says_what_to_install(result, scene, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    monkeypatch.delitem(sys.modules, 'rerun.blueprint', raising=False)
    assert cli.main(['render', str(result), '--data', str(scene), '--rrd', str(tmp_path / 'a.rrd')]) == 2
    error = capsys.readouterr().err.strip()
    assert 'pip install' in error and 'rerun-sdk' in error and '\n' not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('more', 'words'), [
    ([], 'expected --output OUT, --rrd OUT.rrd or both'), (['--rrd', '{out}'], 'expected --data DIR')])
def test_what_cannot_be_drawn_is_refused_in_one_line(result, tmp_path, capsys, more, words):
    assert cli.main(['render', str(result), *(w.format(out=tmp_path / 'a.rrd') for w in more)]) == 2
    assert words in capsys.readouterr().err


def test_a_bag_stands_alone_and_needs_tracks(scene, scenes, recording, tmp_path, capsys):
    pytest.importorskip('rerun')
    target = tmp_path / 'a.rrd'
    assert cli.main(['render', str(recording), '--rrd', str(target), '-o', str(tmp_path / 'o')]) == 2
    assert 'is a bag: expected it alone' in capsys.readouterr().err
    assert cli.main(['render', str(scenes.bag(scene)), '--rrd', str(target)]) == 2
    assert 'holds no message on /ego/ego_node/output/tracks' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
