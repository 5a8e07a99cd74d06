"""A file is the old one or the new one, never a part."""

import signal
import subprocess
import sys

import pytest

from cooptrack_ros.common.files import replacing, write_atomically

KILLED = """
import sys
from pathlib import Path
from cooptrack_ros.common.files import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_text('half')
    print('writing', flush=True)
    sys.stdin.read()
"""


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, 'old')
    write_atomically(path, b'new')
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, 'old')
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_program_leaves_the_old_content_and_the_next_one_writes(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, 'old')
    with subprocess.Popen([sys.executable, '-c', KILLED, str(path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'writing\n'
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == 'old'
    write_atomically(path, 'new')
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]
