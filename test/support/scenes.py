"""Synthetic scenes and bags that are made once in a run of the tests, whichever of its processes asks first."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.data.synth import generate


class Scenes:
    """
    Data sets and bags in a folder that all processes of a run share.

    They belong to all tests: who changes one makes a copy first.
    """

    def __init__(self, folder: Path):
        """Take the folder; nothing is made yet."""
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def scene(self, seed: int, seconds: float, size: tuple[int, int], units: int = 1, lidar: bool = False,
              occupancy: str = '') -> Path:
        """Return the data set that ``generate`` makes of these arguments, ``seed_...`` in a folder of its own."""
        kind = f'{seed}_{seconds:g}s_{size[0]}x{size[1]}_{units}{"_lidar" if lidar else ""}{occupancy}'
        path = self._folder / kind / f'seed_{seed:06}'
        return self._once(path, lambda: generate(path, seed, seconds, size, units=units, lidar=lidar,
                                                 occupancy=occupancy))

    def bag(self, scene: Path) -> Path:
        """Return a bag of the only sequence of a scene that comes from ``scene``."""
        from cooptrack_ros.data.bags.convert import convert

        def make() -> None:
            _, dataset = open_datasets([scene])[0]
            convert(dataset, dataset.sequences()[0], path)
        path = scene.with_name('bag')
        return self._once(path, make)

    def _once(self, path: Path, make: Callable[[], object]) -> Path:
        path.parent.mkdir(exist_ok=True)
        with _locked(path.with_name(f'.{path.name}.lock')):
            if not path.exists():
                make()
        return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process in at a time; the lock of a process that ends is free."""
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
