"""Runs one entry point under atheris and keeps account; every run goes on from what the last one left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import atheris

from .entry import Entry, Run

MAX_CPU_S = 1.0
"""An input that takes longer hangs; processor time, because a busy machine is no defect."""
_STUCK_S = 60.0
_MAX_MEMORY = 2 * 2**30
"""Address space that inputs may ask for beyond what is loaded: what is checked first is never that large."""
_SAVE_S = 10.0
_FAILURES = 'failures'
_STATISTICS = 'statistics.json'


@dataclass
class Account:
    """What was run so far; ``failures`` are counted by their place."""

    inputs: int = 0
    seconds: float = 0.0
    accepted: int = 0
    slowest_s: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def load(folder: Path) -> Account:
        """Return the account of a folder, a new one if there is none."""
        path = folder / _STATISTICS
        if not path.is_file():
            return Account()
        stored = json.loads(path.read_text(encoding='utf-8'))
        return Account(**{**stored, 'failures': Counter(stored['failures'])})

    def save(self, folder: Path) -> None:
        """Write it, atomically."""
        part = folder / (_STATISTICS + '.part')
        part.write_text(json.dumps(vars(self), indent=1), encoding='utf-8')
        part.replace(folder / _STATISTICS)


def failure_key(error: BaseException) -> str:
    """Return type and innermost place of an error within this package, as a file name."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if 'cooptrack' in f.filename]
    place = f'{Path(frames[-1].filename).stem}_{frames[-1].name}_{frames[-1].lineno}' if frames else 'outside'
    return re.sub(r'[^\w.-]', '', f'{type(error).__name__}_{place}')


class Campaign:
    """One process that runs inputs until a number or a time is reached."""

    def __init__(self, entry: Entry, folder: Path, max_inputs: int, max_seconds: float):
        """
        Prepare the folder of an entry: ``corpus``, ``failures`` and the account.

        :param max_inputs: of all runs together; :param max_seconds: of this run.
        """
        self._entry, self._folder = entry, folder
        self._max_inputs, self._max_seconds = max_inputs, max_seconds
        self._corpus = folder / 'corpus'
        for name in ('corpus', _FAILURES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._account = Account.load(folder)
        self._before_s = self._account.seconds
        self._current, self._since = b'', 0.0

    def run(self) -> None:
        """Run inputs; ends the process."""
        for number, seed in enumerate(self._entry.seeds()):
            (self._corpus / f'seed_{number:03d}').write_bytes(seed)
        scratch = self._folder / f'scratch_{os.getpid()}'
        scratch.mkdir()
        with atheris.instrument_imports(include=list(self._entry.modules)):
            self._run_one: Run = self._entry.prepare(scratch)
        self._limit_memory()
        self._started = self._saved = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()
        atheris.Setup([sys.argv[0], str(self._corpus), f'-max_len={self._entry.max_length}', '-rss_limit_mb=0',
                       '-timeout=100000', '-print_final_stats=0', '-artifact_prefix=' + str(self._folder / _FAILURES)
                       + '/'], self._one)
        atheris.Fuzz()

    @staticmethod
    def _limit_memory() -> None:
        size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _MAX_MEMORY,) * 2)

    def _one(self, data: bytes) -> None:
        account = self._account
        self._current, self._since = data, time.monotonic()
        started = time.process_time()
        try:
            account.accepted += bool(self._run_one(data))
        except Exception as error:
            self._failed(failure_key(error), data)
        taken = time.process_time() - started
        account.slowest_s = max(account.slowest_s, taken)
        if taken > MAX_CPU_S:
            self._failed('hang', data)
        account.inputs += 1
        now = time.monotonic()
        self._since = 0.0
        if account.inputs >= self._max_inputs or now - self._started > self._max_seconds:
            self._save(now)
            # libFuzzer knows no orderly end from within.
            os._exit(0)
        if now - self._saved > _SAVE_S:
            self._save(now)

    def _failed(self, key: str, data: bytes) -> None:
        self._account.failures[key] += 1
        if self._account.failures[key] == 1:
            name = f'{key}_{hashlib.sha256(data).hexdigest()[:8]}.bin'
            (self._folder / _FAILURES / name).write_bytes(data)

    def _save(self, now: float) -> None:
        self._saved = now
        self._account.seconds = self._before_s + now - self._started
        self._account.save(self._folder)

    def _watch(self) -> None:
        """End the process when an input never ends; the next run goes on without it."""
        while True:
            time.sleep(1)
            if self._since and time.monotonic() - self._since > _STUCK_S:
                self._failed('stuck', self._current)
                self._save(time.monotonic())
                os._exit(1)


def replay(entry: Entry, folder: Path, run: Run) -> dict[str, str]:
    """Run the stored failures of an entry; return what still fails, as {file name: error}."""
    open_failures = {}
    for path in sorted((folder / _FAILURES).glob('*.bin')):
        with contextlib.suppress(OSError):
            started = time.process_time()
            try:
                run(path.read_bytes())
            except Exception as error:
                open_failures[path.name] = repr(error)[:300]
            if time.process_time() - started > MAX_CPU_S:
                open_failures[path.name] = 'takes longer than a second'
    return open_failures
