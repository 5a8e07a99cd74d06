"""The layer check finds what it is meant to find."""

import pytest
from lint_layers import ALLOWED, check_file, circles, main, module_graph


def complaints(tmp_path, place, text):
    """Return the complaints about one file of a made-up package."""
    return check_file(made_up(tmp_path, {place: text}) / place, tmp_path / 'cooptrack_ros')


def made_up(tmp_path, files):
    """Return the folder of a package with all our folders and some files."""
    root = tmp_path / 'cooptrack_ros'
    for folder in [*ALLOWED, 'data/bags']:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for place, text in files.items():
        (root / place).write_text(text)
    return root


@pytest.mark.parametrize('place', ['tracking/a.py', 'common/a.py', 'cli/a.py', 'bench/a.py', 'data/a.py', 'train/a.py'])
def test_ros_away_from_the_edge_is_found_also_when_imported_late(tmp_path, place):
    assert complaints(tmp_path, place, 'def f():\n    from rclpy.node import Node\n')
    assert complaints(tmp_path, place, 'import importlib\nimportlib.import_module("sensor_msgs.msg")\n')
    assert complaints(tmp_path, place, 'from cooptrack_msgs.msg import Track\n')


def test_ros_at_the_edge_is_fine(tmp_path):
    for place in ('nodes/a.py', 'wire/a.py', 'replay/a.py', 'doctor/a.py', 'bench/ros_a.py', 'data/bags/a.py'):
        assert not complaints(tmp_path, place, 'import rclpy\nfrom std_msgs.msg import Header\n')


def test_imports_upwards_are_found(tmp_path):
    assert complaints(tmp_path, 'common/a.py', 'from ..nodes import settings\n')
    assert complaints(tmp_path, 'model/a.py', 'from cooptrack_ros.train import loop\n')
    assert complaints(tmp_path, 'tracking/a.py', 'def f():\n    from ..weights.store import open_model\n')
    assert not complaints(tmp_path, 'train/a.py', 'from ..common import types\nfrom ..model.network import X\n')


def test_only_bags_of_data_know_messages(tmp_path):
    assert complaints(tmp_path, 'data/a.py', 'from ..wire.arrays import stamp_ns\n')
    assert not complaints(tmp_path, 'data/bags/a.py', 'from ...wire.arrays import stamp_ns\n')


def test_folders_of_one_row_do_not_import_each_other(tmp_path):
    assert complaints(tmp_path, 'eval/a.py', 'from ..train.loop import X\n')
    assert complaints(tmp_path, 'sensors/a.py', 'from ..cooperation import matching\n')


def test_the_table_has_no_circle():
    assert circles({name: below - {name} for name, below in ALLOWED.items()}) == []


def test_a_folder_that_nobody_placed_is_found(tmp_path):
    (tmp_path / 'cooptrack_ros/core').mkdir(parents=True)
    assert complaints(tmp_path, 'core/a.py', 'x = 1\n')


def test_a_long_file_is_found(tmp_path):
    assert complaints(tmp_path, 'common/a.py', 'x = 1\n' * 401)
    assert not complaints(tmp_path, 'common/b.py', 'x = 1\n' * 400)


def test_circles_are_found_even_if_only_type_checkers_see_them(tmp_path, capsys):
    late = 'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .c import C\n'
    root = made_up(tmp_path, {'common/a.py': 'from .b import B\n', 'common/b.py': late,
                              'common/c.py': 'def f():\n    from . import a\n', 'common/d.py': 'from .a import B\n'})
    assert circles(module_graph(root)) == [[f'cooptrack_ros.common.{name}' for name in 'abc']]
    assert main([str(root)]) == 1 and 'circle of imports' in capsys.readouterr().out
    (root / 'common/c.py').write_text('')
    assert circles(module_graph(root)) == []
