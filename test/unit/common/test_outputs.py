"""Targets are checked before the work, and figures survive a target that fails after it."""

import os

import pytest

from cooptrack_ros.common import files, outputs
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.outputs import check_file, check_folder, write_figures


def test_a_new_file_in_a_new_folder_is_fine_and_the_check_leaves_nothing(tmp_path):
    check_file(tmp_path / 'new' / 'a.json')
    check_folder(tmp_path / 'new' / 'newer')
    assert list(tmp_path.iterdir()) == []
    write_figures(tmp_path / 'new' / 'a.json', [1])
    assert (tmp_path / 'new' / 'a.json').read_text() == '[\n 1\n]\n'


def test_what_is_there_stays(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('old')
    check_file(path)
    assert path.read_text() == 'old'


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / 'a').write_text('')
    for path in (tmp_path / 'a' / 'b', tmp_path / 'a' / 'b' / 'c.json'):
        with pytest.raises(UserError, match=f'{tmp_path}/a is a file'):
            check_file(path)
    with pytest.raises(UserError, match=f'{tmp_path}/a is a file'):
        check_folder(tmp_path / 'a')


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(UserError, match='is a folder; expected the name of a file'):
        check_file(tmp_path)


@pytest.mark.parametrize('number', ['ENOSPC', 'EROFS', 'EACCES'])
def test_a_folder_that_takes_nothing_is_refused_before_the_work(tmp_path, monkeypatch, number):
    import errno
    code = getattr(errno, number)

    def refuse(path, data):
        raise OSError(code, os.strerror(code))
    monkeypatch.setattr(outputs.Path, 'write_bytes', refuse)
    with pytest.raises(UserError, match=os.strerror(code)):
        check_file(tmp_path / 'a.json')


def test_a_pipe_is_not_opened_by_the_check(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    check_file(tmp_path / 'pipe')


def test_figures_are_printed_when_the_disk_is_full_after_the_work(capsys):
    with pytest.raises(UserError, match='/dev/full cannot be written: No space left on device'):
        write_figures(outputs.Path('/dev/full'), {'mAP': 0.5})
    assert '"mAP": 0.5' in capsys.readouterr().out


def test_a_text_with_names_that_are_not_utf_8_is_written(tmp_path):
    files.write_atomically(tmp_path / 'a.html', os.fsdecode(b'caf\xe9'))
    assert (tmp_path / 'a.html').read_text(encoding='utf-8') == 'caf\\udce9'
