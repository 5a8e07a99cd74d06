"""What is listened to while a bag is played: nodes make some of it only then."""

from types import SimpleNamespace

import pytest

from cooptrack_ros.replay.collector import Collector, recorded_topics


def listened_to(writer):
    """Return the topics that are subscribed to; :param writer: of the recording, None without one."""
    topics = []
    node = SimpleNamespace(create_subscription=lambda kind, topic, *args, **kwargs: topics.append(topic))
    Collector(node, ['rsu_1'], writer)
    return set(topics)


def test_a_recording_has_everything():
    assert listened_to(object()) == recorded_topics(['rsu_1'], with_detections=False).keys()


@pytest.mark.parametrize('node', ['/ego/ego_node', '/infra/rsu_1/roadside_node'])
def test_nodes_are_not_made_to_draw_markers_that_nobody_sees(node):
    topics = listened_to(None)
    assert f'{node}/output/markers' not in topics
    assert {f'{node}/output/tracks', f'{node}/debug/latency'} <= topics
