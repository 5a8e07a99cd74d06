"""Poses from odometry, from PoseStamped and from /tf."""

import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from std_msgs.msg import Header
from support.ros_world import START_NS, STEP_NS, EgoWorld, calibration, camera_image, odometry, stamp
from tf2_ros import TransformBroadcaster

from cooptrack_msgs.msg import TrackArray

INPUT = '/ego/ego_node/input'


def pose(ns: int, frame: str = 'map') -> PoseStamped:
    """Return the pose of a vehicle that drives along +x."""
    message = PoseStamped(header=Header(stamp=stamp(ns), frame_id=frame))
    message.pose.position.x = (ns - START_NS) / 1e9
    message.pose.orientation.w = 1.0
    return message


def transform(ns: int) -> TransformStamped:
    """Return the same as transform."""
    message = TransformStamped(header=Header(stamp=stamp(ns), frame_id='map'), child_frame_id='ego/base_link')
    message.transform.translation.x = (ns - START_NS) / 1e9
    message.transform.rotation.w = 1.0
    return message


def place(answer: TrackArray) -> float:
    """Return where the vehicle was along x."""
    return answer.map_from_lidar[3]


def test_poses_are_interpolated_at_the_stamp_of_the_image(world):
    ego = EgoWorld(world, pose__source='pose')
    for ns in (START_NS + 60_000_000, START_NS + 140_000_000):
        world.publish(f'{INPUT}/pose', pose(ns))
    world.until(lambda: ego.node.health.counts['pose.received'] == 2, 'the poses')
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS + STEP_NS))
    world.until(lambda: ego.tracks, 'tracks')
    assert place(ego.tracks[0]) == pytest.approx(0.1, abs=1e-9)


def test_a_pose_that_comes_a_little_late_leaves_the_others(world):
    ego = EgoWorld(world, pose__source='pose')
    for ns in (START_NS + 60_000_000, START_NS + 140_000_000, START_NS + 139_000_000):
        world.publish(f'{INPUT}/pose', pose(ns))
    world.until(lambda: ego.node.health.counts['pose.late'] == 1, 'the late pose')
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS + STEP_NS))
    world.until(lambda: ego.tracks, 'tracks')
    assert place(ego.tracks[0]) == pytest.approx(0.1, abs=1e-9)


def test_poses_of_another_clock_are_described(world):
    ego = EgoWorld(world, pose__source='pose')
    for ns in (START_NS + 7200 * 10**9, START_NS + 3600 * 10**9):
        world.publish(f'{INPUT}/pose', pose(ns))
    world.until(lambda: ego.node.health.counts['pose.jump'] == 1, 'the jump')
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS))
    ego.dropped('image', 'missing_pose')
    world.until(lambda: any('3600.000 s ahead' in s.message and 'stamps ran back 1' in s.message
                            for a in ego.diagnostics for s in a.status), 'the reason')


def test_transforms_are_looked_up_at_the_stamp_of_the_image(world):
    ego = EgoWorld(world, pose__source='tf', odometry__tolerance_ms=5000.0)
    broadcaster = TransformBroadcaster(world.probe)
    world.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0, 'the listener')
    broadcaster.sendTransform(transform(START_NS + 60_000_000))
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS + STEP_NS))
    world.until(lambda: ego.node.health.counts['image.received'] == 1, 'the image')
    # The worker waits for the transform after the image.
    broadcaster.sendTransform(transform(START_NS + 140_000_000))
    world.until(lambda: ego.tracks, 'tracks')
    assert place(ego.tracks[0]) == pytest.approx(0.1, abs=1e-9)


def test_image_without_a_transform_is_dropped_not_placed_at_the_origin(world):
    ego = EgoWorld(world, pose__source='tf', odometry__tolerance_ms=10.0)
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS))
    ego.dropped('image', 'missing_pose')
    world.until(lambda: any("'ego/base_link'" in s.message for a in ego.diagnostics for s in a.status), 'the frame')
    assert not ego.tracks


def test_transforms_follow_a_bag_that_starts_again(world):
    ego = EgoWorld(world, pose__source='tf', odometry__tolerance_ms=5000.0)
    broadcaster = TransformBroadcaster(world.probe)
    world.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0, 'the listener')

    def frame(ns: int) -> TrackArray:
        """Publish an image and the pose of its stamp."""
        broadcaster.sendTransform(transform(ns))
        answers = len(ego.tracks)
        world.publish(f'{INPUT}/image/compressed', camera_image(ns))
        world.until(lambda: len(ego.tracks) > answers, 'tracks')
        return ego.tracks[-1]
    assert place(frame(START_NS + 30 * 10**9)) == pytest.approx(30.0)
    # Older than what the tree of frames remembers: it is cleared with the first image of the second pass.
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS))
    world.until(lambda: ego.node.health.counts['time_jumps'] == 1, 'the jump')
    broadcaster.sendTransform(transform(START_NS))
    world.until(lambda: len(ego.tracks) == 2, 'tracks')
    assert place(frame(START_NS + STEP_NS)) == pytest.approx(0.1)


@pytest.mark.parametrize('seconds', [4, 12], ids=['within the memory of the tree', 'beyond it'])
def test_the_second_pass_of_a_looped_bag_gives_the_same_tracks(world, seconds):
    ego = EgoWorld(world, pose__source='tf', lockstep=True, lockstep_timeout=5.0)
    broadcaster = TransformBroadcaster(world.probe)
    world.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0, 'the listener')
    passes, step_ns = [], 2 * STEP_NS
    for _ in range(2):
        for ns in range(START_NS, START_NS + seconds * 10**9, step_ns):
            # As a bag has them: before its image comes a transform that is older, and one that is younger.
            broadcaster.sendTransform(transform(ns - 30_000_000))
            broadcaster.sendTransform(transform(ns + 30_000_000))
            answers = len(ego.tracks)
            world.publish(f'{INPUT}/image/compressed', camera_image(ns))
            world.until(lambda answers=answers: len(ego.tracks) > answers, 'tracks')
        passes.append(ego.tracks[-(seconds * 10**9 // step_ns):])
    assert passes[0] == passes[1]
    assert place(passes[0][-1]) == pytest.approx(seconds - 0.2)
    assert ego.node.health.counts['time_jumps'] == 1
    assert not ego.node.health.dropped('image', 'missing_pose')


@pytest.mark.parametrize(('frame', 'child'), [('odom', 'ego/base_link'), ('map', 'ego/imu')])
def test_odometry_of_other_frames_is_refused_by_name(world, frame, child):
    ego = EgoWorld(world)
    message = odometry(START_NS)
    message.header.frame_id, message.child_frame_id = frame, child
    world.publish(f'{INPUT}/odometry', message)
    world.publish(f'{INPUT}/image/compressed', camera_image(START_NS))
    ego.dropped('image', 'missing_pose')
    world.publish(f'{INPUT}/odometry', message)
    ego.dropped('odometry', 'wrong_frame')
    wrong = f"'{frame if frame != 'map' else child}'"
    world.until(lambda: any(wrong in s.message for a in ego.diagnostics for s in a.status), 'the frame by name')


def test_odometry_must_fit_the_base_frame_of_the_parameter(world):
    ego = EgoWorld(world, calibrated=False, base_frame='ego/rear_axle')
    world.publish(f'{INPUT}/odometry', odometry(START_NS))
    ego.dropped('odometry', 'wrong_frame')


def test_pose_in_another_map_is_refused(world):
    ego = EgoWorld(world, pose__source='pose')
    world.publish(f'{INPUT}/pose', pose(START_NS, 'odom'))
    ego.dropped('pose', 'wrong_frame')


def test_what_is_missing_is_named(world):
    ego = EgoWorld(world, pose__source='pose')
    world.publish(f'{INPUT}/calibration', calibration())
    world.until(lambda: any(f'poses on {INPUT}/pose' in s.message for a in ego.diagnostics for s in a.status), 'it')
