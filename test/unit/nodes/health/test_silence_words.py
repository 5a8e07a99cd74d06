"""Why a topic is silent, explained from plain data."""

from cooptrack_ros.nodes.health.silence import Endpoint, Wanted, explain, near_misses

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
IMAGES = Wanted('images', '~/input/image/compressed', '/ego/camera/image/compressed', COMPRESSED, 'reliable',
                  'volatile', 'image.qos')
CALIBRATION = Wanted('calibration', '~/input/calibration', '/ego/camera/calibration',
                     'cooptrack_msgs/msg/Calibration', 'reliable', 'transient_local')
FEATURES = Wanted('messages', '/infra/rsu_1/features', '/infra/rsu_1/features',
                  'cooptrack_msgs/msg/InstanceFeatureArray', 'reliable', 'volatile', 'features.reliability')


def driver(kind=COMPRESSED, reliability='reliable', durability='volatile'):
    return Endpoint('/camera/driver', kind, reliability, durability)


def test_a_best_effort_publisher_is_named_with_the_parameter_that_fits_it():
    cause = explain(IMAGES, [driver(reliability='best_effort')], {IMAGES.topic: [COMPRESSED]}, 0)
    assert cause.evidence == 'publisher /camera/driver offers best_effort, this node asks for reliable'
    assert cause.advice == 'set image.qos to sensor_data, or let /camera/driver publish reliable'
    assert cause.is_conflict


def test_a_best_effort_unit_is_named_with_the_parameter_of_the_features():
    cause = explain(FEATURES, [driver(FEATURES.kind, 'best_effort')], {}, 0)
    assert cause.advice == 'set features.reliability to best_effort, or let /camera/driver publish reliable'


def test_a_volatile_publisher_of_a_latched_topic_must_change():
    cause = explain(CALIBRATION, [driver(CALIBRATION.kind)], {}, 0)
    assert 'offers volatile, this node asks for transient_local' in cause.evidence
    assert cause.advice == 'let /camera/driver publish latched (transient_local)'


def test_a_publisher_of_another_type_is_named_with_both_types():
    cause = explain(CALIBRATION, [driver('sensor_msgs/msg/CameraInfo')], {}, 0)
    assert cause.evidence == ('/camera/driver publishes sensor_msgs/msg/CameraInfo there, wanted is '
                              'cooptrack_msgs/msg/Calibration')
    assert cause.is_conflict


def test_a_similar_topic_of_the_type_is_suggested_as_a_remapping():
    topics = {'/front/image_raw/compressed': [COMPRESSED], '/ego/camera/image_raw/compressed': [COMPRESSED],
              '/ego/camera/image': [IMAGE]}
    cause = explain(IMAGES, [], topics, 0)
    assert cause.advice == 'remap ~/input/image/compressed:=/ego/camera/image_raw/compressed'
    assert not cause.is_conflict


def test_images_of_the_other_transport_are_found():
    cause = explain(IMAGES, [], {'/ego/camera/image': [IMAGE]}, 0)
    assert cause.advice == 'set image.transport to raw and remap ~/input/image:=/ego/camera/image'


def test_images_of_the_other_transport_are_found_for_one_of_several_cameras():
    wanted = Wanted('images', '/sensing/front/image', '/sensing/front/image', IMAGE, 'reliable', 'volatile',
                    'image.qos')
    cause = explain(wanted, [], {'/front/compressed': [COMPRESSED]}, 0)
    assert cause.advice == ('set image.transport to compressed and remap '
                            '/sensing/front/image/compressed:=/front/compressed')


def test_debug_images_are_no_suggestion():
    cause = explain(IMAGES, [], {'/ego/ego_node/debug/image/compressed': [COMPRESSED]}, 0)
    assert 'nor any topic of its type' in cause.evidence


def test_another_unit_is_a_matter_of_infra_units():
    cause = explain(FEATURES, [], {'/infra/rsu_7/features': [FEATURES.kind]}, 0)
    assert cause.advice == "name the unit 'rsu_7' in infra_units, or start unit 'rsu_1'"


def test_without_any_publisher_the_domain_is_reported():
    cause = explain(IMAGES, [], {'/rosout': ['rcl_interfaces/msg/Log']}, 42)
    assert 'nor any topic of its type' in cause.evidence
    assert 'ROS_DOMAIN_ID (here 42)' in cause.advice


def test_a_matching_publisher_that_says_nothing_is_to_be_looked_at():
    cause = explain(IMAGES, [driver(), driver(reliability='best_effort')], {}, 0)
    assert cause.evidence == 'it matches the publisher /camera/driver (reliable, volatile), but nothing comes'
    assert 'ros2 topic hz' in cause.advice
    assert not cause.is_conflict


def test_large_best_effort_images_get_a_hint():
    wanted = Wanted('images', '~/input/image', '/image', IMAGE, 'best_effort', 'volatile', 'image.qos')
    assert 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA' in explain(wanted, [driver(IMAGE, 'best_effort')], {}, 0).advice


def test_the_most_similar_names_come_first():
    topics = {f'/{name}': ['T'] for name in ('zebra', 'camera/imag', 'cam/image', 'camera/image')} | {'/x': ['U']}
    assert near_misses('/camera/image', 'T', topics) == ['/camera/imag', '/cam/image', '/zebra']


def test_video_is_found_as_another_transport_and_the_other_way_round():
    video = {'/ego/camera/image/ffmpeg': ['ffmpeg_image_transport_msgs/msg/FFMPEGPacket']}
    advice = 'set image.transport to ffmpeg and remap ~/input/image/ffmpeg:=/ego/camera/image/ffmpeg'
    assert explain(IMAGES, [], video, 0).advice == advice
    wanted = Wanted('images', '~/input/image/foxglove', '/camera/foxglove', 'foxglove_msgs/msg/CompressedVideo',
                    'reliable', 'volatile', 'image.qos')
    assert explain(wanted, [], {'/camera/image/compressed': [COMPRESSED]}, 0).advice == (
        'set image.transport to compressed and remap ~/input/image/compressed:=/camera/image/compressed')
    assert explain(wanted, [driver(COMPRESSED)], {}, 0).advice == (
        'set image.transport to compressed and remap ~/input/image/compressed:=/camera/foxglove')
