"""A benchmark of the network runs both paths over the same frames and says what it did."""

import json
import subprocess
import sys

import pytest
import torch
from support.configs import SIZE, TINY, write_config

from cooptrack_ros.bench.model import ModelSetting, Repeats, measure_model
from cooptrack_ros.bench.networks import bench_network, settle_live_tracks
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.instance_filter import distinct
from cooptrack_ros.tracking.tracker import AgentTracker


def test_every_figure_of_the_contract_is_there():
    setting = ModelSetting(TINY, Side.COOPERATIVE, None, instances=4, units=2, num_tracks=10, camera_size=SIZE)
    result = measure_model(setting, repeats=Repeats(1, 3))
    json.dumps(result)
    assert {'speedup', 'step_over_backbone', 'reference_ms', 'fast_ms', 'stages', 'machine', 'max_difference',
            'reference_over_backbone', 'memory', 'arithmetic'} <= result.keys()
    assert result['speedup'] == pytest.approx(result['reference_ms'] / result['fast_ms'])
    assert result['step_over_backbone'] == pytest.approx(result['fast_ms'] / result['backbone_ms'])
    assert {'alignment', 'fusion', 'decoder'} <= result['stages']['reference'].keys()
    assert result['times_ms']['decode']['worst'] >= result['times_ms']['decode']['p50'] > 0
    assert result['machine']['threads'] == torch.get_num_threads()
    assert result['differences']['tracks'] > 0 and result['differences']['unmatched'] == 0
    assert result['max_difference'] < 1e-3


def test_integers_take_the_place_of_the_fast_path_and_say_how_many_tracks_differ():
    setting = ModelSetting(TINY, num_tracks=10, camera_size=SIZE, execution='int8')
    result = measure_model(setting, repeats=Repeats(0, 2))
    assert result['execution'] == 'int8'
    assert result['fast_ms'] > 0 and result['max_difference'] > 1e-5
    assert result['differences']['unmatched'] < result['differences']['tracks']


def test_one_path_alone_is_not_compared():
    result = measure_model(ModelSetting(TINY, num_tracks=0, camera_size=SIZE), repeats=Repeats(0, 1),
                           paths=('reference',))
    assert 'speedup' not in result and 'fast_ms' not in result
    assert result['stages'].keys() == {'reference'}


@pytest.mark.parametrize('side', list(Side))
def test_about_as_many_tracks_live_as_asked_for(side):
    scene = BenchScene(TINY, side, SIZE)
    tracker = AgentTracker(bench_network(TINY, side, None), TINY, side)
    settle_live_tracks(tracker, scene, 12)
    state = tracker.initial()
    for index in range(6):
        state, _ = tracker.step(state, scene.frame(index))
    assert 6 <= len(state.tracks) <= 24


def test_no_two_units_contribute_the_same_object():
    messages = BenchScene(TINY, Side.COOPERATIVE, SIZE, instances=256, units=4).messages(0)
    assert [int(keep.sum()) for keep in distinct(messages)] == [256] * 4


def test_images_and_poses_go_on_without_jumps():
    scene = BenchScene(TINY, Side.VEHICLE, SIZE)
    numbers = [scene.image_number(i) for i in range(30)]
    assert max(abs(a - b) for a, b in zip(numbers, numbers[1:])) == 1
    frames = [scene.frame(i) for i in range(3)]
    assert frames[1].stamp_ns - frames[0].stamp_ns == 100_000_000
    assert frames[2].global_from_ego[0, 3] == pytest.approx(1.6)


@pytest.mark.parametrize('arguments, words', [
    ((Side.VEHICLE, SIZE, 3), 'takes no messages'), ((Side.COOPERATIVE, SIZE, 600, 2), 'at most 1024')])
def test_impossible_scenes_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        BenchScene(TINY, *arguments)


@pytest.mark.parametrize('options, words', [
    (['--instances', 'many'], '--instances must look like'), (['--units', '3..x'], '--units must look like'),
    (['--input-size', 'large'], 'a size must look like'), (['--config', 'none'], 'no configuration'),
    (['--weights', 'mini', '--queries', '5'], '--queries')])
def test_wrong_options_are_reported_by_name(options, words, capsys):
    assert main(['bench', 'model', *options]) == 2
    assert words in capsys.readouterr().err


def test_the_command_needs_neither_ros_nor_the_tools_around_it(tmp_path):
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('rclpy', 'cooptrack_msgs', 'sensor_msgs', 'rosbags', 'rich', 'safetensors',
                                  'matplotlib', 'nuscenes', 'motmetrics'):
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from cooptrack_ros.cli.main import main
sys.exit(main(['bench', 'model', '--config', {str(write_config(tmp_path))!r}, '--frames', '1', '--warmup', '0',
               '--num-tracks', '0', '--side', 'cooperative', '--instances', '0,3', '--camera-size', '160x90',
               '--json', {str(tmp_path / 'out.json')!r}]))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / 'out.json').read_text())
    assert [row['instances'] for row in result['rows']] == [0, 3]
    assert result['wire'] == {}


@pytest.mark.gpu
def test_a_gpu_gives_the_same_figures():
    result = measure_model(ModelSetting(TINY, num_tracks=10, camera_size=SIZE), 'cuda', Repeats(2, 5))
    assert result['machine']['gpu']['name']
    assert result['memory']['cuda_peak_mib_fast'] > 0
