"""Fixtures of the short fuzz tests; the long campaigns are ``make fuzz``."""

import logging

import pytest


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Undo what an entry point changes in its process, which is its own in a campaign."""
    from cooptrack_ros.nodes.inputs import camera_input, cloud_input
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    for module in (camera_input, cloud_input):
        monkeypatch.setattr(module, 'TRANSFORM_PATIENCE_S', module.TRANSFORM_PATIENCE_S)
    yield
    logging.disable(logging.NOTSET)
