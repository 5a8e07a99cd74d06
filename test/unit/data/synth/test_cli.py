"""Command line of the scene generator."""

import subprocess
import sys
from pathlib import Path

import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.cli.synth import parse_size
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.synth.many import parse_seeds

ARGUMENTS = ['--seconds', '0.5', '--size', '64x36']


def test_many_seeds_make_one_folder_each_and_a_second_run_keeps_them(tmp_path):
    assert main(['synth', str(tmp_path), '--seeds', '7-8', '--jobs', '1', *ARGUMENTS]) == 0
    folders = sorted(p.name for p in tmp_path.iterdir())
    assert folders == ['seed_000007', 'seed_000008']
    before = (tmp_path / 'seed_000007/scene.json').stat().st_mtime_ns
    assert main(['synth', str(tmp_path), '--seeds', '7-8', *ARGUMENTS]) == 0
    assert (tmp_path / 'seed_000007/scene.json').stat().st_mtime_ns == before
    # Other parameters under the same name are an error, not a silent mixture.
    assert main(['synth', str(tmp_path), '--seeds', '7-8', '--seconds', '0.6', '--size', '64x36']) == 2


def test_the_program_makes_many_seeds_in_processes_of_its_own(tmp_path):
    program = Path(sys.executable).with_name('cooptrack')
    done = subprocess.run([str(program), 'synth', str(tmp_path), '--seeds', '7-8', *ARGUMENTS], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-400:]
    assert (tmp_path / 'seed_000008/scene.json').is_file()


@pytest.mark.parametrize('text', ['960', '960x', 'ax5'])
def test_bad_size_names_the_expected_form(text):
    with pytest.raises(UserError, match='960x540'):
        parse_size(text)


@pytest.mark.parametrize('text', ['5', '9-3', 'a-b'])
def test_bad_seed_range_is_refused(text):
    with pytest.raises(UserError, match='seeds'):
        parse_seeds(text)
