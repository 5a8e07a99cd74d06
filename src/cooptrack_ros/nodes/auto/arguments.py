"""Arguments of the ego node, with those for the inputs that were found."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.errors import UserError
from ..given import EMPTY, GIVEN, split_given, split_option
from ..usage import AUTO
from .choice import Choice, choose
from .live import SECONDS, look_around


def with_found_inputs(arguments: Sequence[str]) -> list[str]:
    """
    Return the arguments of the ego node; with ``--auto`` what is found in the running system stands before the others.

    Its value is ``true``, ``false`` or the namespace of the camera to take. What is chosen is printed.

    :raises UserError: if the choice is not clear, with all candidates.
    """
    rest, value = split_option(arguments, AUTO)
    if value in (None, 'false'):
        return rest
    if value != 'true' and not value.startswith('/'):
        raise UserError(f"{AUTO} is '{value}', expected true, false or the namespace of a camera, as /ego/camera")
    needs_points = any(p.name == 'lidar.enabled' and p.value is True for p in split_given(rest)[1])
    choice = choose(look_around(None, SECONDS), '' if value == 'true' else value, needs_points)
    print('\n'.join(['inputs that were found:', *choice.lines]), flush=True)
    if choice.unclear:
        raise UserError('nothing is started\n' + '\n'.join(map(str, choice.unclear)))
    return [*arguments_of(choice), *rest]


def arguments_of(choice: Choice) -> list[str]:
    """Return a choice as arguments; ROS takes the first of several remappings, of what is given the last counts."""
    remaps = [word for item in choice.remappings.items() for word in ('-r', ':='.join(item))]
    given = [word for name, value in choice.parameters.items() for word in (GIVEN, f'{name}:={_text(value)}')]
    return [*given, '--ros-args', *remaps, '--']


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value or EMPTY
