"""Many scenes at once, each in a process; a set that was begun is completed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from ...common.errors import UserError
from ..spd.schema import read_json
from . import PROVENANCE, generate, provenance
from .window import eventful_start


def parse_seeds(text: str) -> range:
    """
    Return the seeds of ``A-B``, both included.

    :raises UserError: if the text is anything else.
    """
    try:
        first, last = (int(part) for part in text.split('-'))
    except ValueError:
        raise UserError(f"seeds must look like 1-40, not '{text}'") from None
    if last < first:
        raise UserError(f"seeds must rise, not '{text}'")
    return range(first, last + 1)


def is_complete(folder: Path, seed: int, options: dict) -> bool:
    """
    Return whether ``folder`` already holds this very scene.

    :raises UserError: if it holds something else.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        return False
    # Scenes of earlier versions name no start, and only those with a drone its altitude.
    found = {'start': 0.0, 'altitude': 0.0} | read_json(path, dict)
    wanted = {'altitude': 0.0} | provenance(seed, **options)
    if {key: found.get(key) for key in wanted} != wanted:
        raise UserError(f'{folder} holds another scene ({found}); wanted {wanted}')
    return True


def options_of(seed: int, options: dict, eventful: bool) -> dict:
    """Return the arguments of ``generate`` for a seed, with its own start where the most eventful one is wanted."""
    return options | {'start': eventful_start(seed, options['seconds'])} if eventful else options


def generate_many(out: Path, seeds: range, options: dict, jobs: int,
                  advance: Callable[[int, int], None] = lambda done, total: None, until: float = math.inf,
                  eventful: bool = False) -> bool:
    """
    Write the scenes that are missing as ``out/seed_000001`` ...; return whether all are there.

    :param options: further arguments of ``generate``; :param jobs: processes;
    :param advance: is called with (scenes done, scenes in all);
    :param until: time of ``time.monotonic`` after which no further scene is begun;
    :param eventful: record each scene from ``window.eventful_start`` on.
    """
    folders = {seed: out / f'seed_{seed:06d}' for seed in seeds}
    each = {seed: options_of(seed, options, eventful) for seed in seeds}
    missing = [seed for seed, folder in folders.items() if not is_complete(folder, seed, each[seed])]
    done = len(seeds) - len(missing)
    advance(done, len(seeds))
    running = set()
    # Not forked: threads of OpenCV do not come along, and a child waits for them for ever.
    with ProcessPoolExecutor(jobs, get_context('spawn')) as pool:
        while running or (missing and time.monotonic() < until):
            while missing and len(running) < jobs and time.monotonic() < until:
                seed = missing.pop(0)
                running.add(pool.submit(generate, folders[seed], seed, **each[seed]))
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
            done += len(finished)
            advance(done, len(seeds))
    return not missing
