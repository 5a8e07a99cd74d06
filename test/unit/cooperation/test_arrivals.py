"""Recorded orders of arrival: which message a frame uses, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from cooptrack_ros.common.types import Boxes, InstanceSet, RoadsideMessage
from cooptrack_ros.cooperation.instance_filter import distinct
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitBuffer, UnitMessage
from cooptrack_ros.cooperation.sessions import StaleMessage

SCENES = sorted((Path(__file__).parents[2] / 'data/arrivals').glob('*.yaml'))
MS = 1_000_000


def message(session, sequence, stamp_ms):
    """Return an empty message."""
    return UnitMessage('u', stamp_ms * MS, session, sequence, 'model', InstanceSet.empty(4), np.eye(4))


@pytest.mark.parametrize('path', SCENES, ids=lambda p: p.stem)
def test_a_recorded_order_of_arrival(path):
    scene = yaml.safe_load(path.read_text())
    buffer = UnitBuffer(PairingConfig(max_infra_age_s=scene.get('max_age_ms', 1000) / 1e3))
    waiting, refused, used = sorted(scene['arrivals']), [], {}
    for frame_ms in scene['frames']:
        while waiting and waiting[0][0] <= frame_ms:
            arrives_ms, *content = waiting.pop(0)
            try:
                buffer.add(message(*content))
            except StaleMessage:
                refused.append([arrives_ms, content[1]])
        found = buffer.newest_for(frame_ms * MS)
        earlier = found and buffer.before(found)
        used[frame_ms] = found and [found.stamp_ns // MS, earlier[-1].stamp_ns // MS if earlier else None]
    assert used == scene['frames'] and refused == scene['refused'] and not waiting


def unit(name, x, score, label=0):
    """Return the message of a unit that sees one object at a place ahead of the vehicle."""
    boxes = Boxes(np.array([[x, 0.0, 0.0]]), np.ones((1, 3)), np.zeros(1), np.zeros((1, 2)),
                  np.array([label]), np.array([score]), np.zeros(1, np.int64))
    rows, feature = np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32)
    instances = InstanceSet(boxes, rows, feature, feature, feature, rows, np.zeros(1, np.float32), rows)
    return RoadsideMessage(name, 0, instances, np.eye(4))


@pytest.mark.parametrize(('other', 'used'), [
    (unit('b', 21.5, 0.9), [False, True]), (unit('b', 21.5, 0.7), [True, False]), (unit('b', 23.0, 0.9), [True, True]),
    (unit('b', 20.5, 0.9, label=2), [True, True])],
    ids=['the surer one counts', 'or the first', 'farther apart: two objects', 'of two classes: two objects'])
def test_two_units_that_disagree(other, used):
    assert [bool(keep[0]) for keep in distinct([unit('a', 20.0, 0.8), other])] == used
