"""Command-line flags made from declared settings: ``--latency-ms`` of a field ``latency_ms``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, TypeVar

from ..common.declaration import Declaration, declarations
from ..common.errors import UserError

T = TypeVar('T')
_THREADS = 2
_MAX_DOMAIN = 232


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``; the entry point sees before the work that the file can be written."""
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the figures to this file')


def add_domain(parser: argparse._ActionsContainer) -> None:
    """Declare ``--domain-id``."""
    parser.add_argument('--domain-id', type=int, metavar='N', help='ROS domain to look at (default: ROS_DOMAIN_ID)')


def check_domain(number: int | None) -> None:
    """
    Check the value of ``--domain-id``.

    :raises UserError: for a number that no domain has.
    """
    if number is not None and not 0 <= number <= _MAX_DOMAIN:
        raise UserError(f'--domain-id is {number}, expected 0 to {_MAX_DOMAIN}')


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Declare ``--threads``, which OMP_NUM_THREADS of the environment gives a default."""
    known = os.environ.get('OMP_NUM_THREADS', '')
    default = int(known) if known.isdecimal() and int(known) else _THREADS
    parser.add_argument('--threads', type=int, default=default,
                        help=f'CPU threads (default: OMP_NUM_THREADS of the environment, else {_THREADS})')


def add_truth(parser: argparse.ArgumentParser) -> None:
    """Declare ``--truth``."""
    parser.add_argument('--truth', type=Path, metavar='FILE', help='for results in the layout of results_nusc.json: '
                        'a file cooptrack-eval-golden/1 whose scenes and ground truth they are measured against')


def add_flag(parser: argparse.ArgumentParser, name: str, said: Declaration, fallback: str = '') -> None:
    """
    Declare the flag of a setting.

    :param name: of the setting; the flag has hyphens for its underscores.
    :param fallback: in words, what holds without the flag, whose value then is None; empty: the declared default.
    """
    text = said.description
    if said.unit or said.low is not None:
        bounds = f'{said.low} to {said.high}' if said.low is not None else ''
        text += f" [{' '.join(filter(None, (bounds, said.unit)))}]"
    if said.default is False:
        _add(parser, name, text, action='store_true')
        return
    kind = {'choices': said.choices} if said.choices else {'type': type(said.default)}
    _add(parser, name, f"{text} (default: {fallback or '%(default)s'})",
         default=None if fallback else said.default, **kind)


def _add(parser: argparse.ArgumentParser, name: str, text: str, **options: Any) -> None:
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, **options)


def add_flags(parser: argparse.ArgumentParser, settings: type) -> None:
    """Declare the flags of all declared fields of a settings class."""
    for name, said in declarations(settings).items():
        add_flag(parser, name, said)


def settings_of(args: argparse.Namespace, settings: type[T]) -> T:
    """
    Return the settings that the flags of ``add_flags`` describe.

    :raises UserError: for a value that the class refuses.
    """
    return settings(**{name: getattr(args, name) for name in declarations(settings)})
