"""Instances sent as a real ROS message without a middleware, for evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray

from ..common.types import InstanceSet
from .features import FeatureLimits, FeatureMeta, decode_instances, encode_instances, sendable


def transmission(encoding: str, compact: bool, max_instances: int, complete: Callable[[InstanceSet], InstanceSet],
                 limits: FeatureLimits | None = None) -> Callable[[InstanceSet], tuple[InstanceSet, int]]:
    """
    Return a function that sends an instance set: what a receiver gets of it, and the bytes of the message.

    :param encoding: of the features; :param compact: leave the embeddings out; :param max_instances: the best by
        score; :param complete: recomputes what a compact message leaves out, see ``weights.compact_messages``;
    :param limits: what the receiver accepts.
    """
    meta = replace(FeatureMeta.example(), encoding=encoding, compact=compact)

    def transmit(instances: InstanceSet) -> tuple[InstanceSet, int]:
        data = serialize_message(encode_instances(sendable(instances, max_instances)[0], meta))
        return complete(decode_instances(deserialize_message(data, InstanceFeatureArray), limits)[0]), len(data)
    return transmit
