"""The programs of the nodes: nothing heavy is loaded before Ctrl+C and ``--help`` are looked after."""

from __future__ import annotations

import importlib
import sys

from ..common.errors import UserError


def _run(name: str) -> int:
    """Run ``main`` of a module beside this one, after what it costs seconds to import."""
    try:
        if {'-h', '--help'} & set(sys.argv[1:]):
            from .usage import usage
            print(usage(name))
            return 0
        return importlib.import_module(f'.{name}', __package__).main()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # Also in the first seconds, and a second time while nodes end.
        return 0


def ego_node() -> int:
    """Run the ego node."""
    return _run('ego_node')


def roadside_node() -> int:
    """Run the roadside node."""
    return _run('roadside_node')


def single_process() -> int:
    """Run both in one process."""
    return _run('single_process')


def link_emulator() -> int:
    """Run the bad link."""
    return _run('link_emulator')


if __name__ == '__main__':
    # For those who start nodes without an installation: the first word names the program.
    sys.exit(_run(sys.argv.pop(1)))
