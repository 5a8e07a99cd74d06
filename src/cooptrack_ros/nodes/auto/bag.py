"""Looks for inputs in a bag."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rosbags.interfaces import Connection

from ...common.text import readable
from ...data.bags.reader import BagReader, qos_of
from .facts import FEATURES, LOOKED_AT, TRANSFORMS, Seen, TopicFacts, details_of, frames_of

_TRANSFORMS = 200
"""Messages of /tf that are looked at: every frame is in the first ones."""


def look_into(path: Path) -> Seen:
    """
    Return what is in a bag.

    :raises UserError: if there is no readable bag at ``path``.
    """
    with BagReader(path) as reader:
        first_ns, last_ns = reader.span_ns
        seconds = (last_ns - first_ns) / 1e9
        topics, frames = [], set()
        for connection in reader.connections:
            if connection.msgtype in (*LOOKED_AT, FEATURES):
                topics.append(_facts(reader, connection, seconds))
            elif connection.msgtype == TRANSFORMS:
                for _, _, data in islice(reader.messages([connection]), _TRANSFORMS):
                    frames |= frames_of(reader.deserialize(connection, data))
        # All of a unit, also what is no input.
        rest = [TopicFacts(readable(c.topic), readable(c.msgtype), c.msgcount) for c in reader.connections
                if c.msgtype not in (*LOOKED_AT, FEATURES)]
    return Seen((*topics, *rest), tuple(sorted(frames)), any(t.name == '/clock' for t in rest))


def _facts(reader: BagReader, connection: Connection, seconds: float) -> TopicFacts:
    first = next(reader.messages([connection]), None)
    details = details_of(connection.msgtype, reader.deserialize(connection, first[2])) if first else {}
    # So many intervals lie between them.
    rate = (connection.msgcount - 1) / seconds if connection.msgcount > 1 and seconds > 0 else 0.0
    return TopicFacts(readable(connection.topic), connection.msgtype, connection.msgcount, rate,
                      qos_of(connection).reliability.name.lower(), **details)
