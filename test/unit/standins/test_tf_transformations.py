"""The stand-in for tf_transformations."""

import math

import numpy as np
import pytest
import tf_transformations as tf
from hypothesis import given
from hypothesis import strategies as st

ANGLE = st.floats(-math.pi, math.pi)
PITCH = st.floats(-1.5, 1.5)
HALF = math.sqrt(0.5)


def rotation(axis: str, angle: float) -> np.ndarray:
    """Return the elementary rotation about an axis, written out."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array({'x': [[1, 0, 0], [0, c, -s], [0, s, c]], 'y': [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                     'z': [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[axis])


@pytest.mark.parametrize('angles, expected', [
    ((0, 0, 0), (0, 0, 0, 1)), ((math.pi / 2, 0, 0), (HALF, 0, 0, HALF)), ((0, math.pi / 2, 0), (0, HALF, 0, HALF)),
    ((0, 0, math.pi / 2), (0, 0, HALF, HALF)), ((0, 0, math.pi), (0, 0, 1, 0))])
def test_quarter_turns_have_the_known_quaternions(angles, expected):
    np.testing.assert_allclose(tf.quaternion_from_euler(*angles), expected, atol=1e-15)


@given(ANGLE, PITCH, ANGLE)
def test_roll_pitch_yaw_turn_about_fixed_axes_in_this_order(roll, pitch, yaw):
    expected = rotation('z', yaw) @ rotation('y', pitch) @ rotation('x', roll)
    np.testing.assert_allclose(tf.euler_matrix(roll, pitch, yaw)[:3, :3], expected, atol=1e-12)
    back = tf.euler_from_quaternion(tf.quaternion_from_euler(roll, pitch, yaw))
    np.testing.assert_allclose(tf.euler_matrix(*back)[:3, :3], expected, atol=1e-12)
    np.testing.assert_allclose(np.exp(1j * np.array(back)), np.exp(1j * np.array([roll, pitch, yaw])), atol=1e-9)


@given(ANGLE, ANGLE, ANGLE, ANGLE, ANGLE, ANGLE)
def test_quaternions_multiply_and_invert_as_their_matrices_do(a, b, c, d, e, f):
    p, q = tf.quaternion_from_euler(a, b, c), tf.quaternion_from_euler(d, e, f)
    np.testing.assert_allclose(tf.quaternion_matrix(tf.quaternion_multiply(p, q)),
                               tf.concatenate_matrices(tf.quaternion_matrix(p), tf.quaternion_matrix(q)), atol=1e-12)
    np.testing.assert_allclose(tf.quaternion_multiply(2 * p, tf.quaternion_inverse(2 * p)), [0, 0, 0, 1], atol=1e-12)
    back = tf.quaternion_from_matrix(tf.quaternion_matrix(p))
    assert back[3] >= 0 and abs(back @ p) == pytest.approx(1.0)


@given(ANGLE, ANGLE, st.floats(0, 1))
def test_slerp_turns_at_constant_speed_the_short_way(start, turn, fraction):
    turn *= 0.99
    first, last = tf.quaternion_from_euler(0, 0, start), -tf.quaternion_from_euler(0, 0, start + turn)
    between = tf.quaternion_slerp(first, last, fraction)
    expected = tf.quaternion_from_euler(0, 0, start + fraction * turn)
    assert abs(between @ expected) == pytest.approx(1.0, abs=1e-12)


def test_slerp_reaches_both_ends():
    first, last = [0, 0, 0, 1], [0, 0, 2, 0]
    np.testing.assert_allclose(tf.quaternion_slerp(first, last, 0.0), first)
    np.testing.assert_allclose(tf.quaternion_slerp(first, last, 1.0), [0, 0, 1, 0])


def test_pitch_of_a_quarter_turn_keeps_the_rotation():
    matrix = tf.euler_matrix(0.3, math.pi / 2, 0.5)
    np.testing.assert_allclose(tf.euler_matrix(*tf.euler_from_matrix(matrix)), matrix, atol=1e-7)


def test_matrices_translate_and_invert():
    matrix = tf.concatenate_matrices(tf.translation_matrix([1, 2, 3]), tf.euler_matrix(0, 0, math.pi / 2))
    np.testing.assert_allclose(matrix @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-15)
    np.testing.assert_allclose(tf.inverse_matrix(matrix) @ [1, 3, 3, 1], [1, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(tf.translation_from_matrix(matrix), [1, 2, 3])


@pytest.mark.parametrize('call', [lambda: tf.quaternion_from_euler(0, 0, 0, 'rxyz'),
                                  lambda: tf.euler_from_quaternion([0, 0, 0, 1], 'szyx'),
                                  lambda: tf.euler_matrix(0, 0, 0, axes='syxz')])
def test_other_axes_are_an_error(call):
    with pytest.raises(ValueError, match='only .sxyz.'):
        call()
