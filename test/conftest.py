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


@pytest.fixture(scope='session')
def scenes(tmp_path_factory):
    """Give synthetic scenes and bags, which all processes of this run share."""
    from support.scenes import Scenes
    base = tmp_path_factory.getbasetemp()
    return Scenes((base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base) / 'scenes')


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items) -> None:
    """Let one process have all tests of a file, so that it makes their fixtures once, unless they are independent."""
    for item in items:
        if not any(item.iter_markers('xdist_group')) and not any(item.iter_markers('independent')):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_terminal_summary(terminalreporter) -> None:
    """Say which tests were skipped for want of the recordings that are kept outside the repository."""
    skipped = [r for r in terminalreporter.stats.get('skipped', ()) if shared.MISSING in str(r.longrepr)]
    if skipped:
        terminalreporter.section(f'{len(skipped)} skipped for want of {shared.VARIABLE}')
        for report in skipped:
            terminalreporter.write_line(report.nodeid.partition('@')[0])
        terminalreporter.write_line(f'{shared.VARIABLE} names the folder that has them; looked for in {shared.FOLDER}')
