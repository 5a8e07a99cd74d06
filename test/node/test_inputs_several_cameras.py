"""Two cameras of one vehicle, with a random network."""

import numpy as np
import pytest
from support.ros_world import START_NS, STEP_NS, EgoWorld, calibration, camera_image, odometry

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Frame, Side
from cooptrack_ros.nodes.inputs.camera_rig import camera_names
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.cameras import decode_calibration
from cooptrack_ros.wire.images import decode_image
from cooptrack_ros.wire.poses import decode_odometry
from cooptrack_ros.wire.tracks import decode_tracks

INPUT = '/ego/ego_node/input'
CONFIG = '''preset: mini
max_cameras: 2
tracker_vehicle: {score_threshold: 0.005, output_threshold: 0.005}
'''
MS = 1_000_000


def rear(lidar_frame: str = 'ego/lidar'):
    """Return a camera of another size that looks along -x."""
    message = calibration(lidar_frame, size=(96, 48))
    message.img_from_lidar = (message.img_from_lidar.reshape(3, 4) @ np.diag([-1.0, -1, 1, 1])).reshape(-1)
    return message


class Pair:
    """A vehicle with a front camera, which is the anchor, and one at the rear."""

    def __init__(self, world, tmp_path, **parameters):
        """Start the node and calibrate both."""
        path = tmp_path / 'two.yaml'
        path.write_text(CONFIG)
        self.package = open_model(f'random:{path}')
        self.world = world
        self.ego = EgoWorld(world, self.package, calibrated=False, cameras='front, rear', fusion__mode='none',
                            **parameters)
        self.detections = world.listen('/ego/ego_node/output/detections', TrackArray)
        world.until_heard(self.ego.node, 'detections')

    def calibrate(self, second=None) -> None:
        """Publish both calibrations."""
        self.world.publish(f'{INPUT}/front/calibration', calibration())
        self.world.publish(f'{INPUT}/rear/calibration', second or rear())
        self.world.until(lambda: self.ego.node.cameras.is_calibrated, 'both calibrations')

    def front(self, ns: int) -> None:
        """Publish a pose and an image of the front camera."""
        self.world.publish(f'{INPUT}/odometry', odometry(ns))
        self._image('front', camera_image(ns))

    def rear(self, ns: int) -> None:
        """Publish an image of the rear camera."""
        self._image('rear', camera_image(ns, (96, 48)))

    def _image(self, name: str, message) -> None:
        counts = self.ego.node.health.counts
        before = counts[f'image.{name}.received']
        self.world.publish(f'{INPUT}/{name}/image/compressed', message)
        self.world.until(lambda: counts[f'image.{name}.received'] > before, f'the image of {name}')

    def answers(self, count: int) -> list[int]:
        """Wait for a number of frames and return their stamps after the start in milliseconds."""
        self.world.until(lambda: len(self.ego.tracks) == count, f'{count} frames')
        stamps = [t.header.stamp for t in self.ego.tracks]
        return [(s.sec * 10**9 + s.nanosec - START_NS) // MS for s in stamps]


def test_a_frame_of_two_cameras_is_what_the_core_makes_of_both(world, tmp_path):
    pair = Pair(world, tmp_path)
    pair.calibrate()
    tracker = pair.package.tracker(Side.VEHICLE)
    state = tracker.initial()
    models = [decode_calibration(m) for m in (calibration(), rear())]
    for step in range(2):
        now = START_NS + step * STEP_NS
        # In either order of arrival.
        for send, ns in ((pair.front, now), (pair.rear, now + 20 * MS))[::1 - 2 * step]:
            send(ns)
        assert pair.answers(step + 1)[-1] == step * 100
        images = tuple(decode_image(camera_image(now, size)) for size in ((64, 32), (96, 48)))
        state, expected = tracker.step(state, Frame(
            '', now, images, np.stack([m.img_from_lidar for m in models]), np.eye(4),
            decode_odometry(odometry(now))[1]))
        world.until(lambda step=step: len(pair.detections) == step + 1, 'detections')
        answered = decode_tracks(pair.detections[step])
        np.testing.assert_array_equal(answered.centre, expected.detections.centre)
        np.testing.assert_array_equal(answered.score, expected.detections.score.astype(np.float32))


def test_a_frame_without_its_second_camera_is_dropped_and_the_next_one_is_not(world, tmp_path):
    pair = Pair(world, tmp_path)
    pair.calibrate()
    pair.front(START_NS)
    # Too far away from either image of the anchor.
    pair.rear(START_NS + 60 * MS)
    pair.front(START_NS + 120 * MS + STEP_NS)
    pair.ego.dropped('image', 'missing_camera')
    pair.rear(START_NS + 110 * MS + STEP_NS)
    assert pair.answers(1) == [220]
    # Late on the way: its frame was given up.
    pair.rear(START_NS)
    pair.front(START_NS + 320 * MS)
    pair.rear(START_NS + 320 * MS)
    assert pair.answers(2) == [220, 320]
    assert pair.ego.node.health.dropped('image', 'missing_camera') == 1


def test_a_bag_that_starts_again_is_followed_from_its_first_frame(world, tmp_path):
    pair = Pair(world, tmp_path)
    pair.calibrate()
    for step in range(15):
        pair.rear(START_NS + 10**10 + step * STEP_NS)
    pair.front(START_NS + 10**10 + 14 * STEP_NS)
    pair.answers(1)
    for step in range(2):
        pair.rear(START_NS + step * STEP_NS)
        pair.front(START_NS + step * STEP_NS)
        assert pair.answers(step + 2)[-1] == step * 100


def test_cameras_must_be_calibrated_to_one_lidar(world, tmp_path):
    pair = Pair(world, tmp_path)
    pair.calibrate(rear('ego/other_lidar'))
    pair.rear(START_NS)
    pair.front(START_NS)
    pair.ego.dropped('image', 'wrong_frame')


def test_missing_calibration_of_one_camera_is_named(world, tmp_path):
    pair = Pair(world, tmp_path)
    world.publish(f'{INPUT}/front/calibration', calibration())
    pair.rear(START_NS)
    pair.front(START_NS)
    pair.ego.dropped('image', 'missing_calibration')
    world.until(lambda: any(f'calibration on {INPUT}/rear/calibration' in s.message
                            for a in pair.ego.diagnostics for s in a.status), 'its topic')


@pytest.mark.parametrize(('text', 'problem'), [
    ('front, rear, left', r"'cameras' names 3 cameras, the model takes at most 2"),
    ('front,front', 'is there twice'), ('front,', "''"), ('front, 2nd', "'2nd'"), ('a/b', "'a/b'")])
def test_unusable_names_are_refused(text, problem):
    with pytest.raises(UserError, match=problem):
        camera_names(text, 2)


def test_too_many_cameras_end_configure_with_a_clear_error(world, capfd):
    ego = EgoWorld(world, calibrated=False, cameras='front,rear')
    assert ego.node.cameras is None
    assert "parameter 'cameras' names 2 cameras, the model takes at most 1" in capfd.readouterr().err
