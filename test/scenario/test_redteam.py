"""A live node outlives attacks; all of them, longer, are ``make redteam``."""

import pytest
from redteam.__main__ import attack_of
from redteam.drive import make_drive
from redteam.shooting_range import ShootingRange

FRAMES = 8


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """Give a second of small images."""
    return make_drive(tmp_path_factory.mktemp('redteam'), 1.0, (192, 108), 'mini')


@pytest.mark.parametrize('name', ['crowd_of_one', 'no_message'])
def test_the_vehicle_answers_while_it_is_attacked(drive, tmp_path, name):
    with ShootingRange(attack_of(name), drive, tmp_path, 'mini') as target:
        figures = target.attack(FRAMES)
    assert figures.alive and figures.answered == figures.images == FRAMES
    assert figures.log_bytes < 100_000
