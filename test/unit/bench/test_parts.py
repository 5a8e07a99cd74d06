"""Benchmarks of wire format, data and training, in small."""

from dataclasses import replace

import pytest
from support.configs import TINY

from cooptrack_ros.bench.data import measure_data
from cooptrack_ros.bench.report import lines
from cooptrack_ros.bench.ros_codec import measure_codec
from cooptrack_ros.bench.train import TrainSetting, measure_train


def test_smaller_encodings_make_smaller_messages():
    result = measure_codec(8, [24], 3)
    size = {(r['encoding'], r['compact']): r['bytes'] for r in result['rows']}
    assert size['int8', True] < size['float16', True] < size['float32', True] < size['float32', False]
    assert all(r['times_ms']['total']['p50'] > 0 for r in result['rows'])
    assert len(lines(result)) > len(size)


def test_all_ways_to_read_a_scene_are_timed():
    result = measure_data(0.5, (160, 90), TINY)
    assert {'generate', 'read records', 'augment and prepare', 'write bag, messages',
            'read bag, messages'} <= result['parts'].keys()
    assert all(part['count'] > 0 for part in result['parts'].values())
    assert result['parts']['generate']['count'] > 5


@pytest.mark.parametrize('workers', [0, 1])
def test_waiting_is_a_part_of_the_step(workers, scenes):
    scene = scenes.scene(9999, 0.6, (160, 90))
    result = measure_train(TrainSetting(replace(TINY, num_queries=30), data=[scene], steps=2, warmup=1,
                                        workers=workers))
    assert 0 < result['wait_ms'] < result['step_ms']
    assert result['wait_share'] == pytest.approx(result['wait_ms'] / result['step_ms'])
    assert (result['steps'], result['warmup']) == (2, 1)
