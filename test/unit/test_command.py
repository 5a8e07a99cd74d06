"""The installed command works from any shell, with nothing sourced."""

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.prefix) / 'bin'
needs_environment = pytest.mark.skipif(not (BIN / 'cooptrack').is_file(), reason='not run from the set-up environment')


def run(*words):
    """Run a program without any environment variable."""
    return subprocess.run([str(BIN / words[0]), *words[1:]], env={}, cwd='/', capture_output=True, text=True,
                          check=False)


@needs_environment
def test_the_command_lists_its_sub_commands_in_an_empty_environment():
    result = run('cooptrack', '--help')
    assert result.returncode == 0
    for word in ('synth', 'bag', 'replay', 'train', 'eval', 'render', 'demo'):
        assert word in result.stdout


@needs_environment
def test_python_finds_ros_and_our_messages_in_an_empty_environment():
    code = 'import rclpy; from cooptrack_msgs.msg import TrackArray; print(TrackArray().mode == "")'
    result = run('python', '-c', code)
    assert result.stdout.strip() == 'True', result.stderr


@needs_environment
def test_a_problem_is_reported_in_one_line_with_exit_status_2():
    result = run('cooptrack', 'eval', '--data', '/nowhere', '--weights', 'random:mini')
    assert result.returncode == 2
    assert result.stderr.startswith('cooptrack eval: ') and 'Traceback' not in result.stderr
