"""Quality of service of every endpoint."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

LATCHED = QoSProfile(depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
OUTPUT = QoSProfile(depth=10, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
VOXELS = QoSProfile(depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
"""Large, and only the newest ones are of use."""
LOCKSTEP_INPUT = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
_RELIABILITY = {'reliable': ReliabilityPolicy.RELIABLE, 'best_effort': ReliabilityPolicy.BEST_EFFORT}


def features_qos(reliability: str, depth: int) -> QoSProfile:
    """Return the profile of the features of units; :param reliability: ``reliable`` or ``best_effort``."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=_RELIABILITY[reliability])


def video_qos(images: QoSProfile) -> QoSProfile:
    """Return the profile of video, where a packet that is lost spoils those after it; :param images: that of images."""
    return QoSProfile(depth=max(images.depth, LOCKSTEP_INPUT.depth), history=HistoryPolicy.KEEP_LAST,
                      reliability=images.reliability, durability=images.durability)


def input_qos(kind: str) -> QoSProfile:
    """Return the profile of sensor inputs: ``reliable`` or ``sensor_data``."""
    return qos_profile_sensor_data if kind == 'sensor_data' else LOCKSTEP_INPUT
