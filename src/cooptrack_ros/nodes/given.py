"""
Parameters that are set only where there is a value: ``--given NAME:=VALUE``, for launch files.

A launch file cannot leave out the parameter of an argument that nobody gave: with ``-p NAME:=`` ROS would not start,
and a default in its place would win over the parameter file. Which of ``-p`` and a file wins depends on the names of
the sections in the file; what is given here always does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from rclpy.parameter import Parameter

from ..common.errors import UserError
from ..common.reading import parse_yaml
from .settings import EgoSettings, LinkEmulatorSettings, RoadsideSettings, ros_name

GIVEN = '--given'
EMPTY = '""'
"""The value of an empty text, which sets it."""
_TEXTS = {ros_name(item) for settings in (EgoSettings, RoadsideSettings, LinkEmulatorSettings)
          for item in fields(settings) if item.type == 'str'}


def split_given(arguments: Sequence[str]) -> tuple[list[str], list[Parameter]]:
    """
    Return the arguments for ROS, and the parameters that are given.

    :param arguments: those of a node, without the program's name.
    :raises UserError: for something else than ``NAME:=VALUE``.
    """
    rest, given = [], []
    words = iter(arguments)
    for word in words:
        if word != GIVEN:
            rest.append(word)
            continue
        text = next(words, '')
        name, separator, value = text.partition(':=')
        if not (name and separator):
            raise UserError(f"{GIVEN} {text or '(nothing)'}: expected NAME:=VALUE")
        if value:
            given.append(_parameter(name, value))
    return rest, given


def split_option(arguments: Sequence[str], option: str) -> tuple[list[str], str | None]:
    """
    Return the arguments without an option of the program and its value, None where it is not there.

    :raises UserError: for an option without a value.
    """
    rest, value = list(arguments), None
    while option in rest:
        at = rest.index(option)
        if at + 1 == len(rest):
            raise UserError(f'{option}: expected a value behind it')
        value = rest[at + 1]
        del rest[at:at + 2]
    return rest, value


def _parameter(name: str, text: str) -> Parameter:
    if name in _TEXTS and text == EMPTY:
        return Parameter(name, value='')
    try:
        # YAML would make a number of a unit called 7.
        value: Any = text if name in _TEXTS else parse_yaml(text)
        return Parameter(name, value=value)
    except (ValueError, TypeError) as error:
        raise UserError(f'{GIVEN} {name}:={text}: expected a number, true, false or a text') from error
