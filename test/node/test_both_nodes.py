"""Both nodes with real (random) networks exchange features over DDS, and answer as the core does without ROS."""

import numpy as np
import pytest
from support.configs import sensitive_weights
from support.ros_world import FEATURES, START_NS, STEP_NS, World, calibration, camera_image, odometry, pair

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray, UnitInfo
from cooptrack_ros.common.types import Frame, Side
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.qos import LATCHED
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.cameras import decode_calibration
from cooptrack_ros.wire.features import decode_instances
from cooptrack_ros.wire.images import decode_image
from cooptrack_ros.wire.poses import decode_odometry
from cooptrack_ros.wire.tracks import decode_tracks

FRAMES = 3


@pytest.fixture
def weights(tmp_path):
    """Return the name of random weights with low thresholds."""
    return sensitive_weights(tmp_path)


class Street:
    """A roadside unit and a vehicle in lockstep."""

    def __init__(self, world: World, weights: str, compact: bool = True):
        """Start both nodes and their calibrations."""
        self.world = world
        self.features = world.listen('/infra/rsu_1/features', InstanceFeatureArray, FEATURES)
        self.info = world.listen('/infra/rsu_1/info', UnitInfo, LATCHED)
        self.tracks = world.listen('/ego/ego_node/output/tracks', TrackArray)
        self.detections = world.listen('/ego/ego_node/output/detections', TrackArray)
        self.unit_tracks = world.listen('/infra/rsu_1/roadside_node/output/tracks', TrackArray)
        world.start(RoadsideNode, '/infra/rsu_1', weights=weights, lockstep=True, features__encoding='float32',
                    features__compact=compact)
        self.ego = world.start(EgoNode, '/ego', weights=weights, lockstep=True)
        world.until_heard(self.ego, 'detections')
        world.publish('/infra/rsu_1/roadside_node/input/calibration', calibration('infra/rsu_1/lidar', 'map'))
        world.publish('/ego/ego_node/input/calibration', calibration())

    def frame(self, step: int) -> None:
        """Let both sides process one image."""
        world, now = self.world, START_NS + step * STEP_NS
        world.publish('/infra/rsu_1/roadside_node/input/image/compressed', camera_image(now))
        world.until(lambda: len(self.features) == step + 1, 'features')
        world.publish('/infra/rsu_1/pair', pair(now, now))
        world.publish('/ego/ego_node/input/odometry', odometry(now))
        world.publish('/ego/ego_node/input/image/compressed', camera_image(now))
        world.until(lambda: len(self.tracks) == len(self.detections) == len(self.unit_tracks) == step + 1, 'answers')


@pytest.mark.parametrize('compact', [True, False])
def test_both_nodes_answer_as_the_core_does_without_ros(world, weights, compact):
    street = Street(world, weights, compact)
    for step in range(FRAMES):
        street.frame(step)
    assert [t.mode for t in street.tracks] == ['cooperative'] * FRAMES
    assert street.features[-1].count > 0
    assert [t.infra_count for t in street.tracks] == [f.count for f in street.features]

    package = open_model(weights)
    sender = package.sender()
    roadside, ego = package.tracker(Side.ROADSIDE), package.tracker(Side.COOPERATIVE)
    roadside_state, ego_state = roadside.initial(), ego.initial()
    for step in range(FRAMES):
        now = START_NS + step * STEP_NS
        image, camera = decode_image(camera_image(now)), decode_calibration(calibration())
        frame = Frame('', now, (image,), camera.img_from_lidar[None], np.eye(4), np.eye(4))
        roadside_state, sent = roadside.step(roadside_state, frame)
        received, meta = decode_instances(street.features[step])
        assert meta.compact == compact
        received = sender.complete(received)
        # The unit sends its best 64; identities on the air are its public ones.
        best = np.sort(np.argsort(-sent.instances.boxes.score)[:64])
        np.testing.assert_array_equal(received.semantic, sent.instances.semantic[best])
        # Sums over a few rows and over all queries differ in their order.
        np.testing.assert_allclose(received.position_embedding, sent.instances.position_embedding[best], rtol=0,
                                   atol=1e-5 if compact else 0)
        np.testing.assert_array_equal(received.boxes.centre, sent.instances.boxes.centre[best].astype(np.float32))
        from cooptrack_ros.common.types import RoadsideMessage
        message = RoadsideMessage('rsu_1', now, received, np.eye(4))
        pose = decode_odometry(odometry(now))[1]
        ego_state, expected = ego.step(
            ego_state, Frame('', now, (image,), camera.img_from_lidar[None], np.eye(4), pose), [message])
        answered = decode_tracks(street.detections[step])
        np.testing.assert_array_equal(answered.centre, expected.detections.centre)
        np.testing.assert_array_equal(answered.score, expected.detections.score.astype(np.float32))
        np.testing.assert_array_equal(decode_tracks(street.tracks[step]).centre, expected.tracks.centre[expected.live])


def test_a_unit_announces_itself_and_numbers_its_messages(world, weights):
    street = Street(world, weights)
    for step in range(FRAMES):
        street.frame(step)
    info = street.info[0]
    assert (info.unit_id, info.rate_hz) == ('rsu_1', 10.0)
    assert {f.model_id for f in street.features} == {info.model_id}
    assert {f.feature_dim for f in street.features} == {info.feature_dim}
    assert [f.sequence for f in street.features] == list(range(FRAMES))
    assert len({f.session for f in street.features}) == 1


def test_identities_on_the_air_are_those_of_the_unit_s_own_tracks(world, weights):
    street = Street(world, weights)
    for step in range(FRAMES):
        street.frame(step)
    for features, tracks in zip(street.features, street.unit_tracks, strict=True):
        sent = dict(zip(features.track_ids, np.reshape(features.boxes, (-1, 9))[:, 0], strict=True))
        shown = {t.id: t.pose.position.x for t in tracks.tracks}
        common = sent.keys() & shown.keys()
        assert common
        assert all(abs(sent[i] - shown[i]) < 1e-3 for i in common)


def test_a_clock_that_is_set_back_starts_a_new_session_of_the_unit(world, weights):
    street = Street(world, weights)
    for step in (0, 1):
        street.frame(step)
    world.publish('/infra/rsu_1/roadside_node/input/image/compressed', camera_image(START_NS - 10**9))
    world.until(lambda: len(street.features) == 3, 'features')
    assert street.features[2].session != street.features[1].session
    assert street.features[2].sequence == 0
