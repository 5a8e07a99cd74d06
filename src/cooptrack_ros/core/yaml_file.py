"""YAML files that people and other programs wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Return the mapping that a YAML file holds.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is not YAML, or no mapping.
    """
    import yaml
    try:
        content = yaml.safe_load(path.read_bytes())
    # The parser trips over impossible dates, numbers and keys, and over very deep nesting.
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f'not YAML: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'expected a mapping, found {type(content).__name__}')
    return content
