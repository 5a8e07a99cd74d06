"""Fixtures of tests with real ROS nodes."""

import os

# Before rclpy is imported: tests must not talk to other machines.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

import pytest  # noqa: E402
from ros_world import World  # noqa: E402


@pytest.fixture
def world():
    """Give a ROS world on a domain of its own."""
    world = World()
    yield world
    world.close()
