"""Options of ``cooptrack eval`` as its JSON keeps them, and the same evaluation made again from there."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.figures import figure_text
from ..common.reading import read_json, read_yaml

_OF_THE_CALL = ('command', 'rerun', 'json', 'results')
"""Options that have nothing to do with the figures."""
_WITH_RERUN = (*_OF_THE_CALL, 'data')


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with recorded options in one line."""

    def error(self, message: str) -> None:
        """Raise what is wrong."""
        raise UserError(f'{self.prog}: {message}')


def options_of(args: argparse.Namespace, mode: str) -> dict[str, Any]:
    """Return all options that matter for the figures of a mode; a configuration file is there with its content."""
    options = {k: [str(p) for p in v] if k == 'data' else v for k, v in vars(args).items() if k not in _OF_THE_CALL}
    return options | {'mode': mode, 'config': _content_of(args.config)}


def is_preset(config: Any) -> bool:
    """Tell whether ``--config`` names a preset; if not, it is a file or the overrides themselves."""
    from ..common.config import PRESETS
    return isinstance(config, str) and config in PRESETS


def _content_of(config: Any) -> Any:
    return config if config is None or is_preset(config) else read_overrides(config)


def read_overrides(config: str | Mapping[str, Any]) -> dict[str, Any]:
    """
    Return overrides of a configuration from a YAML file, or as they were recorded.

    :raises UserError: if there are none.
    """
    from ..common.config import PRESETS
    if isinstance(config, Mapping):
        return dict(config)
    try:
        return read_yaml(Path(config))
    except (OSError, ValueError) as error:
        raise UserError(f"--config '{config}', which is none of {', '.join(PRESETS)}: {error}") from error


def restored(args: argparse.Namespace,
             declare: Callable[[argparse.ArgumentParser], None]) -> tuple[argparse.Namespace, dict[str, dict]]:
    """
    Return the options of a file of figures, and its rows by mode.

    :param args: with ``rerun``; :param declare: adds the options of the command to a parser.
    :raises UserError: if the file does not hold them, or if there are options beside it.
    """
    parser = _Parser(prog=str(args.rerun), add_help=False, allow_abbrev=False)
    declare(parser)
    usual = vars(parser.parse_args([]))
    given = [name for name, value in usual.items() if name not in _WITH_RERUN and getattr(args, name) != value]
    if given:
        raise UserError(f"--rerun takes the options of {args.rerun}: leave out --{given[0].replace('_', '-')}")
    rows = _rows(args.rerun)
    options = dict(next(iter(rows.values()))['options'])
    config = options.pop('config', None)
    found = parser.parse_args(_words(options))
    for name in _WITH_RERUN:
        if getattr(args, name, None) is not None:
            setattr(found, name, getattr(args, name))
    found.config = config
    return found, rows


def _rows(path: Path) -> dict[str, dict]:
    """Return the rows of a file of figures by mode."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON: {getattr(error, "strerror", None) or error}') from error
    rows = content if isinstance(content, dict) and 'schema' not in content else {'': content}
    named = {}
    for row in rows.values():
        if not (isinstance(row, dict) and isinstance(row.get('options'), dict) and isinstance(row.get('mode'), str)):
            raise UserError(f"{path} does not name the 'mode' and 'options' of its rows; expected what eval --json "
                            'writes')
        named[row['mode']] = row
    if not named:
        raise UserError(f'{path} has no rows')
    return named


def _words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line."""
    words = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, list):
            words += [flag, *map(str, value)]
        elif value is not None and value is not False:
            words.append(f'{flag}={value}')
    return words


def print_differences(recorded: Mapping[str, dict], measured: Mapping[str, dict]) -> bool:
    """Print for each figure of each mode whether it is equal; tell whether one is not."""
    from ..eval.origin import differences
    different = total = 0
    for mode, old in recorded.items():
        for name in ('version', 'commit', 'label_hash', 'models'):
            if old.get(name) != measured[mode][name]:
                print(f'{mode} {name}: was {old.get(name)}, now {measured[mode][name]}')
        for name, before, after, equal in differences(old, measured[mode]):
            total, different = total + 1, different + (not equal)
            words = figure_text(before) if equal else f'{figure_text(before, 6)}, now {figure_text(after, 6)}'
            print(f"{mode} {name}: {'equal' if equal else 'different'}, {words}")
    print(f'{total - different} of {total} figures are equal, {different} different')
    return different > 0
