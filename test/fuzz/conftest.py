"""Fixtures of the short fuzz tests; the long campaigns are ``make fuzz``."""

import logging

import pytest


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Undo what an entry point changes in its process, which is its own in a campaign."""
    from cooptrack_ros.nodes.inputs import camera_input
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setattr(camera_input, '_TRANSFORM_PATIENCE_S', camera_input._TRANSFORM_PATIENCE_S)
    yield
    logging.disable(logging.NOTSET)
