"""Cuts a bag in time."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection

from ...common.errors import UserError
from .info import CUSTOM_DATA_KEY, describe_bag
from .reader import BagReader, is_latched, qos_of
from .types import typestore
from .writer import BagWriter


def cut_bag(source: Path, target: Path, from_s: float, to_s: float | None, topics: Collection[str] = ()) -> int:
    """
    Write the messages of [from_s, to_s) as a new bag (mcap); their bytes and their order stay.

    What late subscribers need too (latched topics: calibrations, units, static transforms) is kept from the time
    before as well, logged at the start of the cut.

    :param from_s: seconds from the start of the bag; :param to_s: the same, None for the end.
    :param topics: names to keep; empty for all.
    :returns: number of messages within the cut.
    :raises UserError: for an unreadable bag, unknown topics, an existing target, or a cut without messages.
    """
    if from_s < 0 or (to_s is not None and to_s <= from_s):
        raise UserError(f"a cut from {from_s:g} s to {'the end' if to_s is None else f'{to_s:g} s'} is empty: "
                        'expected 0 <= --from < --to')
    summary = describe_bag(source)
    unknown = sorted(set(topics) - {t.name for t in summary.topics})
    if unknown:
        raise UserError(f"{source} has no topic {', '.join(unknown)}; see `cooptrack bag info`")
    first = summary.start_ns + round(from_s * 1e9)
    last = None if to_s is None else summary.start_ns + round(to_s * 1e9)
    count = 0
    with BagReader(source) as reader, BagWriter(target) as bag:
        wanted = [c for c in reader.connections if not topics or c.topic in topics]
        _check_types(wanted)
        if summary.description is not None:
            bag.set_custom_data(CUSTOM_DATA_KEY, json.dumps(_description(summary.description, first, last)))

        def write(connection: Connection, log_ns: int, data: bytes) -> None:
            bag.write_serialized(connection.topic, connection.msgtype, data, log_ns, qos_of(connection))

        for connection, _, data in reader.messages([c for c in wanted if is_latched(c)], stop_ns=first):
            write(connection, first, data)
        for connection, log_ns, data in reader.messages(wanted, first, last):
            write(connection, log_ns, data)
            count += 1
        if not count:
            raise UserError(f'{source} has no message in that cut: it is {summary.duration_ns / 1e9:.3f} s long')
    return count


def _check_types(connections: Collection[Connection]) -> None:
    """Raise a UserError for a message type that cannot be written."""
    for connection in connections:
        if connection.msgtype not in typestore().fielddefs:
            raise UserError(f"the type {connection.msgtype} of {connection.topic} is not known here: "
                            'name the topics to keep with --topics')


def _description(description: dict[str, Any], first: int, last: int | None) -> dict[str, Any]:
    """Return our description of a bag with the frames of the cut alone; rows hold the image's stamp."""
    column = {'ego_frames': 1, 'infra_frames': 1, 'pairs': 0}

    def kept(stamp_ns: int) -> bool:
        return first <= stamp_ns and (last is None or stamp_ns < last)

    return {key: [row for row in value if kept(row[column[key]])] if key in column else value
            for key, value in description.items()}
