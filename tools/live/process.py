"""One node as a process that can be killed and watched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf('SC_PAGE_SIZE')
_CAMERA = ('image', 'image/compressed', 'camera_info', 'calibration')


@dataclass(frozen=True)
class Usage:
    """What a process holds: resident memory in megabytes (10^6), threads, open files."""

    memory_mb: float
    threads: int
    files: int


class NodeProcess:
    """A node under the names of the launch files; its output goes to a log that is appended to."""

    def __init__(self, module: str, namespace: str, log: Path, environment: Mapping[str, str],
                 parameters: Mapping[str, object], prefix: Sequence[str] = ()):
        """
        Remember how to start it; nothing runs yet.

        :param prefix: what the command starts with, such as the one that enters a network namespace.
        """
        remaps = [f'__ns:={namespace}', *(f'~/input/{name}:={namespace}/camera/{name}' for name in _CAMERA),
                  f'~/input/odometry:={namespace}/odometry']
        self._command = [*prefix, sys.executable, '-m', 'cooptrack_ros.programs', module, '--ros-args']
        for rule in remaps:
            self._command += ['-r', rule]
        for name, value in parameters.items():
            self._command += ['-p', f'{name}:={str(value).lower() if isinstance(value, bool) else value}']
        self.name, self.log, self._environment = f'{namespace}/{module}', log, dict(environment)
        self._process: subprocess.Popen | None = None

    def start(self, **environment: str) -> None:
        """Start it; :param environment: further variables."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open('ab') as stream:
            self._process = subprocess.Popen(self._command, stdout=stream, stderr=subprocess.STDOUT,
                                             stdin=subprocess.DEVNULL, env={**self._environment, **environment})

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default at once, and wait until it is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    def usage(self) -> Usage | None:
        """Return what it holds, None if it does not run."""
        proc = Path(f'/proc/{self.pid}')
        try:
            return Usage(int((proc / 'statm').read_text().split()[1]) * _PAGE / 1e6,
                         len(list((proc / 'task').iterdir())), len(list((proc / 'fd').iterdir())))
        except OSError:
            return None

    def last_words(self, marks: Sequence[str] = ('ERROR', 'WARN', 'error:')) -> str:
        """Return the last line of the log that tells of trouble, without time."""
        lines = [line for line in self.log.read_text(encoding='utf-8', errors='replace').splitlines()
                 if any(mark in line for mark in marks)]
        return lines[-1].split(']: ')[-1] if lines else ''
