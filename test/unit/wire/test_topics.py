"""Names of topics are taken apart as they were made."""

import pytest

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.wire.topics import (
    IMAGE,
    UNIT_TOPICS,
    features_topic,
    is_features_topic,
    is_unit_image_topic,
    is_unit_topic,
    kind_name,
    split_unit_topic,
    unit_topic,
    units_of,
)


@pytest.mark.parametrize('name', [*UNIT_TOPICS, IMAGE])
def test_a_topic_of_a_unit_is_taken_apart_as_it_was_made(name):
    topic = unit_topic('rsu_2', name)
    assert topic == f'/infra/rsu_2/{name}'
    assert split_unit_topic(topic) == ('rsu_2', name) and is_unit_topic(topic, name)


@pytest.mark.parametrize('topic', [
    '/ego/camera/image/compressed', '/infra', '/infra/', '/infra/rsu_1', '/infra//features', '/infra/rsu_1/',
    '/x/infra/rsu_1/features', 'infra/rsu_1/features', ''])
def test_other_topics_belong_to_no_unit(topic):
    assert split_unit_topic(topic) is None and not is_features_topic(topic) and units_of([topic]) == []


def test_features_are_those_of_the_unit_itself():
    assert is_features_topic(features_topic('rsu_1'))
    assert not is_features_topic('/infra/rsu_1/link_emulator/output/features')


def test_units_come_once_in_order():
    topics = [features_topic('b'), unit_topic('b', IMAGE), unit_topic('a', IMAGE), features_topic('c'), '/ego/odometry']
    assert units_of(topics) == ['a', 'b', 'c'] and units_of(topics, IMAGE) == ['a', 'b']


def test_message_classes_have_the_names_that_ros_gives_them():
    assert kind_name(InstanceFeatureArray) == 'cooptrack_msgs/msg/InstanceFeatureArray'


@pytest.mark.parametrize(('topic', 'expected'), [
    ('/infra/drone/camera_bottom/image/compressed', True), ('/infra/rsu_1/camera/image/compressed', True),
    ('/ego/camera_front/image/compressed', False), ('/infra/rsu_1/camera/image', True),
    ('/infra/drone/camera_bottom/image/ffmpeg', True), ('/infra/rsu_1/camera/image/theora', False),
    ('/infra/rsu_1/camera_front/calibration', False), ('/infra/rsu_1/cameras/image/compressed', False)])
def test_images_of_units_are_told_by_their_topics(topic, expected):
    assert is_unit_image_topic(topic) is expected
