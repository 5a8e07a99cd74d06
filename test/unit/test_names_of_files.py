"""Names of files that are not UTF-8 are names like others: read, written, and spelt out where they are printed."""

import json
import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.forked import run

SOURCE = Path(__file__).parents[2]
CASES = SOURCE / 'test' / 'data' / 'result_cases'
NAME = os.fsdecode(b'caf\xe9')


@pytest.fixture
def folder(tmp_path):
    (tmp_path / NAME).mkdir()
    return tmp_path / NAME


cooptrack = partial(run, 'cooptrack')
"""Runs the command as a program: a fault of the memory must not end the tests."""


def picture(path, size=(540, 960)):
    path.write_bytes(cv2.imencode('.png', np.full((*size, 3), 90, np.uint8))[1].tobytes())
    return path


@pytest.mark.parametrize('given', ['out.png', None])
def test_doctor_draws_into_an_image(folder, given):
    image = picture(folder / f'{NAME}.png')
    where = [] if given is None else ['-o', folder / given]
    result = cooptrack('doctor', '--calibration', SOURCE / 'config/calibration.example.yaml', '--image', image,
                       *where, '--json', folder / 'out.json')
    assert result.status == 0, result.error
    drawn = cv2.imdecode(np.fromfile(folder / (given or f'{NAME}_calibration.png'), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (540, 960, 3) and (drawn != 90).any()
    assert json.loads((folder / 'out.json').read_text())['findings'] == []


@pytest.mark.parametrize(('content', 'complaint'), [(None, 'No such file'), (b'no image', 'not a readable image')])
def test_doctor_names_an_image_that_cannot_be_read(folder, content, complaint):
    image = folder / 'a.png'
    if content is not None:
        image.write_bytes(content)
    result = cooptrack('doctor', '--calibration', SOURCE / 'config/calibration.example.yaml', '--image', image)
    assert result.status == 2 and complaint in result.error
    assert len(result.error.splitlines()) == 1


def test_doctor_names_an_output_that_is_no_image(folder):
    image = picture(folder / 'a.png')
    result = cooptrack('doctor', '--calibration', SOURCE / 'config/calibration.example.yaml', '--image', image,
                       '-o', folder / 'out.xyz')
    assert result.status == 2 and 'expected one like out.png' in result.error


def test_results_are_measured_and_drawn(folder):
    file = folder / f'{NAME}.json'
    file.write_bytes((CASES / 'no_car_class.json').read_bytes())
    result = cooptrack('eval-json', file, '--json', folder / 'figures.json',
                       '--nuscenes', folder / f'{NAME}_nusc.json')
    assert result.status == 0, result.error
    # Two of one name are told apart by their files.
    result = cooptrack('render', file, file, '-o', folder / 'drawn')
    assert result.status == 0, result.error
    assert (folder / 'drawn' / 'report.html').stat().st_size > 1000


def test_pictures_and_video_of_a_recording_are_written(folder):
    from cooptrack_ros.viz.image_files import VideoFile, write_image
    write_image(folder / 'a.png', np.zeros((8, 8, 3), np.uint8))
    assert cv2.imdecode(np.fromfile(folder / 'a.png', np.uint8), cv2.IMREAD_COLOR).shape == (8, 8, 3)
    video = VideoFile(folder / 'tracks.mp4', 10)
    for grey in (0, 200):
        video.add(np.full((64, 64, 3), grey, np.uint8))
    assert video.close() == (folder / 'tracks.mp4').is_file()
