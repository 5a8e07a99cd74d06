"""Files that others wrote: never more of them than fits, and nothing in them that unfolds to more than it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

MIB = 2**20
_MAX_YAML_BYTES, _MAX_YAML_NODES, _MAX_YAML_DEPTH = MIB, 20_000, 64
"""Far above every card, recipe, calibration and configuration; what is larger takes seconds."""
MAX_JSON_BYTES = 64 * MIB
"""An index takes about a kilobyte a frame."""
_FREE_JSON_VALUES, _LEAST_BYTES_A_VALUE = 1_000_000, 4
"""An empty list takes three bytes in a file and eighty in memory; numbers that people store take more letters."""
_STRUCTURE = b',:[{'
_LONGEST_NUMBER = 40
_SIXTIES = re.compile('[-+]?[0-9_:]+')
"""What may be a number to the base of 60, as times are written: to read long ones takes minutes."""


def read_bounded(path: Path, limit: int) -> bytes:
    """
    Return the content of a file that holds at most so many bytes.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is larger; nothing of it is kept.
    """
    size = path.stat().st_size
    if size <= limit:
        # A device or a pipe has no size.
        with path.open('rb') as stream:
            content = stream.read(limit + 1)
        if len(content) <= limit:
            return content
        size = len(content)
    raise ValueError(f'at least {size} bytes, expected at most {limit}')


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Return the mapping that a YAML file holds.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is not YAML, no mapping, too large, or has aliases or merge keys.
    """
    content = parse_yaml(read_bounded(path, _MAX_YAML_BYTES))
    if not isinstance(content, dict):
        raise ValueError(f'expected a mapping, found {type(content).__name__}')
    return content


def parse_yaml(text: bytes | str) -> Any:
    """Return what YAML holds; raise a ValueError as ``check_yaml``."""
    import yaml
    check_yaml(text)
    try:
        return yaml.safe_load(text)
    # The parser trips over impossible dates, numbers and keys.
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f'not YAML: {error}') from error


def check_yaml(text: bytes | str) -> None:
    """
    See that YAML is not more than its text says.

    :raises ValueError: for aliases and merge keys, with which a kilobyte becomes gigabytes, for too many values or too
        deep nesting, and for what is no YAML.
    """
    import yaml
    nodes = depth = 0
    try:
        for event in yaml.parse(text, getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"an alias '*{event.anchor}' in line {event.start_mark.line + 1}: write its content "
                                 'out')
            if isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                _check_plain(event.value, event.start_mark.line + 1)
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if nodes > _MAX_YAML_NODES or depth > _MAX_YAML_DEPTH:
                raise ValueError(f'more than {_MAX_YAML_NODES} values, or nested deeper than {_MAX_YAML_DEPTH}')
    except yaml.YAMLError as error:
        raise ValueError(f'not YAML: {error}') from error


def dump_yaml(content: Any) -> str:
    """Return YAML that ``read_yaml`` reads: what stands in several places is written out in each."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Without aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            """Write everything out."""
            return True
    return yaml.dump(content, Dumper=Dumper, sort_keys=False)


def _check_plain(value: str, line: int) -> None:
    if value == '<<':
        raise ValueError(f"a merge key '<<' in line {line}: write its content out")
    if len(value) > _LONGEST_NUMBER and _SIXTIES.fullmatch(value):
        raise ValueError(f'a number of {len(value)} characters in line {line}')


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """
    Return what a JSON file holds; :param limit: bytes.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is not JSON, too large, or would take far more memory than its text.
    """
    return parse_json(read_bounded(path, limit))


def parse_json(text: bytes | str) -> Any:
    """Return what JSON holds; raise a ValueError for what is none, or would take far more memory than its text."""
    data = text.encode(errors='surrogatepass') if isinstance(text, str) else text
    values, limit = 0, max(_FREE_JSON_VALUES, len(data) // _LEAST_BYTES_A_VALUE)
    for start in range(0, len(data), MIB):
        block = data[start:start + MIB]
        values += len(block) - len(block.translate(None, _STRUCTURE))
        if values > limit:
            raise ValueError(f'more than {limit} values in {len(data)} bytes of JSON: more than there is text for')
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError('JSON that is nested too deep') from error

