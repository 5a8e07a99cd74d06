"""Start the processes of a launch plan, show their output, and stop them together."""

from __future__ import annotations

import selectors
import signal
import subprocess
import sys
from collections.abc import Callable

from .parse import LaunchPlan

_STOP_SIGNALS = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""What is sent in turn, and how long each may take, seconds."""


def run_plan(plan: LaunchPlan, write: Callable[[str], object] = sys.stdout.write) -> int:
    """
    Run until all processes ended, a required one ended, or SIGINT or SIGTERM came.

    :returns: 0 if no process failed; processes that were stopped count as not failed.
    """
    stopping = []
    previous = {s: signal.signal(s, lambda number, frame: stopping.append(number))
                for s in (signal.SIGINT, signal.SIGTERM)}
    processes = {}
    try:
        for node in plan.nodes:
            # A session of its own: a Ctrl-C in the terminal must reach the nodes once, through us.
            process = subprocess.Popen(node.command, env=dict(node.environment), stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, bufsize=1, start_new_session=True)
            processes[process] = node
            write(f'[launch] {node.label}: started with pid {process.pid}\n')
        return _watch(processes, stopping, write)
    finally:
        _stop(processes, write)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _watch(processes: dict, stopping: list, write: Callable[[str], object]) -> int:
    """Forward output until it is time to stop; return the exit status."""
    selector = selectors.DefaultSelector()
    for process in processes:
        selector.register(process.stdout, selectors.EVENT_READ, process)
    running, status = set(processes), 0
    while running and not stopping:
        for key, _ in selector.select(timeout=0.5):
            process, node = key.data, processes[key.data]
            line = key.fileobj.readline()
            if line:
                write(f'[{node.label}] {line}')
                continue
            selector.unregister(key.fileobj)
            code = process.wait()
            running.discard(process)
            write(f'[launch] {node.label}: ended with {code}\n')
            status = status or int(code != 0)
            if node.required:
                return status
    return status


def _stop(processes: dict, write: Callable[[str], object]) -> None:
    for number, patience in _STOP_SIGNALS:
        alive = [p for p in processes if p.poll() is None]
        for process in alive:
            process.send_signal(number)
        for process in alive:
            try:
                rest, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                continue
            for line in (rest or '').splitlines():
                write(f'[{processes[process].label}] {line}\n')
    for process in processes:
        process.stdout.close()
