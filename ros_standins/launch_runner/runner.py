"""Start the processes of a launch plan, show their output, and stop them together."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from .parse import LaunchPlan, NodeCommand

_STOP_SIGNALS = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""What is sent in turn, and how long each may take, seconds."""


class _Process:
    """A running node; its output is written line by line behind its label."""

    def __init__(self, node: NodeCommand, write: Callable[[str], object]):
        self.node, self._write, self._rest = node, write, b''
        # A session of its own: a Ctrl-C in the terminal must reach the nodes once, through us.
        self.popen = subprocess.Popen(node.command, env=dict(node.environment), stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, start_new_session=True)
        write(f'[launch] {node.label}: started with pid {self.popen.pid}\n')

    def forward(self) -> bool:
        """Write the lines that have come; return False at the end of the output."""
        # Not readline: it takes several lines out of the pipe and keeps all but one, where select does not see them.
        data = os.read(self.popen.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b'\n')
        if not data:
            self.flush()
        for line in lines:
            self._write(f'[{self.node.label}] {line.decode(errors="replace")}\n')
        return bool(data)

    def flush(self) -> None:
        """Write what came without the end of a line."""
        if self._rest:
            self._write(f'[{self.node.label}] {self._rest.decode(errors="replace")}\n')
        self._rest = b''


def run_plan(plan: LaunchPlan, write: Callable[[str], object] = sys.stdout.write) -> int:
    """
    Run until all processes ended, a required one ended, or SIGINT or SIGTERM came.

    :returns: 0 if no process failed; processes that were stopped count as not failed.
    """
    stopping = []
    previous = {s: signal.signal(s, lambda number, frame: stopping.append(number))
                for s in (signal.SIGINT, signal.SIGTERM)}
    processes = []
    with selectors.DefaultSelector() as selector:
        try:
            for node in plan.nodes:
                process = _Process(node, write)
                processes.append(process)
                selector.register(process.popen.stdout, selectors.EVENT_READ, process)
            return _watch(selector, stopping, write)
        finally:
            _stop(processes, selector)
            for number, handler in previous.items():
                signal.signal(number, handler)


def _watch(selector: selectors.BaseSelector, stopping: list, write: Callable[[str], object]) -> int:
    """Forward output until it is time to stop; return the exit status."""
    status = 0
    while selector.get_map() and not stopping:
        for process in _forward(selector, 0.5):
            code = process.popen.wait()
            write(f'[launch] {process.node.label}: ended with {code}\n')
            status = status or int(code != 0)
            if process.node.required:
                return status
    return status


def _forward(selector: selectors.BaseSelector, timeout_s: float) -> list[_Process]:
    """Write what has come from all processes; return those whose output ended."""
    ended = [key.data for key, _ in selector.select(timeout_s) if not key.data.forward()]
    for process in ended:
        selector.unregister(process.popen.stdout)
    return ended


def _stop(processes: list[_Process], selector: selectors.BaseSelector) -> None:
    for number, patience in _STOP_SIGNALS:
        alive = [p for p in processes if p.popen.poll() is None]
        for process in alive:
            process.popen.send_signal(number)
        deadline = time.monotonic() + patience
        while any(p.popen.poll() is None for p in alive) and time.monotonic() < deadline:
            _forward(selector, 0.1)
    while selector.select(0):
        _forward(selector, 0)
    for process in processes:
        process.flush()
        process.popen.stdout.close()
