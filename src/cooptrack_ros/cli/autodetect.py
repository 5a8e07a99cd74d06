"""Sub-command ``cooptrack autodetect``: which topics of a system or a bag are the inputs of the ego node."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import UserError
from ..common.outputs import write_figures
from .flags import add_domain, add_json, check_domain

if TYPE_CHECKING:
    from ..nodes.auto.choice import Choice

SUMMARY = 'find the inputs of the ego node in a running system or a bag'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('bag', nargs='?', type=Path, metavar='BAG', help='bag to look into (default: what is running)')
    parser.add_argument('--camera', default='', metavar='NAMESPACE', help='camera to take where there are several')
    add_domain(parser)
    parser.add_argument('--seconds', type=float, metavar='S', help='how long to look at a running system (default: 5)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was chosen, or between what the choice is not clear; return 0 if everything is clear."""
    from ..nodes.auto.choice import choose
    seen = _look(args)
    choice = choose(seen, args.camera)
    print('\n'.join(choice.lines))
    if choice.unclear:
        print('\n'.join(map(str, choice.unclear)))
    else:
        print(_by_hand(choice, args.camera))
    if args.json:
        write_figures(args.json, {
            'schema': 'cooptrack-autodetect/1', 'remappings': choice.remappings, 'parameters': choice.parameters,
            'unclear': [asdict(u) for u in choice.unclear], 'topics': [asdict(t) for t in seen.topics]})
    return 1 if choice.unclear else 0


def _look(args: argparse.Namespace):
    if args.bag is not None:
        if args.domain_id is not None or args.seconds is not None:
            raise UserError('--domain-id and --seconds belong to a running system, not to a bag')
        from ..nodes.auto.bag import look_into
        return look_into(args.bag)
    check_domain(args.domain_id)
    if args.seconds is not None and args.seconds <= 0:
        raise UserError(f'--seconds is {args.seconds}, expected more than 0')
    from ..nodes.auto.live import SECONDS, look_around
    return look_around(args.domain_id, args.seconds or SECONDS)


def _by_hand(choice: Choice, camera: str) -> str:
    """Return the command that starts the node with these inputs."""
    from ..nodes.auto.arguments import arguments_of
    words = shlex.join(arguments_of(choice)[:-1])
    return (f"to start it so: ros2 launch cooptrack_ros ego.launch.xml auto:={shlex.quote(camera or 'true')}, or\n"
            f'ros2 run cooptrack_ros ego_node {words} -r __ns:=/ego')
