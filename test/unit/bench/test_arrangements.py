"""Arrangements of both nodes: their commands, and the tables of what was compared."""

from pathlib import Path

import both_nodes
import pytest
from both_nodes import ARMS, DEFAULT, Arm, apart, lockstep, merged
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from cooptrack_msgs.msg import Track, TrackArray
from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.bench.report import TABLES
from cooptrack_ros.data.bags.types import typestore


def node(answered):
    """Return the figures of a node."""
    times = {'p50': 100.0, 'p95': 120.0}
    return {'images': 10, 'answered': answered, 'answered_share': answered / 10,
            'latency_ms': {part: times for part in ('total', 'wait', 'compute')}}


def test_every_executor_is_compared_in_two_processes_and_in_one():
    assert len({arm.name for arm in ARMS}) == len(ARMS) == 4 and DEFAULT in {arm.name for arm in ARMS}
    for arm in ARMS:
        commands = arm.commands('mini', lockstep=True)
        assert set(commands) == ({'both'} if arm.in_one else {'ego', 'roadside'})
        words = [word for command in commands.values() for word in command]
        assert words.count(f'executor:={arm.executor}') == words.count('lockstep:=true') == 2
        assert ('--ego' in words and '--roadside' in words) == arm.in_one


def test_nodes_of_before_are_not_given_what_they_do_not_know():
    commands = Arm('before', sources=Path('src')).commands('mini', lockstep=False)
    assert set(commands) == {'ego', 'roadside'} and not any('executor' in w for c in commands.values() for w in c)


def test_the_table_says_whose_tracks_are_the_same():
    arms = {name: {'nodes': {'ego': node(9), 'roadside': node(10)}} for name in ('a', 'b', 'c')}
    for name, tracks in (('a', 'x'), ('b', 'x'), ('c', 'y')):
        arms[name]['lockstep'] = {'images': 10, 'cpu_s': 2.0, 'cpu_ms_per_frame': 200.0, 'tracks_sha256': tracks}
    result = {'schema': both_nodes.SCHEMA, 'weights': 'mini', 'machine': describe_machine(), 'arms': arms}
    rows = TABLES['both']({'r': result})
    assert rows[4].startswith('| a | ego | 10 | 9 |') and rows[5].startswith('| a | roadside | 10 | 10 |')
    assert [row.split(' | ')[-1] for row in rows[-3:]] == ['yes |', 'yes |', 'no |']
    for arm in arms.values():
        del arm['lockstep']
    assert TABLES['both']({'r': result})[-1].startswith('| c | roadside |')


def answers(*frames):
    """Return the tracks of frames, 0.1 s apart: the places of tracks along x, by number."""
    messages = []
    for frame, places in enumerate(frames):
        message = TrackArray(tracks=[Track(id=number) for number in places])
        message.header.stamp.sec, message.header.stamp.nanosec = 5, frame * 100_000_000
        for track, x in zip(message.tracks, places.values(), strict=True):
            track.pose.position.x = x
        messages.append(message)
    return messages


@pytest.fixture
def content(monkeypatch):
    """Let messages of ROS stand for those of a recording."""
    monkeypatch.setattr(both_nodes, '_content', lambda message: repr(message).encode())


@pytest.mark.parametrize(('second', 'expected'), [
    ([{1: 4.0}, {1: 5.0, 2: 7.0}], (0, None, 0.0)),
    ([{1: 4.0}, {1: 5.5, 2: 7.25}], (1, 5_100_000_000, 0.5)),
    ([{1: 4.25}, {1: 5.0, 3: 7.0}], (2, 5_000_000_000, None)),
    ([{1: 4.0}], (1, 5_100_000_000, None))], ids=['same', 'moved', 'other tracks', 'frame missing'])
def test_what_differs_between_two_runs_is_told(content, second, expected):
    found = apart(answers(*second), answers({1: 4.0}, {1: 5.0, 2: 7.0}))
    assert (found['frames_apart'], found['first_apart_ns'], found['apart_m']) == expected


def test_bytes_between_the_fields_of_messages_are_no_difference():
    sent = bytearray(serialize_message(TrackArray(header=Header(frame_id='lidar_'), mode='late')))
    after = sent.index(b'lidar_\0') + len(b'lidar_\0')
    read = [typestore().deserialize_cdr(bytes(sent), 'cooptrack_msgs/msg/TrackArray')]
    sent[after] ^= 0xff
    again = [typestore().deserialize_cdr(bytes(sent), 'cooptrack_msgs/msg/TrackArray')]
    assert apart(again, read)['frames_apart'] == 0
    digests = {lockstep({'ego_images': 1, 'cpu_s': 1.0}, run, read)['tracks_sha256'] for run in (read, again)}
    assert len(digests) == 1


def test_rounds_are_put_together_and_the_one_that_differs_counts():
    def run(answered, p50, cpu_s, frames_apart):
        figures = {'images': 10, 'answered': answered, 'latency_ms': {'total': {'p50': p50}}}
        return {'nodes': {'ego': figures, 'roadside': figures}, 'modes': {'cooperative': answered}, 'cpu_s': cpu_s,
                'lockstep': {'images': 10, 'cpu_s': cpu_s, 'tracks_sha256': f'{frames_apart}',
                             'frames_apart': frames_apart, 'first_apart_ns': None, 'apart_m': 0.0}}
    found = merged([run(9, 100.0, 2.0, 0), run(10, 90.0, 1.0, 3), run(8, 70.0, 3.0, 0)])
    assert found['nodes']['ego'] == {'images': 30, 'answered': 27, 'answered_share': 0.9,
                                     'latency_ms': {'total': {'p50': 90.0}}}
    assert found['modes'] == {'cooperative': 27} and found['cpu_s'] == 6.0
    played = found['lockstep']
    assert (played['images'], played['cpu_ms_per_frame'], played['tracks_sha256']) == (30, 200.0, '3')


def test_engines_stand_beside_the_fast_path():
    engines = {'fast': {'cpu_ms': {'p50': 50.0}, 'over_fast': 1.0},
               'onnxruntime': {'cpu_ms': {'p50': 60.0}, 'over_fast': 1.2}}
    result = {'schema': 'cooptrack-bench-engines/1', 'side': 'vehicle', 'frames': 9, 'machine': describe_machine(),
              'versions': {'onnxruntime': '1.0'}, 'engines': engines, 'differences': {'onnxruntime': {'unmatched': 0}}}
    rows = TABLES['engines']({'r': result})
    assert rows[4].startswith('| fast | 50') and rows[5].startswith('| onnxruntime 1.0 | 60')
    assert rows[5].endswith('1.20 | 0 |')
