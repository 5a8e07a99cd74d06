"""What was given to a node and has no effect: misspelt names, files for other nodes, words that ROS does not read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rclpy.node import Node

from ..common.reading import read_yaml

_QOS = 'qos_overrides.'
_FILE = '--params-file'
_PARAMETERS = 'ros__parameters'


def warn_of_unused(node: Node, arguments: Sequence[str]) -> None:
    """Log everything without effect; :param arguments: those of the node's program, without its name."""
    overrides, declared = set(node._parameter_overrides), set(node._parameters)
    for text in (*unread_words(arguments), *unused_parameters(overrides, declared),
                 *unused_files(arguments, overrides, node.get_fully_qualified_name())):
        node.get_logger().warning(text)


def unread_words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield what stands outside of ``--ros-args``."""
    words, is_read = [], False
    for word in arguments:
        if word == '--ros-args' or (is_read and word == '--'):
            is_read = word != '--'
        elif not is_read:
            words.append(word)
    if words:
        yield f"arguments without effect, for they do not follow --ros-args: {' '.join(words)}"


def unused_parameters(overrides: Collection[str], declared: Collection[str]) -> Iterator[str]:
    """Yield the names that no parameter has, each with the one that may be meant."""
    for name in sorted(set(overrides) - set(declared)):
        near = get_close_matches(name, declared, 1)
        hint = f"; is '{near[0]}' meant?" if near else ''
        if name.startswith(_QOS):
            hint = '; quality of service is set by image.qos, features.reliability and features.depth'
        yield f"there is no parameter '{name}': its value has no effect{hint}"


def unused_files(arguments: Sequence[str], overrides: Collection[str], node: str) -> Iterator[str]:
    """Yield the parameter files that hold parameters, but none for this node; :param node: its full name."""
    for path in [b for a, b in zip(arguments, arguments[1:]) if a == _FILE]:
        try:
            sections = dict(_sections(read_yaml(Path(path)), ''))
        except (OSError, ValueError) as error:
            yield f'parameter file {path} cannot be checked for names without effect: {error}'
            continue
        if any(sections.values()) and not any(names & set(overrides) for names in sections.values()):
            yield (f"parameter file {path} says nothing to this node: it is for {', '.join(sections)}, this is "
                   f'{node}; /** is for all')


def _sections(content: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the names of nodes with those of their parameters."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == _PARAMETERS:
            yield name, set(_names(value, ''))
        else:
            yield from _sections(value, f'{name}/{key}' if name else str(key))


def _names(content: Any, prefix: str) -> Iterator[str]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _names(value, f'{prefix}.{key}' if prefix else str(key))
    else:
        yield prefix
