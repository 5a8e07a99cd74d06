"""Joins the inputs of a bag with what nodes answered: for viewing, or to play recorded features again."""

from __future__ import annotations

import heapq
import json
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from rclpy.serialization import deserialize_message, serialize_message
from rosbags.interfaces import Connection

from cooptrack_msgs.msg import InstanceFeatureArray

from ...common.errors import UserError
from ...wire.topics import is_features_topic, is_sent_topic, is_unit_image_topic
from .info import CUSTOM_DATA_KEY, describe_bag
from .reader import BagReader, qos_of
from .writer import BagWriter

FEATURES_AHEAD_NS = 200_000_000
"""Played features come so much before they were sent: the ego image that they belong to may be the earlier one."""
_Entry = tuple[int, int, Connection, bytes]


def merge_answers(inputs: Path, answers: Path, target: Path) -> None:
    """Write a bag of the inputs and of everything that the nodes published, in order of time."""
    _write(inputs, target, _entries(inputs, 0, lambda topic: True), _entries(answers, 1, lambda topic: True))


def merge_features(inputs: Path, answers: Path, target: Path, ahead_ns: int = FEATURES_AHEAD_NS,
                   edit: Callable[[bytes], bytes] = lambda data: data) -> None:
    """
    Write a bag that needs no roadside node: the inputs without roadside images, and the recorded features and voxels.

    :param ahead_ns: how much earlier than recorded these come; 0 to play in real time.
    :param edit: what becomes of each serialized message with features.
    :raises UserError: if there are no features among the answers.
    """
    sent = sorted(((log_ns - ahead_ns, rank, connection, edit(data) if is_features_topic(connection.topic) else data)
                   for log_ns, rank, connection, data in _entries(answers, 1, is_sent_topic)),
                  key=lambda entry: entry[:2])
    if not any(is_features_topic(connection.topic) for _, _, connection, _ in sent):
        raise UserError(f'{answers} holds no roadside features')
    _write(inputs, target, _entries(inputs, 0, lambda topic: not is_unit_image_topic(topic)), iter(sent))


def without_features(data: bytes) -> bytes:
    """Return a serialized ``InstanceFeatureArray`` with all features, also the embeddings, 0; the rest stays."""
    message = deserialize_message(data, InstanceFeatureArray)
    # A compact message has no embeddings: receivers would work them out.
    message.semantic = message.motion = message.position_embedding = array('B', bytes(len(message.semantic)))
    message.position_embedding_scales = message.semantic_scales
    return serialize_message(message)


def _entries(path: Path, rank: int, is_wanted: Callable[[str], bool]) -> Iterator[_Entry]:
    with BagReader(path) as reader:
        for connection, log_ns, data in reader.messages([c for c in reader.connections if is_wanted(c.topic)]):
            yield log_ns, rank, connection, data


def _write(inputs: Path, target: Path, *sources: Iterator[_Entry]) -> None:
    description = describe_bag(inputs).description
    with BagWriter(target) as bag:
        if description is not None:
            bag.set_custom_data(CUSTOM_DATA_KEY, json.dumps(description))
        for log_ns, _, connection, data in heapq.merge(*sources, key=lambda entry: entry[:2]):
            bag.write_serialized(connection.topic, connection.msgtype, data, log_ns, qos_of(connection))
