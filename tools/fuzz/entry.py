"""What is fuzzed: one entry point with its modules, first inputs and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[bytes], bool]
"""Takes one input; True if it was accepted, False if it was refused with a documented error; raises for a failure."""


@dataclass(frozen=True)
class Entry:
    """
    One entry point.

    ``modules`` are watched for coverage; ``prepare`` makes what the runs share in a folder of their own and imports
    the modules, so it must not be called before the watch is set up; ``seeds`` gives first inputs.
    """

    name: str
    modules: tuple[str, ...]
    prepare: Callable[[Path], Run]
    seeds: Callable[[], list[bytes]]
    max_length: int = 512


def plain_seeds() -> list[bytes]:
    """Return inputs that choose the first kinds of everything."""
    return [bytes([first, second, third]) for first in range(8) for second in range(4) for third in range(2)]
