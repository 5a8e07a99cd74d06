"""What Ctrl+C does to a program that is still being loaded; nothing heavy may be imported here."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""Exit status of a command that did not end what it was asked for, as shells have it."""


def end_when_interrupted(status: int) -> None:
    """
    Let Ctrl+C end the process at once and in silence, until ``take_interrupts``.

    An exception would not do: it leaves a traceback of whatever is being imported, and modules in C may swallow it.
    Where Ctrl+C is ignored, as by what a shell runs in the background, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(status))


def take_interrupts() -> None:
    """Let Ctrl+C be a ``KeyboardInterrupt`` from now on, for whom something has begun that must be ended in order."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
