"""The environments that set-up builds: whose wheels, which Pythons, and what it says of those that lack some."""

import re
import sys

import pytest
import setup_env
from setup_env import Environment, SetupError

NOT_FOUND = """#!/bin/sh
echo "ERROR: Could not find a version that satisfies the requirement ros-rclpy==7.1.6" >&2
echo "ERROR: No matching distribution found for ros-rclpy==7.1.6" >&2
exit 1
"""


@pytest.fixture
def no_ros(monkeypatch):
    """Let no ROS be sourced."""
    monkeypatch.delenv('ROS_DISTRO', raising=False)


def names(packages):
    """Return the names of packages without their versions."""
    return {re.split('[=<>]', package)[0] for package in packages}


def test_wheels_are_those_of_one_ros(tmp_path, no_ros):
    jazzy, kilted = (names(Environment(tmp_path, distro=d).requirements()) for d in ('jazzy', 'kilted'))
    assert 'ros-jazzy-rclpy' in jazzy and not any(name.startswith('ros-kilted') for name in jazzy)
    assert 'ros-kilted-rclpy' in kilted and not any(name.startswith('ros-jazzy') for name in kilted)
    assert {name for name in jazzy if not name.startswith('ros-')} == {
        name for name in kilted if not name.startswith('ros-')}
    # Kilted has no such packages any more, and one of its own that generators ask for.
    only = {name.removeprefix('ros-kilted-') for name in kilted} ^ {name.removeprefix('ros-jazzy-') for name in jazzy}
    assert only == {'python-cmake-module', 'fastrtps-cmake-module', 'ament-cmake-ros-core'}


def test_with_a_sourced_ros_no_wheels_of_it_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'kilted')
    assert not any(name.startswith('ros-') for name in Environment(tmp_path).requirements())


def test_a_newer_python_is_not_refused(monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 14, 0))
    monkeypatch.setattr('platform.system', lambda: 'Linux')
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    setup_env.check_machine(None)
    monkeypatch.setattr(sys, 'version_info', (3, 9, 18))
    with pytest.raises(SetupError, match='Python 3.10 or newer'):
        setup_env.check_machine(None)


def test_what_a_python_lacks_is_named(tmp_path, no_ros):
    environment = Environment(tmp_path / 'env')
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text(NOT_FOUND)
    environment.python.chmod(0o755)
    with pytest.raises(SetupError) as error:
        environment.command([str(environment.python)], 'installing packages', missing=['ros-jazzy-rclpy==7.1.6'])
    last = str(error.value).splitlines()[-1]
    assert 'lacks: ros-jazzy-rclpy==7.1.6 (it asks for ros-rclpy==7.1.6). ' in last and 'PYTHON=' in last


@pytest.mark.parametrize('said', ['no route', 'Retrying (Retry(total=0)); No matching distribution found for numpy==1'])
def test_nothing_is_said_to_lack_where_something_else_failed(tmp_path, no_ros, said):
    environment = Environment(tmp_path / 'env')
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    environment.python.chmod(0o755)
    with pytest.raises(SetupError) as error:
        environment.command([str(environment.python)], 'installing packages', missing=['numpy==1'])
    assert said in str(error.value) and 'lacks' not in str(error.value)
