"""Fixtures of the scenario tests: the same ROS world as in test/node."""

import os
import sys
from pathlib import Path

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
sys.path.insert(0, str(Path(__file__).parents[1] / 'node'))

import pytest
from ros_world import EgoWorld, World


@pytest.fixture
def world():
    """Give a ROS world on a domain of its own."""
    world = World()
    yield world
    world.close()


@pytest.fixture
def ego(world):
    """Give a running, calibrated ego node without network."""
    return EgoWorld(world)
