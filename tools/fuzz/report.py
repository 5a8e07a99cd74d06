"""Statistics of all campaigns, with the coverage of their corpora, as one JSON file."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path

import coverage

from .campaign import Account, replay
from .entry import Entry


def measure(entry: Entry, folder: Path) -> dict[str, object]:
    """
    Return what was run of an entry, which lines its corpus reaches, and which stored failures still fail.

    Runs the corpus; call it in a process of its own, because modules are watched from their import on.
    """
    account = Account.load(folder)
    watch = coverage.Coverage(source=[m.rpartition('.')[0] for m in entry.modules], data_file=None)
    watch.start()
    with tempfile.TemporaryDirectory() as scratch:
        run = entry.prepare(Path(scratch))
        for path in sorted((folder / 'corpus').iterdir()):
            try:
                run(path.read_bytes())
            except Exception:
                continue
        still_open = replay(entry, folder, run)
    watch.stop()
    lines = reached = 0
    for module in entry.modules:
        _, statements, _, missing, _ = watch.analysis2(importlib.import_module(module))
        lines, reached = lines + len(statements), reached + len(statements) - len(missing)
    return {'inputs': account.inputs, 'seconds': round(account.seconds), 'accepted': account.accepted,
            'slowest_s': round(account.slowest_s, 3), 'corpus': len(list((folder / 'corpus').iterdir())),
            'modules': list(entry.modules), 'lines': lines, 'lines_reached': reached,
            'failures_found': dict(sorted(account.failures.items())), 'failures_open': still_open}


def add(target: Path, name: str, result: dict[str, object]) -> None:
    """Put the result of one entry into the file, atomically."""
    stored = json.loads(target.read_text(encoding='utf-8')) if target.is_file() else {}
    stored = {'schema': 'cooptrack-fuzz/1', 'python': sys.version.split()[0], 'entries': stored.get('entries', {})}
    stored['entries'][name] = result
    stored['entries'] = dict(sorted(stored['entries'].items()))
    part = target.with_name(target.name + '.part')
    part.write_text(json.dumps(stored, indent=1) + '\n', encoding='utf-8')
    part.replace(target)
