"""Programs in processes of their own without the seconds of a start: they fork from one that has imported all."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

PRELOADED = [
    'cooptrack_ros.bench.ros_node', 'cooptrack_ros.cli.main', 'cooptrack_ros.cli.train',
    'cooptrack_ros.cooperation.feature_flow', 'cooptrack_ros.data.bags.convert', 'cooptrack_ros.data.bags.cut',
    'cooptrack_ros.data.synth', 'cooptrack_ros.model.network', 'cooptrack_ros.nodes.single_process',
    'cooptrack_ros.tracking.fixed_shape.export', 'cooptrack_ros.train.roadside_cache', 'cooptrack_ros.weights.convert']
"""Imported once for all processes."""


def fork_context() -> ForkServerContext:
    """Return what starts processes."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(PRELOADED)
    return context


class Ended(NamedTuple):
    """A program that has ended: its exit status and what it wrote to both streams."""

    status: int
    output: str
    error: str


class Program:
    """A program of the package that runs."""

    def __init__(self, name: str, *words: object, env: Mapping[str, str] | None = None):
        """Start it; :param env: its environment, that of the tests if None."""
        self._folder = TemporaryDirectory()
        self._streams = [Path(self._folder.name, stream) for stream in ('output', 'error')]
        self.process = fork_context().Process(target=_run, args=(
            self._streams, name, [str(word) for word in words], dict(os.environ if env is None else env)))
        self.process.start()

    def wait(self) -> Ended:
        """Return what there is to say when it has ended; it does not outlive the test."""
        try:
            self.process.join()
        finally:
            self.process.kill()
        self.process.join()
        with self._folder:
            return Ended(self.process.exitcode, *(s.read_text(errors='replace') for s in self._streams))


def run(name: str, *words: object, env: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end."""
    return Program(name, *words, env=env).wait()


def _run(streams: list[Path], name: str, words: list[str], env: dict[str, str]) -> None:
    from cooptrack_ros import programs
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    os.chdir('/')
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [name, *words]
    sys.exit(getattr(programs, name)())
