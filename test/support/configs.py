"""A network so small that a step takes milliseconds, and its YAML form for command lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from cooptrack_ros.cli.bench_node import TINY
from cooptrack_ros.core.config import config_to_dict

SIZE = (160, 90)
CONFIG = replace(TINY, num_queries=40)


def write_config(folder: Path) -> str:
    """Write the configuration and return its path."""
    path = folder / 'tiny.yaml'
    path.write_text(yaml.safe_dump({'preset': 'mini', **config_to_dict(CONFIG)}), encoding='utf-8')
    return str(path)
