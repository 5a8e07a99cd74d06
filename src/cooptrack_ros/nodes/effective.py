"""The parameters of a node as they are in effect, as a file that starts the same node again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rclpy.node import Node

_OF_ROS = ('start_type_description_service', 'qos_overrides.')
"""Beginnings of parameters that ROS declares itself, which are not the same in all its versions."""


def effective_config(node: Node, arguments: Sequence[str]) -> str:
    """
    Return a parameter file for nodes of any name.

    :param arguments: those of the program; remappings, which no such file can hold, stand in its comment.
    """
    remaps = [word for word, before in zip(arguments[1:], arguments) if before in ('-r', '--remap')]
    lines = [f'# Parameters of {node.get_fully_qualified_name()} as they were in effect.']
    if remaps:
        lines.append('# A parameter file holds no remappings; it had: '
                     + json.dumps(' '.join(f'-r {word}' for word in remaps))[1:-1])
    lines += ['/**:', '  ros__parameters:']
    for name, parameter in node.get_parameters_by_prefix('').items():
        if name.startswith(_OF_ROS):
            continue
        # What is not set cannot be set to nothing in a file.
        lines.append(f'    # {name} is not set' if parameter.value is None
                     else f'    {name}: {json.dumps(parameter.value)}')
    return '\n'.join(lines) + '\n'
