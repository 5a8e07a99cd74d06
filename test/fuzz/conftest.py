"""Fixtures of the short fuzz tests; the long campaigns are ``make fuzz``."""

import logging
import os
import sys
from pathlib import Path

import pytest

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / 'tools'), str(_ROOT / 'test/node')]


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Undo what an entry point changes in its process, which is its own in a campaign."""
    from cooptrack_ros.nodes import camera_input
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setattr(camera_input, '_TRANSFORM_PATIENCE_S', camera_input._TRANSFORM_PATIENCE_S)
    yield
    logging.disable(logging.NOTSET)
