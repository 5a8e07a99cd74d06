"""The installed command works from any shell, with nothing sourced."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from cooptrack_ros.cli.main import main

BIN = Path(sys.prefix) / 'bin'
RESULT = Path(__file__).parents[1] / 'data/eval_golden/set_a.input.json.gz'
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


@pytest.mark.parametrize('words', [
    ('bench', 'codec', '--frames', '2', '--json', '{file}/a.json'), ('bench', 'codec', '--json', '{folder}'),
    ('eval', '--data', '/nowhere', '--results', '{file}'), ('eval', '--data', '/nowhere', '--json', '{file}/a'),
    ('eval-json', '/nowhere', '--nuscenes', '{file}/a'), ('render', '{result}', '-o', '{file}/a'),
    ('train', 'image', '--data', '/nowhere', '--out', '{file}/a'), ('synth', '{file}/a', '--seed', '1'),
    ('synth', '{file}/a', '--seeds', '1-2'), ('demo', '--out', '{file}/a'), ('doctor', '--json', '{file}/a'),
    ('weights', 'export', 'mini', '--out', '{file}/a'), ('replay', '{file}', '--offline', '--json', '{file}/a'),
    ('export', '--side', 'vehicle', '--out', '{file}/a'),
    ('occupancy', 'score', '/nowhere', '--json', '{file}/a.json')], ids=' '.join)
def test_a_target_that_cannot_be_is_refused_in_one_line_before_the_work(tmp_path, capsys, words):
    file = tmp_path / 'file'
    file.write_text('stays')
    result = tmp_path / 'result.json'
    result.write_bytes(gzip.decompress(RESULT.read_bytes()))
    places = {'file': file, 'folder': tmp_path, 'result': result}
    assert main([word.format(**places) for word in words]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path) in error and len(error.strip().splitlines()) == 1
    assert file.read_text() == 'stays'
