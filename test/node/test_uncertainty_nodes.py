"""What a calibrated model states goes out with the tracks of both nodes; one that is not calibrated says so once."""

import numpy as np
import pytest
from support.ros_world import EgoWorld, FakePackage

from cooptrack_ros.common.types import Provenance, Side
from cooptrack_ros.tracking.uncertainty import CHANCES, SPREADS, Line, SourceModel, UncertaintyModel


class Calibrated(FakePackage):
    """A package that states the same of all tracks that the vehicle sees itself: 2 m, and 73 per cent."""

    def uncertainty(self):
        """Return the model."""
        def line(value):
            return Line(np.full(3, value), np.zeros(5))
        limits = np.array([[0.0, 100.0], [0.0, 1.0], [0.0, 9.0], [0.0, 99.0], [0.0, 1.0]])
        return UncertaintyModel({(Side.COOPERATIVE, Provenance.EGO): SourceModel(
            limits, {name: line(np.log(2.0)) for name in SPREADS}, {name: line(1.0) for name in CHANCES})})

    def lacks_uncertainty(self, side):
        """Lack nothing."""
        return ''


def test_the_ego_node_states_what_the_model_was_calibrated_for(world):
    ego = EgoWorld(world, Calibrated())
    ego.features(count=1)
    first, fused = ego.frame().tracks
    assert first.has_uncertainty and first.existence == pytest.approx(0.731, abs=1e-3)
    np.testing.assert_allclose(np.reshape(first.position_covariance, (3, 3)), 4 * np.eye(3), atol=1e-5)
    assert not fused.has_uncertainty
