"""One small synthetic scene that the tests of this folder share."""

import pytest

from cooptrack_ros.data.synth import generate, make_scene

SEED, SECONDS, SIZE = 20006, 1.0, (240, 135)


@pytest.fixture(scope='session')
def scene_folder(tmp_path_factory):
    """Return the folder of a scene with two roadside units and point clouds."""
    root = tmp_path_factory.mktemp('synth') / 'scene'
    generate(root, SEED, SECONDS, SIZE, units=2, lidar=True)
    return root


@pytest.fixture(scope='session')
def scene():
    """Return the world behind ``scene_folder``."""
    return make_scene(SEED, SECONDS, SIZE)
