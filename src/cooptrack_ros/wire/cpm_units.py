"""Units, times and numbers of Collective Perception Messages that mean that something is not known."""

from __future__ import annotations

import bisect

import numpy as np

VERSION, MESSAGE_ID = 2, 14
RSU, OBJECTS = 2, 5
"""Identifiers of containers."""
MAX_OBJECTS = 255
"""Of one message."""
DEGREE, CM, DM = 1e-7, 0.01, 0.1
"""Of latitudes, in degrees; of lengths and speeds, in m and m/s."""
ANGLE = np.radians(0.1)
FULL_TURN = 3600
"""Of angles, in their unit; from it on they mean nothing."""
NO_HEADING, NO_AXIS, NO_ALTITUDE_CONFIDENCE = 3601, 4095, 15
NO_VELOCITY, NO_SPEED, NO_LEVEL, NO_TURN_CONFIDENCE = 16_383, 16_383, 101, 7
NO_DIMENSION = 256
NO_COORDINATE_CONFIDENCE, NO_CONFIDENCE, NO_DIMENSION_CONFIDENCE = 4096, 127, 32
"""One below each of these the value is out of range."""
MAX_LATITUDE, MAX_LONGITUDE, MAX_COORDINATE = 900_000_000, 1_800_000_000, 131_070
LOW_ALTITUDE, MAX_ALTITUDE, MAX_VELOCITY, MAX_DIMENSION, MAX_TURN = -100_000, 800_000, 16_382, 255, 254
MAX_TIME_MS, MAX_DELTA_MS = 4_398_046_511_103, 2048
QUALITY = 15
"""Of an object that is certain."""
SIGMAS_95, ELLIPSE_SIGMAS_95 = 1.959964, 2.447747
"""Standard deviations of half a 95 % interval, and of the axes of an ellipse that holds 95 %."""
_ITS_EPOCH_S = 1_072_915_200
"""2004-01-01 UTC in seconds since 1970."""
_LEAP_SECONDS = (1_136_073_600, 1_230_768_000, 1_341_100_800, 1_435_708_800, 1_483_228_800)
"""When seconds were inserted since then: TimestampIts counts them, ROS time does not."""


def its_time_ms(ns: int) -> int:
    """Return a ROS time as TimestampIts: milliseconds since 2004, leap seconds counted."""
    leaps = bisect.bisect_right(_LEAP_SECONDS, ns // 10**9)
    return (ns + 500_000) // 10**6 + 1000 * (leaps - _ITS_EPOCH_S)


def ros_time_ns(its_ms: int) -> int:
    """Return a TimestampIts as ROS time in nanoseconds since 1970."""
    seconds = its_ms // 1000 + _ITS_EPOCH_S
    leaps = sum(seconds >= at + before for before, at in enumerate(_LEAP_SECONDS, start=1))
    return (its_ms + 1000 * (_ITS_EPOCH_S - leaps)) * 10**6


def confidence(variance: float, unit: float, unavailable: int) -> int:
    """Return half the width of a 95 % interval in whole units, rounded up; too much is out of range."""
    if not np.isfinite(variance):
        return unavailable
    return int(min(max(np.ceil(SIGMAS_95 * np.sqrt(variance) / unit - 1e-9), 1), unavailable - 1))


def variance(confidence: int, unit: float, unavailable: int) -> float | None:
    """Return the variance of a confidence, None where it is not known or out of range."""
    return (confidence * unit / SIGMAS_95) ** 2 if 0 < confidence < unavailable - 1 else None
