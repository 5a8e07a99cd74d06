"""What all tests share: they stay on this machine, and say at the end what they went without."""

from __future__ import annotations

import os

# Before rclpy is imported: tests must not talk to other machines.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

import pytest
from support import shared


@pytest.fixture
def world():
    """Give a ROS world on a domain of its own."""
    from support.ros_world import World
    world = World()
    yield world
    world.close()


@pytest.fixture
def ego(world):
    """Give a running, calibrated ego node without network."""
    from support.ros_world import EgoWorld
    return EgoWorld(world)


def pytest_terminal_summary(terminalreporter) -> None:
    """Say which tests were skipped for want of the recordings that are kept outside the repository."""
    skipped = [r for r in terminalreporter.stats.get('skipped', ()) if shared.MISSING in str(r.longrepr)]
    if skipped:
        terminalreporter.section(f'{len(skipped)} skipped for want of {shared.VARIABLE}')
        for report in skipped:
            terminalreporter.write_line(report.nodeid)
        terminalreporter.write_line(f'{shared.VARIABLE} names the folder that has them; looked for in {shared.FOLDER}')
