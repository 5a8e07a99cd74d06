"""What a bomb is, and how it is set off: in a process of its own, whose time and memory are measured."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import Any

from cooptrack_ros.common.errors import UserError

from .hollow import MIB

MAX_SECONDS, MAX_MIB = 1.0, 300
"""Within what every bomb must be refused."""
_PATIENCE_S, _MAX_WALL_S = 10, 300
"""Processor time that a reader gets, and time on a busy machine."""
_TOOLS = Path(__file__).resolve().parents[1]
_ROOM = 3072 * MIB
"""Address space and disk that a reader gets beside what it has before: the machine must outlive those that fail."""


@dataclass(frozen=True)
class Bomb:
    """
    ``make`` writes it below a folder and returns what ``read`` is given.

    ``prepare`` does what costs time and memory whatever a file holds, such as imports.
    """

    title: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    prepare: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Blast:
    """
    What came of a bomb.

    ``seconds`` of processor time and ``mib`` are what the reader took beside what it had before; ``outcome`` is refused
    (with a UserError), read, or what went wrong.
    """

    outcome: str
    seconds: float
    mib: float
    said: str = ''

    @property
    def is_withstood(self) -> bool:
        """Tell whether it was refused in time and without much memory."""
        return self.outcome == 'refused' and self.seconds <= MAX_SECONDS and self.mib <= MAX_MIB


def all_bombs() -> dict[str, Bomb]:
    """Return all bombs by name."""
    from . import bombs
    found: dict[str, Bomb] = {}
    for module in iter_modules(bombs.__path__):
        found |= import_module(f'{bombs.__name__}.{module.name}').BOMBS
    return found


def set_off(names: Sequence[str], source: Path | None = None) -> dict[str, Blast]:
    """
    Make bombs, have them read in processes of their own, and remove them.

    :param source: sources of another version of the package that reads them, None for these.
    """
    bombs, blasts = all_bombs(), {}
    with TemporaryDirectory(prefix='redteam_') as folder:
        left = []
        for name in names:
            place = Path(folder) / name
            place.mkdir()
            left.append((name, str(bombs[name].make(place))))
        while left:
            # A process reads one after the other; the next one goes on behind the bomb that ended it.
            found = _read_apart(left, source)
            blasts |= {name: blast for (name, _), blast in zip(left, found)}
            left = left[len(found):]
    return blasts


def _read_apart(pairs: Sequence[tuple[str, str]], source: Path | None) -> list[Blast]:
    """Return what came of bombs, given as names and paths, up to the first that ended the process; at least one."""
    places = [str(source)] if source else []
    done = subprocess.run(
        [sys.executable, '-m', 'redteam.bomb', *(word for pair in pairs for word in pair)], capture_output=True,
        text=True, timeout=_MAX_WALL_S * len(pairs), check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([*places, str(_TOOLS)])})
    blasts = [Blast(**json.loads(line)) for line in done.stdout.splitlines()]
    if done.returncode == -signal.SIGXCPU:
        blasts.append(Blast(f'still busy after {_PATIENCE_S} s', _PATIENCE_S, 0))
    elif len(blasts) < len(pairs):
        blasts.append(Blast(f'the process ended with status {done.returncode}', 0, 0, done.stderr[-300:]))
    return blasts


def _read(bomb: Bomb, path: Path) -> Blast:
    """Read a bomb in this process, which is for nothing else."""
    bomb.prepare()
    before = _memory('VmRSS')
    # The highest memory is counted from here.
    Path('/proc/self/clear_refs').write_text('5')
    room = int(_memory('VmSize') * MIB) + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, resource.RLIM_INFINITY))
    started, said = time.process_time(), ''
    busy = int(started) + 1 + _PATIENCE_S
    resource.setrlimit(resource.RLIMIT_CPU, (busy, resource.RLIM_INFINITY))
    try:
        bomb.read(path)
        outcome = 'read'
    except UserError as error:
        outcome, said = 'refused', str(error)[:300].replace(str(path.parent), '')
    except Exception as error:
        outcome, said = f'ended with {type(error).__name__}', str(error)[:300]
    return Blast(outcome, round(time.process_time() - started, 2), round(max(_memory('VmHWM') - before, 0), 1), said)


def _warm_up() -> None:
    """Import what readers import when they are called: that is no part of what a file costs."""
    for name in ('PIL.Image', 'cv2', 'numpy', 'rosbags.rosbag2', 'safetensors.torch', 'torch', 'yaml'):
        import_module(name)


def _memory(key: str) -> float:
    """Return a figure of this process in MiB."""
    text = Path('/proc/self/status').read_text(encoding='ascii')
    return int(text.split(f'{key}:')[1].split()[0]) / 1024


def main(pairs: Sequence[str]) -> None:
    """Read bombs, given as names and paths in turn, and print what came of each as a line of JSON."""
    _warm_up()
    bombs = all_bombs()
    for name, path in zip(pairs[::2], pairs[1::2], strict=True):
        print(json.dumps(asdict(_read(bombs[name], Path(path)))), flush=True)


if __name__ == '__main__':
    main(sys.argv[1:])
