"""Which seconds of a scene are recorded."""

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.data.synth import generate
from cooptrack_ros.data.synth.many import is_complete
from cooptrack_ros.data.synth.window import eventful_start

TURNING_SEED = 2304
OPTIONS = {'seconds': 1.0, 'size': (64, 36), 'units': 1, 'lidar': False}


def _headings(folder):
    poses = [r.global_from_lidar for r in open_dataset(folder).records('vehicle-side')]
    return np.degrees(np.unwrap([np.arctan2(p[1, 0], p[0, 0]) for p in poses]))


def test_the_eventful_window_of_a_turning_vehicle_holds_its_turn(tmp_path):
    assert main(['synth', str(tmp_path / 'scene'), '--seed', str(TURNING_SEED), '--seconds', '1', '--size', '64x36',
                 '--start', 'eventful']) == 0
    headings = _headings(tmp_path / 'scene')
    assert abs(headings[-1] - headings[0]) > 15
    generate(tmp_path / 'plain', TURNING_SEED, **OPTIONS)
    headings = _headings(tmp_path / 'plain')
    assert abs(headings[-1] - headings[0]) < 2


def test_two_starts_are_cuts_from_one_course_of_events(tmp_path):
    first, later = (tmp_path / name for name in ('first', 'later'))
    generate(first, 5, **OPTIONS | {'seconds': 1.5}, start=2.0)
    generate(later, 5, **OPTIONS, start=2.5)
    where = [open_dataset(folder).records('vehicle-side')[k].global_from_ego[:2, 3] for folder, k in ((first, 5),
                                                                                                  (later, 0))]
    assert np.linalg.norm(where[0] - where[1]) < 1.0


def test_scenes_written_before_there_were_starts_are_complete(tmp_path):
    generate(tmp_path / 's', 5, **OPTIONS)
    path = tmp_path / 's/scene.json'
    path.write_text(path.read_text().replace(',"start":0.0', ''))
    assert is_complete(tmp_path / 's', 5, OPTIONS)
    with pytest.raises(UserError, match='another scene'):
        is_complete(tmp_path / 's', 5, OPTIONS | {'start': 3.0})


@pytest.mark.parametrize('start', ['soon', '99', '-1'])
def test_a_start_that_is_none_is_refused(tmp_path, capsys, start):
    assert main(['synth', str(tmp_path / 's'), '--seed', '5', f'--start={start}', '--size', '64x36']) == 2
    assert start in capsys.readouterr().err


def test_the_window_is_the_same_for_the_same_seed():
    assert eventful_start(TURNING_SEED, 1.0) == eventful_start(TURNING_SEED, 1.0)
