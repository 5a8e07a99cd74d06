"""What ``--help`` of a program of the nodes prints."""

from __future__ import annotations

from dataclasses import fields

from .settings import EgoSettings, LinkEmulatorSettings, RoadsideSettings, ros_name

_NODES = {
    'ego_node': (EgoSettings, 'Tracks what the cameras of a vehicle see and what roadside units send.'),
    'roadside_node': (RoadsideSettings, 'Tracks what the cameras of a roadside unit see and sends it to vehicles.'),
    'link_emulator': (LinkEmulatorSettings, 'Delays, loses, doubles and reorders the messages of one unit.')}
AUTO, DUMP = '--auto', '--dump-config'
"""Options of the programs, in front of those of ROS."""
SINGLE_PROCESS = ('usage: single_process [--ros-args ...] --ego [--given NAME:=VALUE ...] [--ros-args ...] '
                  '--roadside [--given ...] [--ros-args ...] [--both [--ros-args ...]]')


def usage(program: str) -> str:
    """Return the help text of a program."""
    if program not in _NODES:
        return (f'{SINGLE_PROCESS}\n\nBoth nodes in one process; each takes the arguments of its own program '
                '(see `ego_node --help`, `roadside_node --help`).')
    settings, text = _NODES[program]
    names = [(ros_name(item), item.default, item.metadata['description']) for item in fields(settings)]
    width = max(len(name) for name, *_ in names)
    options, meanings = f'[{DUMP} FILE.yaml]', [
        f'{DUMP} writes the parameters that would be in effect as a parameter file, and starts nothing.']
    if program == 'ego_node':
        options += f' [{AUTO} true|false|NAMESPACE]'
        meanings.append(f'{AUTO} takes the inputs that are published, if that is clear; NAMESPACE: of the camera.')
    return '\n'.join([
        f'usage: {program} [--given NAME:=VALUE ...] {options} '
        '[--ros-args -p NAME:=VALUE -r FROM:=TO --params-file FILE ...]',
        '', text, '', '--given wins over everything behind --ros-args; an empty VALUE sets nothing (for launch files).',
        *meanings,
        '',
        'Parameters, with their defaults:',
        *(f'  {name:<{width}}  {meaning} ({"must be stated" if default is None else repr(default)})'
          for name, default, meaning in names)])
