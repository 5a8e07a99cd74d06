"""A unit that flies: every message is placed by the pose that it tells, whichever frame it is used in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_compensation import message as one_car

from cooptrack_ros.common.geometry import make_pose, rotation_xyz, transform_points
from cooptrack_ros.common.types import RoadsideMessage
from cooptrack_ros.cooperation.compensation import displacement, fitted_velocities
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitMessage, UnitPairing
from cooptrack_ros.eval.channel import Channel

CAR = np.array([20.0, 5.0, 0.75])
"""Where in the map a car stands; the vehicle stands at the origin of the map."""
MS = 1_000_000


def pose(step):
    """Return where the drone is: it flies along y at 10 m/s, turns and banks."""
    return make_pose(rotation_xyz(np.radians(15.0 - 4.0 * step), np.radians(-8.0), 0.3 + 0.05 * step),
                     np.array([2.0, 1.0 * step, 25.0]))


def instances(step):
    """Return what the drone says of the car, which it thinks is standing."""
    found = one_car([0.0, 0.0]).instances
    centre = transform_points(np.linalg.inv(pose(step)), CAR)[None]
    return dataclasses.replace(found, boxes=found.boxes.with_(centre=centre))


def sent(step):
    """Return a message of the drone, 10 a second."""
    return UnitMessage('drone', (step + 1) * 100 * MS, 1, step, 'm', instances(step), pose(step))


def centre_of(placed):
    """Return where a placed message puts the car."""
    return transform_points(placed.ego_from_infra, placed.instances.boxes.centre)[0]


def pairing(steps):
    """Return what the vehicle has received."""
    received = UnitPairing('drone', PairingConfig(max_infra_age_s=0.5), 'm')
    for step in steps:
        received.add(sent(step))
    return received


@pytest.mark.parametrize('relates', [False, True])
def test_a_late_message_is_placed_by_its_own_pose_and_not_by_that_of_the_pair(relates):
    received = pairing(range(3))
    if relates:
        # The message of this pair is lost; an older one is used.
        received.relate(400 * MS, 400 * MS, pose(3))
    placed, _ = received.message_for(400 * MS, np.eye(4))
    assert placed.stamp_ns == 300 * MS
    np.testing.assert_allclose(centre_of(placed), CAR, atol=1e-9)


def test_the_exact_relation_of_a_pair_is_used_for_the_message_that_it_names():
    received, exact = pairing(range(4)), make_pose(np.eye(3), np.array([0.1, 0.0, 0.0])) @ pose(3)
    received.relate(400 * MS, 400 * MS, exact)
    assert received.message_for(400 * MS, np.eye(4))[0].ego_from_infra is exact


def test_what_stands_has_no_velocity_though_the_unit_flies():
    placed, _ = pairing(range(5)).message_for(500 * MS, np.eye(4))
    assert len(placed.earlier) == 4
    for earlier in placed.earlier:
        np.testing.assert_allclose(centre_of(earlier), CAR, atol=1e-9)
    velocity, seen_s = fitted_velocities(placed)
    np.testing.assert_allclose(velocity, 0, atol=1e-6)
    assert seen_s[0] == pytest.approx(0.4)
    np.testing.assert_allclose(displacement(placed, 900 * MS), 0)


@pytest.mark.parametrize('latency_ms', [0, 100, 300])
def test_a_late_message_of_an_evaluation_is_placed_by_where_the_unit_was(latency_ms):
    steps = range(8)
    now = [('a', RoadsideMessage('drone', (k + 1) * 100 * MS, instances(k), pose(k))) for k in steps]
    arrived = [m for found in Channel(latency_ms=latency_ms).deliver('x', now, 0.1, [pose(k) for k in steps])
               for m in found]
    assert len(arrived) == 8 - latency_ms // 100
    for message in arrived:
        np.testing.assert_allclose(centre_of(message), CAR, atol=1e-9)
        np.testing.assert_allclose(fitted_velocities(message)[0], 0, atol=1e-6)
