"""Both nodes find voxels after their tracks, units send theirs; nodes and offline replay agree."""

from __future__ import annotations

import numpy as np
import pytest
from support.configs import sensitive_weights
from support.fake_voxels import CAR, TrackReader
from support.ros_world import FEATURES, START_NS, STEP_NS, calibration, odometry, pair
from test_offline_replay import FRAMES, bag, noise, start  # noqa: F401

from cooptrack_msgs.msg import Latency, PanopticOccupancy, RoadsideOccupancy
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.outputs.track_output import TrackOutput
from cooptrack_ros.nodes.qos import VOXELS
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.weights.store import ModelPackage, open_model
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.occupancy import decode_occupancy
from cooptrack_ros.wire.topics import occupancy_topic, voxels_topic

UNIT_VOXELS = voxels_topic('/infra/rsu_1/roadside_node')


@pytest.fixture
def events(monkeypatch) -> list[tuple[str, int]]:
    """Give every model a head; return what happens in which order, with the stamp of the frame."""
    seen: list[tuple[str, int]] = []
    publish = TrackOutput.publish

    def noted(self, published):
        publish(self, published)
        seen.append(('tracks', stamp_ns(published.message.header.stamp)))
    monkeypatch.setattr(TrackOutput, 'publish', noted)
    monkeypatch.setattr(ModelPackage, 'occupancy', lambda self, side, device='cpu': TrackReader(side, seen))
    return seen


def content(messages) -> list[tuple]:
    """Return stamp, voxels, classes and identities of messages, in order of time."""
    found = []
    for message in messages:
        voxels, meta = decode_occupancy(message)
        found.append((meta.stamp_ns, meta.lidar_frame, voxels))
    return sorted(found, key=lambda entry: entry[0])


def check_equal(found: list[tuple], expected: list[tuple]) -> None:
    assert [f[:2] for f in found] == [e[:2] for e in expected]
    for (*_, voxels), (*_, others) in zip(found, expected):
        for name in ('index', 'semantics', 'instances'):
            np.testing.assert_array_equal(getattr(voxels, name), getattr(others, name))


def recorded(path, topic) -> list:
    with BagReader(path) as reader:
        return [reader.deserialize(connection, data) for connection, _, data in
                reader.messages([c for c in reader.connections if c.topic == topic])]


@pytest.mark.timeout(300)
def test_nodes_and_offline_replay_find_the_same_voxels(world, bag, events, tmp_path):  # noqa: F811
    weights = sensitive_weights(tmp_path)
    options = {'weights': weights, 'lockstep': True, 'occupancy__enabled': True}
    start(world, RoadsideNode, '/infra/rsu_1', '/infra/rsu_1', **options)
    start(world, EgoNode, '/ego', '/ego', **options)
    ego = world.nodes[-1]
    own, sent = world.listen(voxels_topic(), PanopticOccupancy, VOXELS), world.listen(
        occupancy_topic('rsu_1'), RoadsideOccupancy, FEATURES)
    of_unit = world.listen(UNIT_VOXELS, PanopticOccupancy, VOXELS)
    latencies = world.listen('/ego/ego_node/debug/occupancy_latency', Latency)
    spin = lambda seconds: world.executor.spin_once(timeout_sec=seconds)  # noqa: E731
    with BagWriter(tmp_path / 'recording') as writer:
        collector = Collector(world.probe, ['rsu_1'], writer)
        player = BagPlayer(world.probe, bag, collector, spin, PlayOptions(timeout_s=60.0))
        player.wait_for_nodes()
        player.play_lockstep()
        world.until(lambda: len(own) == len(of_unit) == len(sent) == FRAMES, 'the voxels of a pass')
        collector.settle(spin)
    # Of every frame, the tracks are out before anybody looks for voxels.
    looks = [i for i, (what, _) in enumerate(events) if what == 'voxels']
    assert len(looks) == 2 * FRAMES + 2
    assert all(('tracks', events[i][1]) in events[:i] for i in looks if events[i][1] >= START_NS)
    first = content(own)
    assert sum((v.semantics == CAR).sum() for *_, v in first) > 0
    assert {s for m in latencies for s in m.stages} >= {'head', 'cooperation', 'publish'}
    assert ego.health.counts['occupancy.frames'] == ego.health.counts['occupancy.rsu_1.received'] == FRAMES
    filled = ego._pipeline.voxels.receivers['rsu_1'].health.values()
    assert (int(filled['occupancy.frames']), int(filled['occupancy.voxels']) > 0) == (FRAMES, True)
    check_equal(content(recorded(tmp_path / 'recording', voxels_topic())), first)

    with BagWriter(tmp_path / 'offline') as writer:
        result = OfflineReplay(bag, open_model(weights), OfflineOptions(occupancy=True), writer).run()
    assert result['occupancy'] == {voxels_topic(): FRAMES, UNIT_VOXELS: FRAMES, occupancy_topic('rsu_1'): FRAMES}
    assert result['occupancy_bytes'] > 0
    check_equal(content(recorded(tmp_path / 'offline', voxels_topic())), first)
    check_equal(content(recorded(tmp_path / 'offline', UNIT_VOXELS)), content(of_unit))


def test_a_looped_bag_finds_the_same_voxels_under_the_same_identities(events, tmp_path):
    weights, step_ns = sensitive_weights(tmp_path), 3 * STEP_NS
    with BagWriter(tmp_path / 'loop') as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        writer.write('/infra/rsu_1/camera/calibration', calibration('infra/rsu_1/lidar', 'map'), START_NS, LATCHED)
        for log_ns in (START_NS, START_NS + 10**10):
            for i in range(FRAMES):
                now, at = START_NS + i * step_ns, log_ns + i * step_ns
                writer.write('/ego/odometry', odometry(now), at)
                writer.write('/infra/rsu_1/pair', pair(now, now), at)
                writer.write('/infra/rsu_1/camera/image/compressed', noise(now), at)
                writer.write('/ego/camera/image/compressed', noise(now), at + 1)
    with BagWriter(tmp_path / 'offline') as writer:
        OfflineReplay(tmp_path / 'loop', open_model(weights), OfflineOptions(occupancy=True), writer).run()
    found = [content([m]) for m in recorded(tmp_path / 'offline', voxels_topic())]
    assert len(found) == 2 * FRAMES
    assert sum(len(np.unique(v.instances)) for ((*_, v),) in found) > FRAMES
    for first, second in zip(found, found[FRAMES:]):
        check_equal(second, first)
