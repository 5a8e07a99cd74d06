"""A car with four cameras and a drone with five, through real nodes in lockstep, with a random network."""

from __future__ import annotations

import numpy as np
from support.configs import sensitive_weights
from support.griffin_folders import CAMERAS, drone_pose, matrix, write_griffin
from support.ros_world import FEATURES
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray
from cooptrack_ros.common.config import MINI_GRIFFIN
from cooptrack_ros.common.types import RoadsideMessage, Side
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.qos import LOCKSTEP_INPUT
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.features import decode_instances
from cooptrack_ros.wire.serialized import read_message
from cooptrack_ros.wire.tracks import decode_tracks

FRAMES = 3
DRONE, CAR = '/infra/drone', '/ego'


def test_a_flying_partner_and_several_cameras_give_what_the_core_gives(world, tmp_path):
    data = open_dataset(write_griffin(tmp_path / 'data'))
    sequence = data.sequences()[0]
    convert(data, sequence, tmp_path / 'bag')
    weights = sensitive_weights(tmp_path, max_cameras=MINI_GRIFFIN.max_cameras, ego_range=MINI_GRIFFIN.ego_range,
                                infra_range=MINI_GRIFFIN.infra_range)
    features = world.listen(f'{DRONE}/features', InstanceFeatureArray, FEATURES)
    tracks = world.listen(f'{CAR}/ego_node/output/tracks', TrackArray)
    detections = world.listen(f'{CAR}/ego_node/output/detections', TrackArray)
    markers = {agent: world.listen(f'{agent}/output/markers', MarkerArray)
               for agent in (f'{CAR}/ego_node', f'{DRONE}/roadside_node')}
    transforms = world.listen('/tf', TFMessage, LOCKSTEP_INPUT)
    common = {'weights': weights, 'lockstep': True}
    world.start(RoadsideNode, DRONE, unit_id='drone', cameras=','.join(CAMERAS['drone-side']),
                cameras__topics=f'{DRONE}/camera_{{name}}', features__encoding='float32', **common)
    ego = world.start(EgoNode, CAR, remapped='~/input/odometry:=/ego/odometry', infra_units='drone',
                      cameras=','.join(CAMERAS['vehicle-side']), cameras__topics=f'{CAR}/camera_{{name}}', **common)
    world.until_heard(ego, 'detections')
    player = BagPlayer(
        world.probe, tmp_path / 'bag', Collector(world.probe, ['drone']),
        lambda seconds: world.executor.spin_once(timeout_sec=seconds), PlayOptions(timeout_s=60.0, limit=FRAMES))
    player.wait_for_nodes()
    report = player.play_lockstep()
    world.until(lambda: min(map(len, (tracks, detections, *markers.values()))) >= FRAMES, 'all answers')
    assert (report.ego_images, report.unit_images['drone'] >= FRAMES) == (FRAMES, True)

    package, records = open_model(weights), data.records('cooperative', sequence)[:FRAMES]
    sender, roadside, vehicle = package.sender(), package.tracker(Side.ROADSIDE), package.tracker(Side.COOPERATIVE)
    roadside_state, state = roadside.initial(), vehicle.initial()
    for step, record in enumerate(records):
        received, meta = decode_instances(features[step])
        np.testing.assert_allclose(meta.map_from_lidar, matrix(drone_pose(step)), atol=1e-9)
        roadside_state, sent = roadside.step(roadside_state, record.frame('infrastructure'))
        assert len(received) and tracks[step].mode == 'cooperative' and tracks[step].infra_count == len(received)
        best = np.sort(np.argsort(-sent.instances.boxes.score)[:64])
        np.testing.assert_allclose(received.semantic, sent.instances.semantic[best], atol=1e-5)
        message = RoadsideMessage('drone', record.infra_stamp_us * 1000, sender.complete(received),
                                  record.ego_from_infra)
        state, expected = vehicle.step(state, record.frame(), [message])
        answered = decode_tracks(detections[step])
        np.testing.assert_allclose(answered.centre, expected.detections.centre, atol=1e-3)
        np.testing.assert_allclose(answered.score, expected.detections.score, atol=1e-4)
    for agent, frame in ((f'{CAR}/ego_node', 'ego/lidar'), (f'{DRONE}/roadside_node', 'infra/drone/lidar')):
        shown = [m for array in markers[agent] for m in array.markers if m.action == Marker.ADD]
        assert frame in {m.header.frame_id for m in shown}
    moved = [t.transform.translation.x for message in transforms for t in message.transforms
             if t.child_frame_id == 'infra/drone/lidar']
    np.testing.assert_allclose(moved[:FRAMES], [drone_pose(step)['x'] for step in range(FRAMES)])

    # And the same without nodes.
    with BagWriter(tmp_path / 'answers') as writer:
        OfflineReplay(tmp_path / 'bag', package, OfflineOptions(limit=FRAMES), writer).run()
    recorded = read_topic(tmp_path / 'answers', f'{CAR}/ego_node/output/detections')
    for answered, alone in zip(detections[:FRAMES], recorded, strict=True):
        np.testing.assert_array_equal(decode_tracks(answered).centre, decode_tracks(alone).centre)


def read_topic(bag, topic):
    """Return the messages of a topic of a bag."""
    with BagReader(bag) as reader:
        wanted = [c for c in reader.connections if c.topic == topic]
        return [read_message(data, TrackArray) for _, _, data in reader.messages(wanted)]
