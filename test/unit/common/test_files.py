"""A file is the old one or the new one, never a part."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

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


def test_a_link_stays_and_the_file_behind_it_changes(tmp_path):
    real, link = tmp_path / 'real' / 'a.json', tmp_path / 'link.json'
    real.parent.mkdir()
    link.symlink_to('real/a.json')
    for content in ('first', 'second'):
        write_atomically(link, content)
        assert link.is_symlink()
        assert real.read_text() == content


def test_a_device_is_written_into_and_stays_a_device(tmp_path):
    write_atomically(Path('/dev/null'), 'x')
    assert stat.S_ISCHR(os.stat('/dev/null').st_mode)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(Path('/dev/full'), 'x')
    assert stat.S_ISCHR(os.stat('/dev/full').st_mode)
    link = tmp_path / 'link'
    link.symlink_to('/dev/null')
    write_atomically(link, 'x')
    assert link.is_symlink()


def test_a_pipe_gets_the_content_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    with subprocess.Popen(['cat', str(pipe)], stdout=subprocess.PIPE) as reader:
        write_atomically(pipe, 'words')
        assert reader.communicate(timeout=30)[0] == b'words'
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_standard_output_in_a_file_is_gone_on_with(tmp_path):
    out = tmp_path / 'out.txt'
    code = ("import sys; from pathlib import Path; from cooptrack_ros.common.files import write_atomically; "
            "print('before', flush=True); write_atomically(Path('/dev/stdout'), 'figures\\n'); print('after')")
    with out.open('wb') as stream:
        subprocess.run([sys.executable, '-c', code], stdout=stream, check=True)
    assert out.read_text() == 'before\nfigures\nafter\n'
