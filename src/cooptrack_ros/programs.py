"""The programs of the package, in which Ctrl+C is looked after before anything else is imported."""

from __future__ import annotations

import importlib
import sys

from .common.start_up import INTERRUPTED, end_when_interrupted, take_interrupts


def cooptrack() -> int:
    """Run the command."""
    end_when_interrupted(INTERRUPTED)
    return importlib.import_module('.cli.main', __package__).main()


def _node(name: str) -> int:
    """
    Run ``main`` of a module of the nodes, after what it costs seconds to import.

    A node that is interrupted did what it should: its exit status is 0.
    """
    end_when_interrupted(0)
    from .common.errors import UserError
    try:
        if {'-h', '--help'} & set(sys.argv[1:]):
            from .nodes.usage import usage
            print(usage(name))
            return 0
        main = importlib.import_module(f'.nodes.{name}', __package__).main
        take_interrupts()
        return main()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # A second time, while nodes end.
        return 0


def ego_node() -> int:
    """Run the ego node."""
    return _node('ego_node')


def roadside_node() -> int:
    """Run the roadside node."""
    return _node('roadside_node')


def single_process() -> int:
    """Run both in one process."""
    return _node('single_process')


def link_emulator() -> int:
    """Run the bad link."""
    return _node('link_emulator')


if __name__ == '__main__':
    # For those who start programs without an installation: the first word names one.
    name = sys.argv.pop(1)
    sys.exit(cooptrack() if name == 'cooptrack' else _node(name))
