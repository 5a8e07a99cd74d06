"""The layer check finds what it is meant to find."""



from lint_layers import check_file


def complaints(tmp_path, place, text):
    """Return the complaints about one file of a made-up package."""
    root = tmp_path / 'cooptrack_ros'
    for folder in ('core', 'model', 'nodes', 'wire', 'data', 'cli', 'train'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    path = root / place
    path.write_text(text)
    return check_file(path, root)


def test_ros_in_the_core_is_found_also_when_imported_late(tmp_path):
    assert complaints(tmp_path, 'core/a.py', 'def f():\n    from rclpy.node import Node\n')
    assert complaints(tmp_path, 'core/b.py', 'import importlib\nimportlib.import_module("sensor_msgs.msg")\n')
    assert complaints(tmp_path, 'train/c.py', 'from cooptrack_msgs.msg import Track\n')


def test_ros_at_the_edge_is_fine(tmp_path):
    for place in ('nodes/a.py', 'wire/a.py', 'cli/a.py', 'data/bag_a.py'):
        assert not complaints(tmp_path, place, 'import rclpy\nfrom std_msgs.msg import Header\n')


def test_imports_upwards_are_found(tmp_path):
    assert complaints(tmp_path, 'core/a.py', 'from ..nodes import settings\n')
    assert complaints(tmp_path, 'model/a.py', 'from cooptrack_ros.train import loop\n')
    assert not complaints(tmp_path, 'train/a.py', 'from ..core import types\nfrom ..model.network import X\n')


def test_a_long_file_is_found(tmp_path):
    assert complaints(tmp_path, 'core/a.py', 'x = 1\n' * 401)
    assert not complaints(tmp_path, 'core/b.py', 'x = 1\n' * 400)
