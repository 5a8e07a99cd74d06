"""The core without nodes answers a bag as the nodes do in lockstep."""

from array import array
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from support.configs import TINY, sensitive_weights
from support.ros_world import FEATURES, SIZE, START_NS, STEP_NS, World, calibration, camera_image, odometry, pair
from test_foreign_units import objects

from cooptrack_msgs.msg import InstanceFeatureArray, Track, TrackArray
from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.method_config import TrackerConfig
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.recording import read_recording
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.serialized import read_message
from cooptrack_ros.wire.topics import EGO_NODE, features_topic, tracks_topic

FRAMES = 3
LATER_NS = 20_000_000
"""How much later the unit takes its images: the vehicle must wait for them."""


@pytest.fixture
def weights(tmp_path) -> str:
    """Return the name of random weights with low thresholds."""
    return sensitive_weights(tmp_path)


def noise(ns: int):
    """Return an image that is different at every time."""
    message = camera_image(ns)
    pixels = np.random.default_rng(ns % 2**32).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    message.data = array('B', cv2.imencode('.jpg', pixels)[1].tobytes())
    return message


@pytest.fixture
def bag(tmp_path) -> Path:
    """Give a bag of a vehicle and one unit."""
    path = tmp_path / 'bag'
    with BagWriter(path) as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        writer.write('/infra/rsu_1/camera/calibration', calibration('infra/rsu_1/lidar', 'map'), START_NS, LATCHED)
        for i in range(FRAMES):
            now, later = START_NS + i * STEP_NS, START_NS + i * STEP_NS + LATER_NS
            writer.write('/ego/odometry', odometry(now), now)
            writer.write('/infra/rsu_1/pair', pair(now, later), now)
            writer.write('/ego/camera/image/compressed', noise(now), now)
            writer.write('/infra/rsu_1/camera/image/compressed', noise(later), later)
    return path


def start(world: World, node_class: type, namespace: str, prefix: str, **parameters) -> None:
    """Start a node as the launch files do, with its inputs mapped to the topics of a bag."""
    images = [f'image/{transport}' for transport in ('compressed', 'ffmpeg', 'foxglove')]
    names = {n: f'camera/{n}' for n in (*images, 'camera_info', 'calibration')} | {'odometry': 'odometry'}
    mapped = [word for ours, theirs in names.items() for word in ('-r', f'~/input/{ours}:={prefix}/{theirs}')]
    node = node_class(context=world.context, namespace=namespace, use_global_arguments=False,
                      cli_args=['--ros-args', *mapped],
                      parameter_overrides=[Parameter(k.replace('__', '.'), value=v) for k, v in parameters.items()])
    world.nodes.append(node)
    world.executor.add_node(node)
    assert node.autostart()


def numbers(boxes: Boxes) -> np.ndarray:
    """Return everything about boxes as one array."""
    return np.column_stack([boxes.centre, boxes.size, boxes.yaw, boxes.velocity, boxes.label, boxes.score,
                            boxes.track_id])


@pytest.mark.parametrize(('mode', 'confirm_only'), [('auto', ''), ('late', ''), ('auto', 'rsu_1')])
def test_the_core_answers_a_bag_as_the_nodes_do_in_lockstep(world, bag, weights, tmp_path, mode, confirm_only):
    start(world, RoadsideNode, '/infra/rsu_1', '/infra/rsu_1', weights=weights, lockstep=True)
    start(world, EgoNode, '/ego', '/ego', weights=weights, lockstep=True, fusion__mode=mode,
          fusion__confirm_only=confirm_only)
    world.listen(features_topic('rsu_1'), InstanceFeatureArray, FEATURES)
    answers = world.listen(tracks_topic(), TrackArray)
    player_options = PlayOptions(timeout_s=60.0)
    with BagWriter(tmp_path / 'lockstep') as writer:
        collector = Collector(world.probe, ['rsu_1'], writer, with_detections=True)
        spin = lambda seconds: world.executor.spin_once(timeout_sec=seconds)  # noqa: E731
        player = BagPlayer(world.probe, bag, collector, spin, player_options)
        player.wait_for_nodes()
        player.play_lockstep()
        collector.settle(spin)
    with BagWriter(tmp_path / 'offline') as writer:
        result = OfflineReplay(bag, open_model(weights), OfflineOptions(mode, confirm_only=confirm_only), writer).run()
    assert (result['tracks'], result['features']) == (FRAMES, {features_topic('rsu_1'): FRAMES})
    online, offline = read_recording(tmp_path / 'lockstep'), read_recording(tmp_path / 'offline')
    assert len(online.tracks) == len(answers) == FRAMES
    assert online.tracks.keys() == offline.tracks.keys()
    assert sum(len(f.tracks) for f in online.tracks.values()) > 0
    for stamp, frame in online.tracks.items():
        assert offline.tracks[stamp].mode == frame.mode
        np.testing.assert_array_equal(numbers(offline.tracks[stamp].tracks), numbers(frame.tracks))
        np.testing.assert_array_equal(offline.tracks[stamp].provenance, frame.provenance)
        np.testing.assert_array_equal(numbers(offline.detections[stamp]), numbers(online.detections[stamp]))
    for stamp, sent in online.features.items():
        np.testing.assert_array_equal(numbers(offline.features[stamp].boxes), numbers(sent.boxes))


def test_the_command_writes_counts_and_needs_no_node(bag, weights, tmp_path, capsys):
    command = ['replay', str(bag), '--weights', weights, '--json', str(tmp_path / 'out.json')]
    assert main([*command, '--offline', '--mode', 'none', '--limit', '2']) == 0
    assert "2 images, 2 answers" in capsys.readouterr().out
    assert (tmp_path / 'out.json').is_file()
    assert main(command) == 2
    assert '--weights, --mode, --confirm-only and --occupancy belong to --offline' in capsys.readouterr().err
    assert main([*command, '--offline', '--confirm-only', 'rsu_9']) == 2
    assert "rsu_9, which is not among the units that are listened to (rsu_1)" in capsys.readouterr().err


@pytest.mark.parametrize('mode', ['auto', 'late'])
def test_a_unit_that_may_only_confirm_adds_no_tracks(bag, tmp_path, mode):
    # Nearly all queries of these weights live on as tracks; what a unit adds needs places, and must not be seen, too:
    # the decoder is less sure than the refinement heads.
    weights = sensitive_weights(tmp_path, tracker_cooperative=TrackerConfig(0.0165, 0.0165),
                                method=replace(TINY.method, learned_floor=0.0))

    def roadside_tracks(confirm_only):
        path = tmp_path / f'only_{confirm_only}'
        with BagWriter(path) as writer:
            OfflineReplay(bag, open_model(weights), OfflineOptions(mode, confirm_only=confirm_only), writer).run()
        return sum(int((f.provenance == Track.ROADSIDE).sum()) for f in read_recording(path).tracks.values())
    assert roadside_tracks('') > 0 == roadside_tracks('rsu_1')


def test_units_that_do_not_run_our_network_are_fused_from_a_bag(weights, tmp_path):
    path = tmp_path / 'others'
    with BagWriter(path) as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        for now in (START_NS + i * STEP_NS for i in range(FRAMES)):
            writer.write('/ego/odometry', odometry(now), now)
            writer.write('/infra/bus_7/tracked_objects', objects(now), now)
            writer.write('/ego/camera/image/compressed', noise(now), now)
    with BagWriter(tmp_path / 'answers') as writer:
        result = OfflineReplay(path, open_model(weights), OfflineOptions('late'), writer).run()
    assert result['modes'] == {'late': FRAMES} and not result['dropped'][EGO_NODE]
    with BagReader(tmp_path / 'answers') as reader:
        answers = [read_message(data, TrackArray) for connection, _, data in reader.messages(reader.connections)
                   if connection.topic == tracks_topic()]
    assert [(answer.has_infra, answer.infra_count) for answer in answers] == [(True, 1)] * FRAMES


def test_a_bag_that_cannot_be_read_is_named(bag, weights, tmp_path):
    path = tmp_path / 'odd'
    with BagWriter(path) as writer:
        topic, broken = '/ego/camera/image/compressed', b'\0\1\0\0' + b'\xff' * 9
        writer.write_serialized(topic, 'sensor_msgs/msg/CompressedImage', broken, START_NS)
    with pytest.raises(UserError, match=f'a message on {topic} is no CompressedImage'):
        OfflineReplay(path, open_model(weights), OfflineOptions()).run()
    next(bag.glob('*.mcap')).write_bytes(b'no bag')
    with pytest.raises(UserError, match='cannot be read as a ROS 2 bag'):
        OfflineReplay(bag, open_model(weights), OfflineOptions()).run()


def test_images_without_pose_are_dropped_and_counted(tmp_path, weights):
    path = tmp_path / 'bag'
    with BagWriter(path) as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        writer.write('/ego/camera/image/compressed', camera_image(START_NS), START_NS)
    result = OfflineReplay(path, open_model(weights), OfflineOptions()).run()
    assert (result['ego_images'], result['tracks']) == (1, 0)
    assert result['dropped'] == {'/ego/ego_node': {'dropped.image.missing_pose': 1}}
