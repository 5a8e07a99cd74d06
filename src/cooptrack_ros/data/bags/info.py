"""What a bag holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from ...common.reading import parse_json
from .reader import BagReader, is_latched

CUSTOM_DATA_KEY = 'cooptrack'
"""Under which our description stands in the custom data of a bag."""


@dataclass(frozen=True)
class TopicSummary:
    """One topic of a bag; ``latched`` means that late subscribers get it too."""

    name: str
    kind: str
    count: int
    latched: bool


@dataclass(frozen=True)
class BagSummary:
    """Times, topics and our own description (None if the bag is not one of ours)."""

    start_ns: int
    duration_ns: int
    topics: tuple[TopicSummary, ...]
    description: dict[str, Any] | None


def describe_bag(path: Path) -> BagSummary:
    """
    Read what a bag, or a file of one, says about itself.

    :raises UserError: if there is no readable bag at ``path``.
    """
    with BagReader(path) as reader:
        first_ns, last_ns = reader.span_ns
        topics = [TopicSummary(c.topic, c.msgtype, c.msgcount, is_latched(c)) for c in reader.connections]
        try:
            description = _described((reader.custom_data or {}).get(CUSTOM_DATA_KEY))
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f'{path}: the metadata of this bag hold no description: {error!r}') from error
    return BagSummary(first_ns, last_ns - first_ns, tuple(sorted(topics, key=lambda t: t.name)), description)


def _described(text: str | None) -> dict[str, Any] | None:
    """Return our description, None if there is none; raise a ValueError for something else in its place."""
    description = parse_json(text) if text else None
    if description is not None and not isinstance(description, dict):
        raise ValueError(f"custom data '{CUSTOM_DATA_KEY}' is not a mapping")
    return description
