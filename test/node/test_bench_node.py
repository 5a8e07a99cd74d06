"""The benchmark of a node starts a real one and gets an answer to every frame."""

import json

import pytest

from cooptrack_ros.cli.main import main

pytestmark = pytest.mark.xdist_group('several processes')


@pytest.mark.parametrize('node', ['ego', 'roadside'])
def test_every_frame_is_answered_and_accounted_for(node, tmp_path):
    out = tmp_path / 'out.json'
    assert main(['bench', 'node', '--node', node, '--config', 'tiny', '--frames', '6', '--warmup', '1', '--num-tracks',
                 '10', '--instances', '4', '--camera-size', '160x90', '--json', str(out)]) == 0
    result = json.loads(out.read_text())
    times = result['times_ms']
    assert times['whole frame']['p50'] > times['outside the network']['p50'] > 0
    assert {'stage decode', 'stage publish', 'stage decoder'} <= times.keys()
    assert ('stage fusion' in times) == (node == 'ego')
    assert result['memory']['start_mib'] > 10 and result['start_s'] > 0
    assert result['tracks']['most'] > 0


def test_frames_at_a_rate_are_answered_or_left_out(tmp_path):
    out = tmp_path / 'out.json'
    assert main(['bench', 'node', '--config', 'tiny', '--frames', '6', '--warmup', '1', '--num-tracks', '10',
                 '--instances', '4', '--camera-size', '160x90', '--rate-hz', '20', '--json', str(out)]) == 0
    result = json.loads(out.read_text())
    assert result['rate_hz'] == 20 and 0 < result['answered'] <= 6
    assert result['times_ms']['whole frame']['p50'] > 0
