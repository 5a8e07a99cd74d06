"""The sequence that is learned by heart, and the command that does it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cooptrack_ros.bench.occupancy_overfit import FRAMES, ToySequence
from cooptrack_ros.cli.main import main
from cooptrack_ros.occupancy.grids import GRIDS, LABELLED, TOY
from cooptrack_ros.occupancy.label_file import read_voxels
from cooptrack_ros.viz.draw import bgr_of


@pytest.fixture(scope='module')
def sequence(tmp_path_factory):
    """Return the sequence."""
    return ToySequence(tmp_path_factory.mktemp('toy'))


def test_four_blocks_drive_through_the_grid_and_the_camera_sees_them(sequence):
    labels = [read_voxels(record.occupancy[TOY]) for record in sequence.records('vehicle-side')]
    assert len(labels) == FRAMES and labels[0].semantics.shape == GRIDS[TOY].vehicle.shape
    for frame in labels:
        sizes = np.bincount(frame.instances.ravel(), minlength=5)[1:]
        seen = np.bincount(frame.instances[frame.mask_camera != 0], minlength=5)[1:]
        assert (sizes >= 32).all() and (seen >= 5).all()
    assert (labels[0].instances != labels[-1].instances).any()
    assert set(np.unique(labels[0].semantics)) == {1, 4, 5}


def test_the_images_show_them(sequence):
    image, projection = sequence.records('vehicle-side')[0].cameras[0].read()
    assert image.shape == (96, 160, 3) and projection.shape == (4, 4)
    for identity in range(1, 5):
        face = 0.75 * np.array(bgr_of(identity))
        assert (np.abs(image - face).sum(-1) < 12).any()


def test_only_data_sets_can_have_labels_of_other_grids():
    assert TOY in GRIDS and TOY not in LABELLED


def test_a_run_that_is_too_short_does_not_reach_the_goal_and_says_so(tmp_path, capsys):
    written = ['--out', str(tmp_path / 'run'), '--json', str(tmp_path / 'f.json')]
    assert main(['occupancy', 'overfit', '--steps', '2', *written]) == 1
    figures = json.loads((tmp_path / 'f.json').read_text())
    assert figures['steps'] == 2 and figures['grid'] == TOY and not figures['goal_reached']
    assert list(figures['arms']) == ['own', 'ab3dmot', 'minvis'] and figures['frames'] == FRAMES
    assert 'goal: 0.80 within 10' in capsys.readouterr().out


def test_no_steps_are_refused(tmp_path, capsys):
    assert main(['occupancy', 'overfit', '--out', str(tmp_path), '--steps', '0']) == 2
    assert '--steps is 0, expected 1 or more' in capsys.readouterr().err
