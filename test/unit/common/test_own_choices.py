"""What identifies a configuration: what it has otherwise than the published one."""

import dataclasses

from cooptrack_ros.common.config import MINI, R50, ModelConfig, own_choices


def test_the_published_configuration_makes_no_choice():
    assert own_choices(ModelConfig()) == {}
    assert own_choices(R50) == {}


def test_only_what_differs_is_told_as_plain_data():
    config = dataclasses.replace(R50, input_size=(64, 96), method=dataclasses.replace(R50.method, exclude_ego=True))
    assert own_choices(config) == {'input_size': [64, 96], 'method': {'exclude_ego': True}}


def test_a_key_at_its_default_is_no_difference():
    chosen = own_choices(MINI)
    assert chosen['name'] == 'mini' and 'dropout' in chosen and 'max_detections' not in chosen['tracker_vehicle']
