"""The parameters in effect, written as a file, start the same node again."""

import pytest
import yaml

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.link_emulator import LinkEmulator
from cooptrack_ros.nodes.node_base import run_program

TEXT = "it's: \\ \u00e4 #1"
CHANGED = ['--given', f'cameras:={TEXT}', '--given', 'image.rectified:=true', '--ros-args', '-p', 'infra_units:="7"',
           '-p', 'cameras.tolerance_ms:=1e1', '-p', 'use_sim_time:=true', '-r', '~/input/image:=/cam/image']


@pytest.mark.parametrize(('node', 'words', 'expected'), [
    (EgoNode, CHANGED, {'cameras': TEXT, 'infra_units': '7', 'cameras.tolerance_ms': 10.0, 'use_sim_time': True,
                        'image.rectified': True, 'weights': 'mini'}),
    (LinkEmulator, ['--ros-args', '-p', 'seed:=7'], {'seed': 7, 'use_sim_time': False})])
def test_a_file_of_all_parameters_gives_the_same_parameters_again(tmp_path, node, words, expected, capfd):
    first, second = tmp_path / 'first.yaml', tmp_path / 'second.yaml'
    assert run_program(node, ['--dump-config', str(first), *words]) == 0
    content = yaml.safe_load(first.read_text(encoding='utf-8'))['/**']['ros__parameters']
    assert content.items() >= expected.items()
    remaps = [word for word in words if word.startswith('~/')]
    assert all(word in first.read_text(encoding='utf-8') for word in remaps)
    again = [word for remap in remaps for word in ('-r', remap)]
    assert run_program(node, ['--dump-config', str(second), '--ros-args', '--params-file', str(first), *again]) == 0
    assert second.read_text(encoding='utf-8') == first.read_text(encoding='utf-8')
    assert 'has no effect' not in capfd.readouterr().err


def test_a_file_that_cannot_be_written_is_named_and_what_has_no_value_is_left_out(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        run_program(LinkEmulator, ['--dump-config', str(tmp_path)])
    file = tmp_path / 'ego.yaml'
    assert run_program(EgoNode, ['--dump-config', str(file)]) == 0
    assert '# image.rectified is not set' in file.read_text(encoding='utf-8')
