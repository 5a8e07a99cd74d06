"""What a bag holds, read from its ``metadata.yaml``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...common.errors import UserError
from ...common.files import read_yaml

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
    Read the metadata of a bag.

    :raises UserError: if there is no readable bag at ``path``.
    """
    file = path / 'metadata.yaml'
    try:
        content = read_yaml(file)['rosbag2_bagfile_information']
        text = (content.get('custom_data') or {}).get(CUSTOM_DATA_KEY)
        return BagSummary(
            int(content['starting_time']['nanoseconds_since_epoch']), int(content['duration']['nanoseconds']),
            tuple(sorted((_topic(t) for t in content['topics_with_message_count']), key=lambda t: t.name)),
            _described(text))
    except OSError as error:
        raise UserError(f'{path} is not a ROS 2 bag: {file} cannot be read ({error.strerror})') from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f'{file} is not the metadata of a ROS 2 bag: {error!r}') from error


def _described(text: str | None) -> dict[str, Any] | None:
    """Return our description, None if there is none; raise a ValueError for something else in its place."""
    description = json.loads(text) if text else None
    if description is not None and not isinstance(description, dict):
        raise ValueError(f"custom data '{CUSTOM_DATA_KEY}' is not a mapping")
    return description


def _topic(entry: dict[str, Any]) -> TopicSummary:
    metadata = entry['topic_metadata']
    profiles = metadata['offered_qos_profiles']
    if isinstance(profiles, str):
        # Older versions of the format hold the profiles as text and their values as numbers.
        profiles = yaml.safe_load(profiles) or []
    latched = any(profile['durability'] in ('transient_local', 1) for profile in profiles)
    return TopicSummary(str(metadata['name']), str(metadata['type']), int(entry['message_count']), latched)
