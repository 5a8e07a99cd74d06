"""Bags of others: metadata that differ from the files or are missing, split files in any order, lone files."""

import shutil

import pytest
import yaml
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from std_msgs.msg import String

from cooptrack_msgs.msg import Calibration
from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.cut import cut_bag
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.reader import BagReader, is_latched
from cooptrack_ros.data.bags.types import LATCHED, typestore
from cooptrack_ros.data.bags.writer import BagWriter

START_NS = 1_700_000_000 * 10**9
CALIBRATION, NOTES, LATE = '/ego/camera/calibration', '/notes', '/late'
VOLATILE_TEXT = ('- history: 1\n  depth: 10\n  reliability: 1\n  durability: 2\n  deadline: {sec: 0, nsec: 0}\n'
                 '  lifespan: {sec: 0, nsec: 0}\n  liveliness: 1\n  liveliness_lease_duration: {sec: 0, nsec: 0}\n'
                 '  avoid_ros_namespace_conventions: false\n')


def write(path, numbers, calibrated=True):
    """Write notes with these numbers at as many tenths of a second, with a calibration and a latched note before."""
    with BagWriter(path) as bag:
        if calibrated:
            bag.write(CALIBRATION, Calibration(width=7), START_NS + numbers[0] * 10**8, LATCHED)
            bag.write(LATE, String(data='latched'), START_NS + numbers[0] * 10**8, LATCHED)
        for number in numbers:
            bag.write(NOTES, String(data=str(number)), START_NS + number * 10**8)
    return path


@pytest.fixture
def bag(tmp_path):
    return write(tmp_path / 'bag', range(10))


def edit(bag, change):
    """Change the entry of every topic in the metadata."""
    path = bag / 'metadata.yaml'
    content = yaml.safe_load(path.read_text())
    for topic in content['rosbag2_bagfile_information']['topics_with_message_count']:
        change(topic['topic_metadata'])
    path.write_text(yaml.safe_dump(content))


def notes(path):
    """Return the numbers of all notes in the order of play, and the times."""
    with BagReader(path) as reader:
        wanted = [c for c in reader.connections if c.topic == NOTES]
        found = [(reader.deserialize(c, data).data, log_ns) for c, log_ns, data in reader.messages(wanted)]
    return [int(text) for text, _ in found], [log_ns for _, log_ns in found]


QOS_EDITS = {
    'empty text': lambda t: t.update(offered_qos_profiles=''), 'null': lambda t: t.update(offered_qos_profiles=None),
    'empty list': lambda t: t.update(offered_qos_profiles=[]), 'missing': lambda t: t.pop('offered_qos_profiles'),
    'other text': lambda t: t.update(offered_qos_profiles=VOLATILE_TEXT)}


@pytest.mark.parametrize('edited', QOS_EDITS)
def test_quality_of_service_in_the_metadata_does_not_decide_what_is_read(bag, edited):
    edit(bag, QOS_EDITS[edited])
    assert notes(bag)[0] == list(range(10))
    assert {t.name for t in describe_bag(bag).topics if t.latched} == {CALIBRATION, LATE}


@pytest.mark.parametrize('edited', QOS_EDITS)
def test_a_cut_keeps_what_was_latched_whatever_the_metadata_say(bag, tmp_path, edited):
    edit(bag, QOS_EDITS[edited])
    assert cut_bag(bag, tmp_path / 'cut', 0.45, 0.75) == 3
    assert {t.name: t.count for t in describe_bag(tmp_path / 'cut').topics} == {CALIBRATION: 1, LATE: 1, NOTES: 3}
    assert {t.name for t in describe_bag(tmp_path / 'cut').topics if t.latched} == {CALIBRATION, LATE}


def test_a_calibration_is_latched_also_where_nothing_says_so(bag, tmp_path):
    with Reader(bag) as reader, Writer(tmp_path / 'plain', version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        made = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=typestore()) for c in reader.connections}
        for connection, log_ns, data in reader.messages():
            writer.write(made[connection.id], log_ns, data)
    assert {t.name for t in describe_bag(tmp_path / 'plain').topics if t.latched} == {CALIBRATION}
    cut_bag(tmp_path / 'plain', tmp_path / 'cut', 0.45, None)
    assert {t.name for t in describe_bag(tmp_path / 'cut').topics} == {CALIBRATION, NOTES}


def split(tmp_path, *parts):
    """Write a bag of several files, in this order in the metadata."""
    folder, files, content = tmp_path / 'split', [], None
    for number, part in enumerate(parts):
        bag = write(tmp_path / f'part_{number}', part, calibrated=number == 0)
        folder.mkdir(exist_ok=True)
        shutil.copy(next(bag.glob('*.mcap')), folder / f'split_{number}.mcap')
        files.append(f'split_{number}.mcap')
        content = content or yaml.safe_load((bag / 'metadata.yaml').read_text())
    content['rosbag2_bagfile_information']['relative_file_paths'] = files
    (folder / 'metadata.yaml').write_text(yaml.safe_dump(content))
    return folder


@pytest.mark.parametrize('parts', [(range(5, 10), range(5)), (range(0, 10, 2), range(1, 10, 2))],
                         ids=['one after the other', 'interleaved'])
def test_split_files_are_read_in_order_of_log_time(tmp_path, parts):
    bag = split(tmp_path, *parts)
    numbers, times = notes(bag)
    assert numbers == list(range(10))
    assert times == sorted(times)
    summary = describe_bag(bag)
    assert (summary.start_ns, summary.duration_ns) == (START_NS, 9 * 10**8)
    assert {t.name: t.count for t in summary.topics}[NOTES] == 10


def test_a_lone_file_and_a_folder_without_metadata_are_read(bag, tmp_path):
    file = next(bag.glob('*.mcap'))
    shutil.copy(file, tmp_path / 'lone.mcap')
    (bag / 'metadata.yaml').unlink()
    for path in (tmp_path / 'lone.mcap', bag):
        assert notes(path)[0] == list(range(10))
        assert {t.name for t in describe_bag(path).topics if t.latched} == {CALIBRATION, LATE}
    assert main(['bag', 'info', str(tmp_path / 'lone.mcap')]) == 0
    with BagReader(bag) as reader:
        assert all(is_latched(c) == (c.topic != NOTES) for c in reader.connections)


@pytest.mark.parametrize('metadata', [True, False])
def test_a_recording_that_was_cut_short_names_the_tools_that_mend_it(bag, capsys, metadata):
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:-40])
    if not metadata:
        (bag / 'metadata.yaml').unlink()
    assert main(['bag', 'info', str(bag)]) == 2
    err = capsys.readouterr().err
    assert 'mcap recover' in err and 'ros2 bag reindex' in err and str(bag) in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_a_bag_says_what_is_expected(tmp_path):
    expected = r'cannot be read as a ROS 2 bag: expected .*metadata\.yaml, or a file \*\.mcap'
    for path in (tmp_path, tmp_path / 'missing'):
        with pytest.raises(UserError, match=expected):
            describe_bag(path)
