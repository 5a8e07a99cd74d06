"""Processes of the demonstration end together, and failures say what, where and why."""

import json
import os
import subprocess
import sys
import threading

import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.demo.processes import (
    Process,
    environment,
    finish,
    launch_command,
    launch_file,
    lichtblick_command,
    tool_command,
)


def _python(tmp_path, name, code):
    return Process(name, [sys.executable, '-c', code], tmp_path / 'logs' / f'{name}.log', environment(7, tmp_path))


def test_a_process_that_ends_well_is_waited_for(tmp_path):
    with _python(tmp_path, 'good', 'print(1)') as process:
        finish(process, [], 30, threading.Event())
    assert process.log.read_text() == '1\n'


def test_a_failure_names_process_log_and_last_lines(tmp_path):
    with _python(tmp_path, 'bad', 'print("the reason"); raise SystemExit(3)') as process, \
            pytest.raises(UserError, match=r'(?s)bad: ended with status 3.*bad\.log ends with.*the reason'):
        finish(process, [], 30, threading.Event())


def test_a_failing_replay_shows_what_the_nodes_said_last(tmp_path):
    with _python(tmp_path, 'nodes', 'print("a node died", flush=True); import time; time.sleep(60)') as nodes:
        while 'died' not in nodes.last_lines():
            assert nodes.status() is None
        with _python(tmp_path, 'replay', 'raise SystemExit(2)') as replay, \
                pytest.raises(UserError, match=r'(?s)replay: ended.*replay\.log.*nodes\.log ends with.*a node died'):
            finish(replay, [nodes], 30, threading.Event())


def test_nodes_that_end_early_are_the_failure(tmp_path):
    with _python(tmp_path, 'nodes', 'print("no such model")') as nodes, \
            _python(tmp_path, 'replay', 'import time; time.sleep(60)') as replay:
        with pytest.raises(UserError, match='(?s)nodes: ended early.*no such model'):
            finish(replay, [nodes], 30, threading.Event())
        assert replay.status() is None
    assert replay.status() is not None


def test_a_stop_from_elsewhere_ends_the_wait(tmp_path):
    stop = threading.Event()
    stop.set()
    with _python(tmp_path, 'slow', 'import time; time.sleep(60)') as process, \
            pytest.raises(UserError, match='something else failed'):
        finish(process, [], 30, stop)


def test_the_environment_is_an_isolated_graph(tmp_path):
    env = environment(7, tmp_path)
    assert (env['ROS_DOMAIN_ID'], env['ROS_AUTOMATIC_DISCOVERY_RANGE']) == ('7', 'LOCALHOST')


def test_commands_use_this_interpreter_and_the_launch_file_of_the_tree(monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: None)
    command = launch_command(launch_file('demo.launch.xml'), {'lockstep': True, 'mode': 'late'})
    assert command[:3] == [sys.executable, '-m', 'launch_runner']
    assert command[-2:] == ['lockstep:=true', 'mode:=late']
    assert tool_command('replay', 1)[0] == sys.executable


def test_a_real_ros_launch_is_preferred(monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: '/opt/bin/ros2')
    assert launch_command(launch_file('demo.launch.xml'), {})[:2] == ['ros2', 'launch']


def test_the_line_for_lichtblick_copies_our_layout_selects_it_and_opens_the_recording(tmp_path):
    recording = tmp_path / "it's here"
    command = lichtblick_command(recording)
    result = subprocess.run(['sh', '-c', f'lichtblick() {{ printf "%s\\n" "$@"; }}; {command}'], check=True, text=True,
                            capture_output=True, env=os.environ | {'HOME': str(tmp_path)})
    assert result.stdout.splitlines() == ['--defaultLayout=cooptrack', f'--source={recording}']
    copied = tmp_path / '.lichtblick-suite/layouts/cooptrack.json'
    assert json.loads(copied.read_text())['layout']


def test_an_unknown_launch_file_is_an_error():
    with pytest.raises(UserError, match='nothing.launch.xml'):
        launch_file('nothing.launch.xml')


def test_a_command_that_is_terminated_leaves_no_process_behind(tmp_path):
    sleeps = 'import time; time.sleep(600)'
    code = f"""
import sys, time
from pathlib import Path
from cooptrack_ros.cli import main as cli
class Sub:
    add_arguments = staticmethod(lambda parser: None)
    @staticmethod
    def run(args):
        from cooptrack_ros.demo.processes import Process
        with Process('node', [sys.executable, '-c', {sleeps!r}], Path('log'), {{}}) as node:
            print(node.pid, flush=True)
            time.sleep(600)
cli.importlib.import_module = lambda *names: Sub
sys.argv = ['cooptrack', 'demo']
sys.exit(cli.main())
"""
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as command:
        node = int(command.stdout.readline())
        command.terminate()
    assert command.returncode == 128 + 15
    with pytest.raises(ProcessLookupError):
        os.kill(node, 0)
