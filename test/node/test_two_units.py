"""Two roadside units: lockstep gives what the evaluation gives, and recorded features meet a live tracker."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from support.ros_world import World
from test_offline_replay import numbers, start

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.cli.main import main
from cooptrack_ros.data.bags.merge import merge_features
from cooptrack_ros.data.bags.recording import read_recording
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.data.units import UnitsDataset
from cooptrack_ros.demo.results import exchange
from cooptrack_ros.eval.result_files import read_exchange
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.replay.collector import Collector, fused_units
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.topics import tracks_topic

UNITS = ['unit_1', 'unit_2']
FRAMES = 3


@pytest.fixture(scope='module')
def scene(scenes) -> Path:
    """Give a scene in which both units send something that the vehicle can use."""
    return scenes.scene(20008, 0.5, (240, 135), units=2)


@pytest.fixture(scope='module')
def bag(scenes, scene) -> Path:
    """Give the scene as a bag."""
    return scenes.bag(scene)


@pytest.fixture(scope='module')
def offline(bag, tmp_path_factory) -> Path:
    """Give what the core without nodes answers the bag."""
    path = tmp_path_factory.mktemp('two') / 'offline'
    # As the nodes do: the last bits depend on it.
    torch.set_num_threads(1)
    with BagWriter(path) as writer:
        result = OfflineReplay(bag, open_model('mini'), OfflineOptions('cooperative', FRAMES), writer).run()
    assert list(result['fused']) == UNITS
    return path


def player(world: World, bag: Path, collector: Collector) -> BagPlayer:
    """Return a player whose nodes are all there."""
    result = BagPlayer(world.probe, bag, collector, spin(world), PlayOptions(timeout_s=60.0, limit=FRAMES))
    result.wait_for_nodes()
    return result


def spin(world: World):
    """Return what lets callbacks run for at most so many seconds."""
    return lambda seconds: world.executor.spin_once(timeout_sec=seconds)


@pytest.fixture
def lockstep(world, bag, tmp_path) -> Path:
    """Give what two roadside nodes and an ego node answer the bag in lockstep."""
    for unit in UNITS:
        start(world, RoadsideNode, f'/infra/{unit}', f'/infra/{unit}', unit_id=unit, lockstep=True)
    start(world, EgoNode, '/ego', '/ego', infra_units=','.join(UNITS), fusion__mode='cooperative', lockstep=True)
    with BagWriter(tmp_path / 'lockstep') as writer:
        collector = Collector(world.probe, UNITS, writer, with_detections=True)
        player(world, bag, collector).play_lockstep()
        collector.settle(spin(world))
    return tmp_path / 'lockstep'


@pytest.mark.timeout(300)
def test_lockstep_with_two_units_gives_the_tracks_of_the_evaluation(lockstep, offline, scene, tmp_path):
    online, core = read_recording(lockstep, UNITS[1]), read_recording(offline, UNITS[1])
    assert len(online.tracks) == FRAMES and online.tracks.keys() == core.tracks.keys()
    assert sum(len(f.tracks) for f in online.tracks.values()) > 0
    for stamp, frame in online.tracks.items():
        np.testing.assert_array_equal(numbers(core.tracks[stamp].tracks), numbers(frame.tracks))
        np.testing.assert_array_equal(numbers(core.detections[stamp]), numbers(online.detections[stamp]))
    assert main(['eval', '--data', str(scene), '--mode', 'cooperative', '--limit', str(FRAMES), '--threads', '1',
                 '--results', str(tmp_path), '--json', str(tmp_path / 'figures.json')]) == 0
    measured = read_exchange(tmp_path / 'cooperative.json')
    assert all(u['fused_per_frame'] > 0 for u in json.loads((tmp_path / 'figures.json').read_text())['units'].values())
    published = exchange('lockstep', online, UnitsDataset(scene).records('cooperative')[:FRAMES])
    same_boxes(measured['detections'], published['detections'])
    same_tracks(list(measured['predictions'].values()), list(published['predictions'].values()))


def same_boxes(measured: dict, published: dict) -> None:
    """Check that all boxes of all frames are the same, but for the precision of poses and messages."""
    assert measured.keys() == published.keys()
    for token, rows in measured.items():
        for name, tolerance in (('translation', 1e-3), ('size', 1e-3), ('score', 1e-4)):
            np.testing.assert_allclose([r[name] for r in rows], [r[name] for r in published[token]], atol=tolerance)
        assert [r['name'] for r in rows] == [r['name'] for r in published[token]]


def same_tracks(measured: list[list[dict]], published: list[list[dict]]) -> None:
    """
    Check that every published track is a measured one, always under the same identity, and that none is missing.

    The evaluation also counts what is reported in a single frame; what it has in the next frame, too, was live.
    """
    known: dict[str, str] = {}
    assert any(published)
    for i, rows in enumerate(published):
        for row in rows:
            twins = [m for m in measured[i] if np.allclose(m['translation'], row['translation'], atol=1e-3)]
            assert len(twins) == 1 and known.setdefault(row['tracking_id'], twins[0]['tracking_id']) == \
                twins[0]['tracking_id']
        if i + 1 < len(measured):
            lasting = {m['tracking_id'] for m in measured[i]} & {m['tracking_id'] for m in measured[i + 1]}
            assert lasting <= {known[row['tracking_id']] for row in rows}
    assert len(set(known.values())) == len(known)


def test_recorded_features_of_both_units_meet_a_live_tracker_in_real_time(world, bag, offline, tmp_path):
    merge_features(bag, offline, tmp_path / 'features', ahead_ns=0)
    # However slow the machine is: a pose comes shortly after its image and is waited for.
    start(world, EgoNode, '/ego', '/ego', infra_units=','.join(UNITS), fusion__mode='cooperative',
          odometry__tolerance_ms=5000.0)
    node, answers = world.nodes[-1], world.listen(tracks_topic(), TrackArray)
    played = player(world, tmp_path / 'features', Collector(world.probe, UNITS))
    images = [e.stamp_ns for e in played.entries() if e.topic == '/ego/camera/image/compressed']
    report = played.play_rate()
    assert (report.ego_images, report.unit_images) == (FRAMES, {})
    # Images may be passed over for newer ones, but never the last.
    world.until(lambda: any(stamp_ns(m.header.stamp) == images[FRAMES - 1] for m in answers), 'the last answer')
    assert answers[-1].mode == 'cooperative'
    assert all(node.health.counts[f'{unit}.received'] > 0 for unit in UNITS)
    fused = Counter(unit for message in answers for unit in fused_units(message))
    assert sorted(fused) == UNITS


def test_the_command_plays_features_in_place_of_roadside_images(bag, offline, tmp_path):
    out = tmp_path / 'again'
    assert main(['replay', str(bag), '--offline', '--mode', 'cooperative', '--features', str(offline), '--limit',
                 str(FRAMES), '--record', str(out), '--json', str(tmp_path / 'counts.json')]) == 0
    counts = json.loads((tmp_path / 'counts.json').read_text())
    assert counts['unit_images'] == {} and list(counts['fused']) == UNITS
    first, again = read_recording(offline, UNITS[0]), read_recording(out, UNITS[0])
    for stamp, frame in first.tracks.items():
        np.testing.assert_array_equal(numbers(again.tracks[stamp].tracks), numbers(frame.tracks))
