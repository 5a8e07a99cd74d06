"""A cut of a bag holds the messages of its time unchanged, and whatever was latched before."""

import json

import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String

from cooptrack_msgs.msg import Calibration
from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.cut import cut_bag
from cooptrack_ros.data.bags.info import CUSTOM_DATA_KEY, describe_bag
from cooptrack_ros.data.bags.standard_messages import header
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter

START_NS = 1_700_000_000 * 10**9
STEP_NS = 100_000_000
FRAMES = 20
IMAGES, CALIBRATION, NOTES = '/ego/camera/image/compressed', '/ego/camera/calibration', '/notes'


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Write 2 s of images at 10 Hz with a calibration at the start and a later one, in that order of time."""
    path = tmp_path_factory.mktemp('bags') / 'bag'
    frames = [[f'frame{i}', START_NS + i * STEP_NS] for i in range(FRAMES)]
    with BagWriter(path) as writer:
        writer.set_custom_data(CUSTOM_DATA_KEY, json.dumps({
            'format': 'cooptrack-bag/1', 'ego_frames': frames, 'infra_frames': [],
            'pairs': [[ns, ns - 1] for _, ns in frames]}))
        for i in range(FRAMES):
            now = START_NS + i * STEP_NS
            if i in (0, 5):
                writer.write(CALIBRATION, Calibration(header=header(now, 'camera'), width=i + 1), now, LATCHED)
            writer.write(NOTES, String(data=f'note {i}'), now)
            data = np.random.default_rng(i).integers(0, 256, 50, np.uint8).tobytes()
            writer.write(IMAGES, CompressedImage(header=Header(stamp=header(now, '').stamp), data=data), now)
    return path


def entries(path):
    """Return (topic, log time, bytes) in the order of play."""
    with Reader(path) as reader:
        return [(c.topic, log_ns, bytes(data)) for c, log_ns, data in reader.messages()]


def test_a_cut_has_the_images_of_its_time_byte_by_byte(bag, tmp_path):
    cut_bag(bag, tmp_path / 'cut', 1.0, 1.5)
    within = [e for e in entries(bag) if START_NS + 10 * STEP_NS <= e[1] < START_NS + 15 * STEP_NS]
    found = entries(tmp_path / 'cut')
    assert [e for e in found if e[0] != CALIBRATION] == within
    assert sum(topic == IMAGES for topic, _, _ in found) == 5


def test_what_was_latched_before_stands_at_the_start_in_its_order(bag, tmp_path):
    cut_bag(bag, tmp_path / 'cut', 1.0, 1.5)
    before = [data for topic, _, data in entries(bag) if topic == CALIBRATION]
    first, second, third = entries(tmp_path / 'cut')[:3]
    assert [first, second] == [(CALIBRATION, START_NS + 10 * STEP_NS, data) for data in before]
    assert third[0] != CALIBRATION
    latched = {t.name for t in describe_bag(tmp_path / 'cut').topics if t.latched}
    assert latched == {CALIBRATION}


def test_a_latched_message_within_the_cut_keeps_its_time(bag, tmp_path):
    cut_bag(bag, tmp_path / 'cut', 0.2, 0.6)
    times = [(log_ns - START_NS) // STEP_NS for topic, log_ns, _ in entries(tmp_path / 'cut') if topic == CALIBRATION]
    assert times == [2, 5]


def test_cuts_side_by_side_make_the_whole(bag, tmp_path):
    counts = [cut_bag(bag, tmp_path / 'first', 0.0, 0.7), cut_bag(bag, tmp_path / 'second', 0.7, None)]
    assert sum(counts) == len(entries(bag))


def test_the_description_tells_of_the_frames_that_are_left(bag, tmp_path):
    cut_bag(bag, tmp_path / 'cut', 1.0, 1.5)
    description = describe_bag(tmp_path / 'cut').description
    assert [name for name, _ in description['ego_frames']] == [f'frame{i}' for i in range(10, 15)]
    assert len(description['pairs']) == 5
    assert description['format'] == 'cooptrack-bag/1'


def test_topics_can_be_chosen(bag, tmp_path):
    cut_bag(bag, tmp_path / 'cut', 0.0, None, [NOTES])
    assert {topic for topic, _, _ in entries(tmp_path / 'cut')} == {NOTES}
    with pytest.raises(UserError, match='has no topic /nots'):
        cut_bag(bag, tmp_path / 'other', 0.0, None, ['/nots'])


@pytest.mark.parametrize(('from_s', 'to_s'), [(5.0, None), (1.01, 1.05), (1.0, 1.0), (-1.0, 1.0)])
def test_an_empty_cut_is_an_error_and_leaves_nothing(bag, tmp_path, from_s, to_s):
    with pytest.raises(UserError, match='no message in that cut|is empty'):
        cut_bag(bag, tmp_path / 'cut', from_s, to_s)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(bag, tmp_path, capsys):
    command = ['bag', 'cut', str(bag), '-o', str(tmp_path / 'cut'), '--to', '0.5']
    assert main(command) == 0
    assert '11 messages' in capsys.readouterr().out
    before = entries(tmp_path / 'cut')
    assert main(command) == 2
    assert 'exists already' in capsys.readouterr().err
    assert entries(tmp_path / 'cut') == before
