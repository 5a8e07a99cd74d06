"""The check of a demonstration sees what is missing."""

import json

import pytest
from check_demo import complaints

MODES = ('cooperative', 'ego_only', 'late', 'cooperative_features_zeroed')


@pytest.fixture
def out(tmp_path):
    """Give a folder as a demonstration leaves it."""
    metrics = {name: {'recall': 0.5} for name in MODES}
    metrics |= {'bytes_per_second': 9.0, 'latency_ms': {'p50': 1.0}, 'real_time': {'frames_answered': 3}}
    (tmp_path / 'metrics.json').write_text(json.dumps(metrics))
    modes = {name: {'predictions': {'a': [], 'b': [{}]}} for name in MODES}
    (tmp_path / 'tracks.json').write_text(json.dumps({'modes': modes}))
    for name in ('pictures/tracks.gif', 'recording/metadata.yaml'):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b'x')
    return tmp_path


def change(path, **values):
    """Change values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_complete_one_has_no_complaint(out):
    assert list(complaints(out)) == []


@pytest.mark.parametrize('mode', MODES)
def test_a_mode_without_figures_or_tracks_is_named(out, mode):
    for nothing in (0.0, 'recall never reached'):
        change(out / 'metrics.json', **{mode: {'recall': nothing}})
        assert [line.split(':')[0] for line in complaints(out)] == [f'mode {mode} found nothing']
    change(out / 'metrics.json', **{mode: {'recall': 0.1}})
    modes = json.loads((out / 'tracks.json').read_text())['modes'] | {mode: {'predictions': {'a': []}}}
    change(out / 'tracks.json', modes=modes)
    assert list(complaints(out)) == [f'mode {mode} has no tracks']


def test_no_answers_in_real_time_and_missing_files_are_named(out):
    change(out / 'metrics.json', real_time={'frames_answered': 0})
    (out / 'pictures/tracks.gif').unlink()
    assert list(complaints(out)) == ['frames_answered is 0', 'pictures/tracks.gif is missing or empty']
