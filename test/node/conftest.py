"""Fixtures of tests with real ROS nodes."""

import os

# Before rclpy is imported: tests must not talk to other machines.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

import pytest
from ros_world import World


@pytest.fixture
def world():
    """Give a ROS world on a domain of its own."""
    world = World()
    yield world
    world.close()
