"""Messages of a roadside unit that contradict themselves."""

from array import array


def test_message_with_wrong_lengths_is_counted_and_the_node_goes_on_alone(ego):
    ego.features(count=2, scores=array('f', [0.5]))
    ego.dropped('rsu_1', 'wrong_length')
    assert ego.frame().mode == 'none'
    ego.features(count=2, sequence=1)
    assert ego.frame().mode == 'cooperative'


def test_message_with_nan_is_counted_and_the_node_goes_on_alone(ego):
    ego.features(count=1, boxes=array('f', [float('nan')] * 9))
    ego.dropped('rsu_1', 'not_finite')
    assert ego.frame().mode == 'none'
    ego.features(count=1, sequence=1)
    assert ego.frame().mode == 'cooperative'


def test_huge_count_is_refused_before_anything_is_allocated(ego):
    message = ego.features(count=2, feature_dim=2**31)
    assert message.feature_dim == 2**31
    ego.dropped('rsu_1', 'too_large')
    assert ego.frame().mode == 'none'


def test_message_with_count_zero_is_normal(ego):
    ego.features(count=0)
    answer = ego.frame()
    assert answer.mode == 'cooperative'
    assert answer.has_infra
    assert answer.infra_count == 0
    assert not any(k.startswith('dropped') for k in ego.node.health.counts)


def test_replayed_message_is_refused_within_a_session(ego):
    ego.features(sequence=3)
    ego.features(sequence=3)
    ego.dropped('rsu_1', 'replayed')
    assert ego.frame().mode == 'cooperative'


def test_message_of_another_version_is_counted_and_the_node_goes_on_alone(ego):
    ego.features(count=2, version=1)
    ego.dropped('rsu_1', 'wrong_version')
    assert ego.frame().mode == 'none'
    ego.features(count=2, sequence=1)
    assert ego.frame().mode == 'cooperative'


def test_features_of_other_channels_than_the_model_s_are_counted_and_not_fused(ego):
    half = array('B', bytes(2 * 48 * 2))
    ego.features(count=2, feature_dim=48, semantic=half, motion=half)
    ego.dropped('rsu_1', 'wrong_feature_dim')
    assert ego.frame().mode == 'none'


def test_compact_message_without_points_is_counted_and_not_fused(ego):
    ego.features(count=2, position_points=array('f'))
    ego.dropped('rsu_1', 'wrong_length')
    assert ego.frame().mode == 'none'
