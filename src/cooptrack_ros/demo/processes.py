"""Processes of the demonstration: started with a log file each, watched together, stopped together."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..common.errors import UserError

_POLL_S = 0.1
_STOP_SIGNALS = ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""What is sent in turn, and how long each may take, seconds; a launcher itself needs some to stop its nodes."""
_TAIL_LINES = 15
_LAYOUTS = '~/.lichtblick-suite/layouts'
"""Lichtblick takes in what lies there when it starts, under the name of the file."""


def end_orderly_when_terminated() -> None:
    """Let SIGTERM unwind this process as Ctrl+C does, so that no process that it started is left behind."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class Process:
    """A running program whose output goes to a file; use as a context manager."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]):
        """Start it in a session of its own, so that Ctrl-C reaches it once, through us."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, log
        with log.open('wb') as stream:
            self._process = subprocess.Popen(
                list(command), stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=dict(environment), start_new_session=True)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def failure(self, why: str, others: Sequence[Process] = ()) -> UserError:
        """Return the error to raise: what failed, why, and the last lines of its log and of those of others."""
        return UserError('\n'.join([f'{self.name}: {why}', *(p.last_lines() for p in (self, *others))]))

    def last_lines(self) -> str:
        """Return the name of the log and its end."""
        lines = self.log.read_text(encoding='utf-8', errors='replace').splitlines()[-_TAIL_LINES:]
        return '\n  '.join([f'{self.log} ends with:', *(lines or ['(nothing)'])])

    def __enter__(self) -> Process:
        """Return the process."""
        return self

    def __exit__(self, *exception) -> None:
        """Stop it and everything that it started."""
        for number, patience in _STOP_SIGNALS:
            if self.status() is not None:
                return
            try:
                # Only the first process gets the polite signals: a launcher stops its nodes itself.
                if number is signal.SIGKILL:
                    os.killpg(self._process.pid, number)
                else:
                    self._process.send_signal(number)
                self._process.wait(timeout=patience)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                continue


def finish(process: Process, companions: Sequence[Process], timeout_s: float, stop: threading.Event) -> None:
    """
    Wait until a process ended well while its companions keep running.

    :param stop: set by another thread when nobody wants the result any more.
    :raises UserError: if it fails, takes too long, is not wanted, or a companion ends before it.
    """
    deadline = time.monotonic() + timeout_s
    while (status := process.status()) is None:
        for companion in companions:
            if companion.status() is not None:
                raise companion.failure(f'ended early with status {companion.status()}')
        if stop.is_set():
            raise process.failure('stopped because something else failed')
        if time.monotonic() > deadline:
            raise process.failure(f'not done after {timeout_s:.0f} s', companions)
        stop.wait(_POLL_S)
    if status:
        raise process.failure(f'ended with status {status}', companions)


def environment(domain: int, log_folder: Path) -> dict[str, str]:
    """Return the environment of one isolated ROS graph on this machine."""
    return {
        **os.environ, 'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(log_folder.resolve() / 'ros'), 'PYTHONUNBUFFERED': '1',
        # The nodes use one core each; more threads would only get into each other's way.
        'OMP_NUM_THREADS': '1', 'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}


def launch_command(file: Path, arguments: Mapping[str, object]) -> list[str]:
    """Return the command that starts a launch file: the real ``ros2 launch``, or its stand-in."""
    start = ['ros2', 'launch'] if shutil.which('ros2') else [sys.executable, '-m', 'launch_runner']
    return [*start, str(file), *(f'{name}:={_text(value)}' for name, value in arguments.items())]


def tool_command(*words: object) -> list[str]:
    """Return the command of a ``cooptrack`` sub-command with this interpreter."""
    return [sys.executable, '-m', 'cooptrack_ros.programs', 'cooptrack', *map(str, words)]


def launch_file(name: str) -> Path:
    """
    Return a launch file of the source tree or of the installation.

    :raises UserError: naming the places where it was looked for.
    """
    return _shipped(Path('launch', name), 'launch file')


def lichtblick_command(recording: Path) -> str:
    """
    Return the line of a shell that opens a bag in Lichtblick with our layout.

    :raises UserError: if the layout is not there.
    """
    layout = _shipped(Path('config', 'lichtblick', 'cooptrack.json'), 'layout')
    return (f'mkdir -p {_LAYOUTS} && cp {shlex.quote(str(layout))} {_LAYOUTS} && '
            f'lichtblick --defaultLayout={layout.stem} --source={shlex.quote(str(recording))}')


def _shipped(path: Path, what: str) -> Path:
    """Return a file of the share folder; an error names it as ``what``."""
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    candidates = [Path(__file__).resolve().parents[3] / path]
    candidates += [p / 'share' / 'cooptrack_ros' / path for p in (*prefixes, Path(sys.prefix))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UserError(f"{what} '{path.name}' was not found; looked at {', '.join(map(str, candidates))}")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
