"""All entry points by name."""

from __future__ import annotations

from . import bags, codec, configuration, dataset, nodes, objects, occupancy, video, weights
from .entry import Entry

ENTRIES: dict[str, Entry] = {
    module.ENTRY.name: module.ENTRY
    for module in (codec, occupancy, objects, video, dataset, bags, weights, nodes, configuration)}
