"""Parameters come from the settings classes alone."""

from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter
from support.ros_world import EgoWorld

from cooptrack_ros.core.errors import UserError
from cooptrack_ros.nodes.settings import EgoSettings, RoadsideSettings, to_yaml

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(('settings', 'node'), [(EgoSettings, 'ego'), (RoadsideSettings, 'roadside')])
def test_parameter_file_agrees_with_the_settings(settings, node):
    text = (ROOT / 'config' / f'{node}.yaml').read_text(encoding='utf-8')
    assert text == to_yaml(settings, f'{node}_node')
    assert yaml.safe_load(text)['/**']['ros__parameters']


def test_value_outside_its_choices_is_refused_by_name(world):
    with pytest.raises(UserError, match=r"fusion\.mode.*'magic'.*auto"):
        EgoWorld(world, fusion__mode='magic')


def test_only_live_parameters_change_while_the_node_runs(world):
    ego = EgoWorld(world)
    fixed, live = ego.node.set_parameters([
        Parameter('infra_units', value='rsu_9'), Parameter('fusion.zero_features', value=True)])
    assert not fixed.successful
    assert 'infra_units' in fixed.reason
    assert live.successful
    assert ego.node.settings.fusion__zero_features
    assert ego.node.settings.infra_units == 'rsu_1'
