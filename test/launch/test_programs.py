"""The programs of the nodes in a shell: what they say when they cannot start, and how they end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.forked import run

from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.demo.processes import environment

PROGRAMS = Path(sys.executable).parents[1] / 'lib' / 'cooptrack_ros'
pytestmark = pytest.mark.xdist_group('several processes')


@pytest.fixture
def domain():
    """Give the number of a domain that nobody uses."""
    with reserve_domains() as reserved:
        yield reserved.first


def started(program, *arguments, env):
    return subprocess.Popen([PROGRAMS / program, *arguments], env=env, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True)


@pytest.mark.parametrize(('arguments', 'variables', 'words'), [
    ([], {'ROS_LOG_DIR': '/proc/none'}, ['ROS_LOG_DIR']),
    ([], {'ROS_DOMAIN_ID': '300'}, ['ROS_DOMAIN_ID', "'300'", '232']),
    ([], {'ROS_DOMAIN_ID': 'house'}, ['ROS_DOMAIN_ID', "'house'"]),
    (['--log-level', 'loud'], {}, ['loud', 'debug, info']),
    (['--params-file', '/nowhere.yaml'], {}, ['/nowhere.yaml', 'ros__parameters']),
    (['-r', '__ns:=/a-b'], {}, ['/a-b', 'namespace']),
    (['-r', '__node:=a-b'], {}, ['a-b', 'name of letters']),
    (['-p', 'weights'], {}, ['weights', 'name:=value']),
    (['-p', 'unit_id:=7'], {}, ["parameter 'unit_id'", 'STRING'])])
def test_what_keeps_a_node_from_starting_is_one_line_with_the_way_out(tmp_path, domain, arguments, variables, words):
    ended = run('single_process', '--roadside', *(['--ros-args', *arguments] if arguments else []),
                env=environment(domain, tmp_path) | variables)
    assert ended.status == 1, ended
    line, = (line for line in ended.error.splitlines() if line.startswith('error: '))
    assert all(word in line for word in words), ended
    assert 'Traceback' not in ended.error and not ended.output


@pytest.mark.parametrize('program', ['ego_node', 'roadside_node', 'single_process', 'link_emulator'])
def test_help_is_printed(tmp_path, program):
    process = started(program, '--help', env=environment(0, tmp_path))
    text = process.communicate(timeout=100)[0]
    assert process.returncode == 0, text
    assert text.startswith(f'usage: {program}')


_INTERRUPTS = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ['INTERRUPTED_AT']:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
"""


def interrupted(tmp_path, program, *arguments, env, at) -> tuple[int, str]:
    """Return exit status and output of a program that gets Ctrl+C at the moment when it begins to import a module."""
    (tmp_path / 'sitecustomize.py').write_text(_INTERRUPTS)
    folders = [str(tmp_path), *filter(None, [os.environ.get('PYTHONPATH')])]
    process = started(program, *arguments, env=env | {'INTERRUPTED_AT': at, 'PYTHONPATH': os.pathsep.join(folders)})
    return process.wait(timeout=100), process.communicate()[0]


@pytest.mark.parametrize('module', [
    'cooptrack_ros.common.errors', 'cooptrack_ros.nodes.single_process', 'numpy.linalg', 'torch.nn',
    # While nodes load their models.
    'cooptrack_ros.model.network'])
def test_ctrl_c_in_the_first_seconds_ends_quietly(tmp_path, domain, module):
    status, text = interrupted(tmp_path, 'single_process', '--ego', '--ros-args', '-r', '__ns:=/ego', '--roadside',
                               env=environment(domain, tmp_path), at=module)
    assert 'Traceback' not in text
    assert '[ERROR]' not in text
    assert status == 0, text


@pytest.mark.parametrize(('module', 'words'), [
    ('cooptrack_ros.cli.main', ''), ('cooptrack_ros.cli.bench', ''),
    # Where the work has begun.
    ('numpy.linalg', 'interrupted\n')])
def test_a_command_that_is_interrupted_in_the_first_seconds_ends_quietly(tmp_path, module, words):
    assert interrupted(tmp_path, 'cooptrack', 'bench', 'model', '--config', 'mini', '--frames', '1',
                       env=environment(0, tmp_path), at=module) == (130, words)


def test_a_word_that_gives_no_parameter_is_refused_in_one_line(tmp_path):
    assert run('ego_node', '--given', 'weights', env=environment(0, tmp_path)) == (
        2, '', 'error: --given weights: expected NAME:=VALUE\n')
