"""Caches of the demonstration follow their inputs."""

from pathlib import Path

from cooptrack_ros.cli.main import main
from cooptrack_ros.demo.options import DemoOptions


def test_equal_inputs_share_scene_and_bag():
    first, second = DemoOptions(out=Path('a')), DemoOptions(out=Path('a'))
    assert (first.scene, first.bag) == (second.scene, second.bag)


def test_another_seed_length_or_size_is_another_scene():
    options = [DemoOptions(), DemoOptions(seed=20003), DemoOptions(seconds=5), DemoOptions(size=(320, 180)),
               DemoOptions(occupancy='mini')]
    assert len({o.scene for o in options}) == len({o.bag for o in options}) == 5


def test_weights_do_not_change_the_scene():
    assert DemoOptions(weights='random:mini').bag == DemoOptions().bag


def test_voxels_need_a_model_that_finds_them(tmp_path, capsys):
    assert main(['demo', '--occupancy', '--weights', 'random:mini', '--out', str(tmp_path / 'out')]) == 2
    assert "model 'random:mini' has no occupancy head for its vehicle and " in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
