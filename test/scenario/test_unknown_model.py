"""Features of a model that the vehicle does not know."""

from cooptrack_ros.common.types import Side


def test_features_of_an_unknown_model_are_counted_and_only_boxes_are_used(ego):
    ego.features(count=2, model='somebody-else')
    ego.dropped('rsu_1', 'unknown_model')
    answer = ego.frame()
    assert answer.mode == 'late'
    _, messages = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    assert messages == ()


def test_known_model_afterwards_is_fused(ego):
    ego.features(count=2, model='somebody-else')
    ego.frame()
    ego.features(count=2, sequence=1)
    assert ego.frame().mode == 'cooperative'


def test_compact_features_of_an_unknown_model_give_boxes(ego):
    message = ego.features(count=2, model='somebody-else')
    assert not message.position_embedding
    ego.dropped('rsu_1', 'unknown_model')
    assert ego.frame().mode == 'late'


def test_compact_features_of_the_known_model_are_completed(ego):
    message = ego.features(count=2)
    assert ego.frame().mode == 'cooperative'
    _, (received,) = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    assert not message.position_embedding
    assert received.instances.position_embedding.shape == received.instances.semantic.shape
