"""Time and size of instance sets on their way through the wire format."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray

from ..common.config import R50
from ..common.types import InstanceSet
from ..model.layers import mlp
from ..weights.compact_messages import SenderModel
from ..wire.features import ENCODINGS, FeatureMeta, decode_instances, encode_instances, sendable
from .machine import describe_machine
from .scene import example_instances
from .timing import Stopwatch, statistics_ms

_STEPS = ('select', 'encode', 'serialize', 'deserialize', 'decode', 'complete')
_MAX_INSTANCES = 64
_FRAME_RATE_HZ = 10.0


def codec(width: int) -> Callable[[InstanceSet], dict[str, float]]:
    """
    Return a function that sends instances as a unit does by default and returns the seconds of every step.

    :param width: channels of the features.
    """
    sender = example_sender(width)
    return lambda instances: transmit(instances, FeatureMeta.example(), _MAX_INSTANCES, sender)[0]


def example_sender(width: int) -> SenderModel:
    """Return the model of a unit with random weights."""
    layers = mlp(3 * (width // 2), width, width).state_dict()
    return SenderModel(FeatureMeta.example().model_id, {f'query_position.{k}': v for k, v in layers.items()})


def transmit(instances: InstanceSet, meta: FeatureMeta, max_instances: int,
             sender: SenderModel) -> tuple[dict[str, float], int]:
    """Return the seconds of every step from the best instances to what a receiver has, and the bytes on the way."""
    marks = [time.perf_counter()]
    chosen, _ = sendable(instances, max_instances)
    marks.append(time.perf_counter())
    message = encode_instances(chosen, meta)
    marks.append(time.perf_counter())
    data = serialize_message(message)
    marks.append(time.perf_counter())
    received = deserialize_message(data, InstanceFeatureArray)
    marks.append(time.perf_counter())
    decoded, _ = decode_instances(received)
    marks.append(time.perf_counter())
    sender.complete(decoded)
    marks.append(time.perf_counter())
    return {step: end - start for step, start, end in zip(_STEPS, marks[:-1], marks[1:], strict=True)}, len(data)


def measure_codec(count: int, widths: Sequence[int], frames: int) -> dict[str, Any]:
    """
    Return times and bytes of every encoding, with and without the embeddings that a receiver can recompute.

    The encodings take turns, message by message.

    :param count: instances of a message, at least one; :param widths: channels of the features.
    """
    metas = {(width, name, compact): replace(FeatureMeta.example(), encoding=name, compact=compact)
             for width in widths for name in ENCODINGS for compact in (True, False)}
    random = np.random.default_rng(0)
    low, high = np.array([5.0, -45.0, -1.0]), np.array([95.0, 45.0, 0.0])
    sets = {width: example_instances(replace(R50, embed_dims=width), random.uniform(low, high, (count, 3)))
            for width in widths}
    senders = {width: example_sender(width) for width in widths}
    watches, sizes = {key: Stopwatch() for key in metas}, {}
    fixed = {key: transmit(sets[key[0]][:0], meta, count, senders[key[0]])[1] for key, meta in metas.items()}
    for _ in range(frames):
        for key, meta in metas.items():
            seconds, sizes[key] = transmit(sets[key[0]], meta, count, senders[key[0]])
            for step, value in seconds.items():
                watches[key].add(step, value)
            watches[key].add('total', sum(seconds.values()))
    rows = [{'width': key[0], 'encoding': key[1], 'compact': key[2], 'bytes': sizes[key],
             'bytes_without_instances': fixed[key], 'bytes_per_instance': (sizes[key] - fixed[key]) / count,
             'bytes_per_second': sizes[key] * _FRAME_RATE_HZ,
             'times_ms': {step: statistics_ms(values) for step, values in watches[key].seconds.items()}}
            for key in metas]
    return {'schema': 'cooptrack-bench-codec/1', 'instances': count, 'frames': frames, 'frame_rate_hz': _FRAME_RATE_HZ,
            'machine': describe_machine(), 'rows': rows}
