"""Inputs are chosen where only one choice is reasonable; otherwise all candidates are named."""

import pytest

from cooptrack_ros.nodes.auto.choice import choose
from cooptrack_ros.nodes.auto.facts import (
    CALIBRATION,
    CAMERA_INFO,
    COMPRESSED,
    FEATURES,
    IMAGE,
    ODOMETRY,
    POINTS,
    POSE,
    Seen,
    TopicFacts,
)


def topic(name, kind, count=50, **details):
    return TopicFacts(name, kind, count, count / 5, **details)


OURS = (topic('/ego/camera/image/compressed', COMPRESSED, frame='cam'),
        topic('/ego/camera/calibration', CALIBRATION, 1, frame='cam', base='base'),
        topic('/ego/odometry', ODOMETRY, frame='map', base='base'),
        topic('/infra/rsu_1/camera/image/compressed', COMPRESSED), topic('/infra/rsu_1/features', FEATURES, 0))
DRIVER = (topic('/front/image_raw', IMAGE, frame='front', reliability='best_effort'),
          topic('/front/camera_info', CAMERA_INFO, frame='front', has_distortion=True),
          topic('/odom', ODOMETRY, frame='odom', base='base_link'))
FRAMES = ('map', 'base_link', 'velodyne_top', 'front')


def replaced(topics, name, *others):
    """Return topics with others in place of one."""
    rest = [t for t in topics if t.name != name]
    assert len(rest) < len(topics)
    return (*rest, *others)


def what(choice):
    """Return what was not clear."""
    return [u.what for u in choice.unclear]


def test_our_own_names_are_chosen_with_what_the_parameters_must_be():
    choice = choose(Seen(OURS))
    assert choice.unclear == []
    assert choice.remappings == {
        '~/input/image/compressed': '/ego/camera/image/compressed', '~/input/calibration': '/ego/camera/calibration',
        '~/input/camera_info': '/ego/camera/camera_info', '~/input/odometry': '/ego/odometry'}
    assert choice.parameters == {
        'image.transport': 'compressed', 'cameras': '', 'camera.source': 'calibration', 'pose.source': 'odometry',
        'infra_units': 'rsu_1', 'map_frame': 'map', 'image.qos': 'reliable'}


def test_a_camera_driver_is_chosen_with_the_frames_of_tf():
    choice = choose(Seen(DRIVER, FRAMES, has_clock=True))
    assert choice.unclear == []
    assert choice.remappings == {'~/input/image': '/front/image_raw', '~/input/camera_info': '/front/camera_info',
                                 '~/input/odometry': '/odom'}
    assert choice.parameters == {
        'image.transport': 'raw', 'cameras': '', 'camera.source': 'camera_info', 'lidar_frame': 'velodyne_top',
        'image.rectified': False, 'pose.source': 'odometry', 'infra_units': '', 'map_frame': 'odom',
        'base_frame': 'base_link', 'image.qos': 'sensor_data', 'use_sim_time': True}
    assert any(line.startswith('units') and 'none' in line for line in choice.lines)


REAR = (topic('/rear/image_raw', IMAGE, frame='rear'),
        topic('/rear/camera_info', CAMERA_INFO, frame='rear', has_distortion=False))


def test_two_cameras_are_named_and_one_can_be_chosen():
    seen = Seen(DRIVER + REAR, FRAMES)
    unclear, = choose(seen).unclear
    assert '2 cameras' in str(unclear) and '/front, /rear' in str(unclear)
    assert [c.split()[0] for c in unclear.candidates] == ['/front/image_raw', '/rear/image_raw']
    choice = choose(seen, '/rear/')
    assert choice.unclear == []
    assert choice.remappings['~/input/image'] == '/rear/image_raw'
    assert choice.parameters['image.rectified'] is True
    assert 'no images come below /side' in str(choose(seen, '/side').unclear[0])


@pytest.mark.parametrize('extra', [
    topic('/rear/image_raw', IMAGE, 0), topic('/rear/image_raw', IMAGE), topic('/ego/ego_node/debug/image', IMAGE),
    topic('/front/depth/image_raw', IMAGE), topic('/infra/rsu_1/camera/image', IMAGE),
    topic('/front/image_raw/compressed', COMPRESSED, frame='front'),
    topic('/front/image_rect_color', IMAGE, frame='front'), topic('/goal_pose', POSE, 1), topic('/pose', POSE),
    topic('/other/odom', ODOMETRY, 0)])
def test_silent_topics_and_such_as_no_camera_of_the_vehicle_gives_make_nothing_unclear(extra):
    assert choose(Seen((*DRIVER, extra), FRAMES)).unclear == []


def test_compressed_images_win_over_raw_ones_and_rectified_ones_over_others_of_the_same_camera():
    more = (topic('/front/image_raw/compressed', COMPRESSED), topic('/front/image_rect_color', IMAGE),
            topic('/front/image_rect_color/compressed', COMPRESSED))
    choice = choose(Seen(DRIVER + more, FRAMES))
    assert choice.remappings['~/input/image/compressed'] == '/front/image_rect_color/compressed'
    assert choice.parameters['image.rectified'] is True


@pytest.mark.parametrize(('topics', 'frames', 'unclear'), [
    ((), (), ['images', 'poses']),
    (replaced(DRIVER, '/front/camera_info'), FRAMES, ['calibration']),
    (replaced(DRIVER, '/odom'), FRAMES, ['poses']),
    (replaced(DRIVER, '/odom', topic('/goal_pose', POSE, 1)), FRAMES, ['poses']),
    ((*DRIVER, topic('/odom/filtered', ODOMETRY, frame='map', base='base_link')), FRAMES, ['poses']),
    (replaced(OURS, '/ego/odometry', topic('/odom', ODOMETRY, base='rear_axle')), (), ['poses']),
    (DRIVER, ('map', 'base_link'), ['lidar_frame']),
    (DRIVER, (*FRAMES, 'lidar_left'), ['lidar_frame']),
    (replaced(DRIVER, '/odom', topic('/pose', POSE, frame='map')), FRAMES, ['base_frame']),
    (replaced(DRIVER, '/front/image_raw', topic('/front/stream', IMAGE)), FRAMES, ['image.rectified']),
    (replaced(DRIVER, '/front/image_raw', topic('/front/one', IMAGE), topic('/front/two', IMAGE)), FRAMES, ['images'])])
def test_what_is_missing_or_there_twice_is_named(topics, frames, unclear):
    choice = choose(Seen(topics, frames))
    assert what(choice) == unclear
    assert all(u.advice for u in choice.unclear)


def test_the_frame_tells_which_odometry_and_which_calibration_belong_to_the_camera():
    others = (topic('/odom', ODOMETRY, frame='odom', base='rear_axle'),
              topic('/rear/calibration', CALIBRATION, 1, frame='rear', base='base'))
    moved = topic('/calibrations/front', CALIBRATION, 1, frame='cam', base='base')
    choice = choose(Seen((*replaced(OURS, '/ego/camera/calibration', moved), *others)))
    assert choice.unclear == []
    assert choice.remappings['~/input/calibration'] == '/calibrations/front'
    assert choice.remappings['~/input/odometry'] == '/ego/odometry'


def test_units_with_best_effort_are_received_too():
    features = [topic(f'/infra/{unit}/features', FEATURES, reliability=reliability)
                for unit, reliability in (('east', 'best_effort'), ('west', 'reliable'))]
    choice = choose(Seen((*OURS, *features)))
    assert choice.parameters['infra_units'] == 'east,rsu_1,west'
    assert choice.parameters['features.reliability'] == 'best_effort'


def test_units_that_do_not_run_our_network_are_named_with_what_they_send():
    others = (topic('/infra/bus_7/tracked_objects', 'autoware_perception_msgs/msg/TrackedObjects',
                    reliability='best_effort'),
              topic('/infra/rsu_9/cpm', 'etsi_its_cpm_ts_msgs/msg/CollectivePerceptionMessage'),
              topic('/infra/west/features', FEATURES), topic('/infra/west/cpm', 'etsi_its_cpm_ts_msgs/msg/x'))
    choice = choose(Seen((*OURS, *others)))
    assert choice.parameters['infra_units'] == 'bus_7:tracked_objects,rsu_1,rsu_9:cpm,west'
    assert choice.parameters['features.reliability'] == 'best_effort'


def test_video_is_taken_where_a_camera_gives_nothing_else():
    video = topic('/front/image_raw/ffmpeg', 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket', frame='front')
    choice = choose(Seen(replaced(DRIVER, '/front/image_raw', video), FRAMES))
    assert choice.remappings['~/input/image/ffmpeg'] == '/front/image_raw/ffmpeg'
    assert choice.parameters['image.transport'] == 'ffmpeg' and choice.unclear == []
    both = choose(Seen((*DRIVER, video), FRAMES))
    assert both.remappings['~/input/image'] == '/front/image_raw' and both.parameters['image.transport'] == 'raw'


LIDAR = topic('/lidar_top/points', POINTS, frame='velodyne_top')


def test_the_only_point_cloud_is_chosen_and_its_reliability_counts_for_a_node_that_looks_at_it():
    best_effort = topic('/ego/lidar/points', POINTS, frame='lidar', reliability='best_effort')
    for needed, qos in ((False, 'reliable'), (True, 'sensor_data')):
        choice = choose(Seen((*OURS, best_effort)), needs_points=needed)
        assert choice.unclear == []
        assert choice.remappings['~/input/points'] == '/ego/lidar/points'
        assert choice.parameters['image.qos'] == qos and 'lidar.enabled' not in choice.parameters
        assert any(line.startswith('points') and '/ego/lidar/points' in line for line in choice.lines)


@pytest.mark.parametrize('extra', [
    topic('/lidar_left/points', POINTS, 0, frame='velodyne_top'), topic('/points_map', POINTS, 1, frame='map'),
    topic('/front/depth/points', POINTS), topic('/ego/ego_node/output/occupancy/points', POINTS),
    topic('/infra/rsu_1/lidar/points', POINTS), topic('/radar/points', POINTS, frame='radar')])
def test_maps_silent_lidars_other_frames_and_those_of_units_make_clouds_not_unclear(extra):
    choice = choose(Seen((*DRIVER, LIDAR, extra), FRAMES), needs_points=True)
    assert choice.unclear == [] and choice.remappings['~/input/points'] == '/lidar_top/points'


def test_the_calibration_tells_which_cloud_is_that_of_the_network():
    calibration = topic('/ego/camera/calibration', CALIBRATION, 1, frame='cam', base='base', lidar_frame='top')
    clouds = (topic('/top/points', POINTS, frame='top'), topic('/left/points', POINTS, frame='left'))
    choice = choose(Seen((*replaced(OURS, '/ego/camera/calibration', calibration), *clouds)), needs_points=True)
    assert choice.unclear == [] and choice.remappings['~/input/points'] == '/top/points'


@pytest.mark.parametrize(('clouds', 'shown'), [
    ((LIDAR, topic('/lidar_top/filtered', POINTS, frame='velodyne_top')), ['/lidar_top/points', '/lidar_top/filtered']),
    ((topic('/left', POINTS, frame='l'), topic('/right', POINTS, frame='r')), ['/left', '/right']),
    ((topic('/lidar_top/points', POINTS, 0),), ['/lidar_top/points']), ((), [])])
def test_clouds_that_are_not_clear_are_listed_and_stop_only_a_node_that_looks_at_them(clouds, shown):
    unclear, = choose(Seen((*DRIVER, *clouds), FRAMES), needs_points=True).unclear
    assert unclear.what == 'points' and [c.split()[0] for c in unclear.candidates] == shown
    choice = choose(Seen((*DRIVER, *clouds), FRAMES))
    assert choice.unclear == [] and '~/input/points' not in choice.remappings
    listed = '\n'.join(choice.lines)
    assert all((name in listed) == (len(clouds) > 1) for name in shown)
