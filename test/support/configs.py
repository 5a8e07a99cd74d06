"""Networks so small that a step takes milliseconds, and their YAML form for command lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from cooptrack_ros.bench import ros_node
from cooptrack_ros.common.config import MINI, ModelConfig, config_to_dict
from cooptrack_ros.common.method_config import TrackerConfig

SIZE = (160, 90)
"""Of camera images that are large enough for them."""
SMALL_SIZE = {'num_queries': 40, 'bev_size': (12, 12)}
SMALL = replace(MINI, **SMALL_SIZE)
"""The layers of ``mini`` with few queries on a coarse grid."""
OBLONG = replace(SMALL, bev_size=(12, 10))
"""On a grid that is not square, where rows and columns cannot be taken for each other."""
TINY = replace(ros_node.TINY, num_queries=40)
"""One narrow layer of each kind."""


def with_thresholds(config: ModelConfig, score: float) -> ModelConfig:
    """Return a configuration whose tracks all begin and are published from a score on."""
    tracker = TrackerConfig(score_threshold=score, output_threshold=score)
    return replace(config, tracker_vehicle=tracker, tracker_roadside=tracker, tracker_cooperative=tracker)


def write_config(folder: Path, config: ModelConfig = TINY) -> Path:
    """Write a configuration into a folder and return the file."""
    path = folder / 'config.yaml'
    path.write_text(yaml.safe_dump({'preset': 'mini', **config_to_dict(config)}), encoding='utf-8')
    return path


def sensitive_weights(folder: Path, **changes) -> str:
    """
    Return the name of small random weights that track much of what they see; their configuration is in the folder.

    Random networks are sure of nothing: with low thresholds some queries become tracks all the same.
    """
    return f'random:{write_config(folder, replace(with_thresholds(TINY, 0.005), **changes))}'
