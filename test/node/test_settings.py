"""Parameters come from the settings classes alone."""

from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter
from support.ros_world import EgoWorld, FakePackage

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(('kind', 'name'), [(EgoNode, 'ego'), (RoadsideNode, 'roadside')])
def test_parameter_file_holds_what_a_running_node_has(world, kind, name):
    text = (ROOT / 'config' / f'{name}.yaml').read_text(encoding='utf-8')
    node = world.start(kind, name, FakePackage())
    declared = {n: node.get_parameter_or(n).value for n in node.list_parameters([], 0).names}
    stated = yaml.safe_load(text)['/**']['ros__parameters']
    assert len(stated) > 20
    assert stated.items() <= declared.items()
    # What has no default is not in the file; everything else is of rclpy, or has another one in the launch files.
    unstated = {n for n, value in declared.items() if n not in stated and value is not None}
    assert unstated <= {'use_sim_time', 'start_type_description_service', 'cameras.topics'}
    assert f"# cameras.topics: '{declared['cameras.topics']}'" in text


def test_value_outside_its_choices_is_refused_by_name(world):
    with pytest.raises(UserError, match=r"fusion\.mode.*'magic'.*auto"):
        EgoWorld(world, fusion__mode='magic')


def test_only_live_parameters_change_while_the_node_runs(world):
    ego = EgoWorld(world)
    fixed, live = ego.node.set_parameters([
        Parameter('infra_units', value='rsu_9'), Parameter('fusion.online_extrinsics', value=True)])
    assert not fixed.successful
    assert 'infra_units' in fixed.reason
    assert live.successful
    assert ego.node.settings.fusion__online_extrinsics
    assert ego.node.settings.infra_units == 'rsu_1'
