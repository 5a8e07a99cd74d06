"""Covariance intersection: sure of what both are sure of, and never surer than errors that belong together allow."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import rotation_z
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.covariance_intersection import intersect, intersect_boxes


def box(x, y, yaw=0.0, size=(4.0, 2.0, 1.5), velocity=(0.0, 0.0), track_id=1):
    """Return a car."""
    return Boxes(np.array([[x, y, 0.0]]), np.array([size]), np.array([yaw]), np.array([velocity]),
                 np.zeros(1, np.int64), np.array([0.5]), np.array([track_id]))


def sure(position, heading=0.04, flip=0.1, size=(0.1, 0.1, 0.1), velocity=(1.0, 1.0), existence=0.8):
    """Return what is stated of one box; position and velocity by their variances along x, y (and z)."""
    return TrackUncertainty(np.array([existence]), np.diag(position)[None], np.array([heading]), np.array([flip]),
                            np.array([size]), np.diag(velocity)[None])


def test_two_views_from_the_side_of_each_other_make_one_that_is_better_than_both():
    mean, covariance = intersect(np.array([[0.0, 0.0]]), np.diag([9.0, 0.25])[None], np.array([[2.0, 1.0]]),
                                 np.diag([0.25, 9.0])[None])
    np.testing.assert_allclose(mean, [[2 * 36 / 37, 1 / 37]], atol=1e-9)
    np.testing.assert_allclose(covariance[0], np.diag([2 / (1 / 9 + 4)] * 2), atol=1e-9)


def test_in_one_dimension_the_surer_one_is_taken_as_it_is():
    mean, covariance = intersect(np.array([[1.0]]), np.array([[[4.0]]]), np.array([[3.0]]), np.array([[[1.0]]]))
    assert mean.item() == pytest.approx(3.0) and covariance.item() == pytest.approx(1.0)


def test_errors_that_belong_together_do_not_make_it_too_sure():
    rng = np.random.default_rng(3)
    first, second = np.diag([4.0, 0.5]), rotation_z(1.0)[:2, :2] @ np.diag([3.0, 0.3]) @ rotation_z(1.0)[:2, :2].T
    for shared in (0.0, 0.5, 0.95):
        common = rng.normal(size=(20_000, 2))
        def drawn(covariance, common=common, shared=shared):
            own = rng.normal(size=common.shape)
            noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
            return noise @ np.linalg.cholesky(covariance).T
        a, b = drawn(first), drawn(second)
        mean, covariance = intersect(a, np.broadcast_to(first, (len(a), 2, 2)), b,
                                     np.broadcast_to(second, (len(b), 2, 2)))
        excess = np.einsum('ni,ij,nj->n', mean, np.linalg.inv(covariance[0]), mean)
        assert excess.mean() <= 2.05 and (excess < 5.991).mean() > 0.945


def test_boxes_keep_what_they_are_and_an_opposite_heading_is_the_same():
    own, other = box(10, 0, yaw=0.1, velocity=(8.0, 0.0)), box(11, 0.4, yaw=np.pi + 0.3, size=(5.0, 2.2, 1.6),
                                                              velocity=(10.0, 1.0), track_id=9)
    fused, said = intersect_boxes(own, sure((9.0, 0.25, 0.04), velocity=(4.0, 4.0)), other,
                                  sure((0.25, 9.0, 0.01), heading=0.01, size=(0.01, 0.5, 0.5), velocity=(1.0, 1.0)))
    assert fused.track_id.tolist() == [1] and fused.score.tolist() == [0.5]
    assert fused.centre[0, 0] == pytest.approx(11, abs=0.05) and fused.centre[0, 1] == pytest.approx(0, abs=0.05)
    assert fused.yaw[0] == pytest.approx(0.3) and said.heading[0] == pytest.approx(0.01)
    np.testing.assert_allclose(fused.size, [[5.0, 2.0, 1.5]])
    np.testing.assert_allclose(fused.velocity, [[10.0, 1.0]])
    assert said.existence.tolist() == [0.8] and said.flip.tolist() == [0.1]
    assert own.centre[0, 0] == 10


def test_nothing_is_fused_with_what_is_not_known():
    own, other, said = box(10, 0), box(12, 0), sure((1.0, 1.0, 1.0))
    for pair in ((said, TrackUncertainty.unknown(1)), (TrackUncertainty.unknown(1), said)):
        fused, stated = intersect_boxes(own, pair[0], other, pair[1])
        assert fused.centre.tolist() == own.centre.tolist() and (stated.known == pair[0].known).all()
    still = other.with_(velocity=np.full((1, 2), np.nan))
    fused, stated = intersect_boxes(box(10, 0, velocity=(3.0, 0.0)), said, still, sure((1.0, 1.0, 1.0)))
    assert fused.velocity.tolist() == [[3.0, 0.0]] and (stated.velocity == said.velocity).all()
    empty = Boxes.empty()
    assert len(intersect_boxes(empty, TrackUncertainty.unknown(0), empty, TrackUncertainty.unknown(0))[0]) == 0
