"""What ``cooptrack eval`` measures, for the benchmarks that call it many times, and how they print it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cooptrack_ros.common.figures import figure_text, is_number

COMMAND = [sys.executable, '-m', 'cooptrack_ros.cli.main']


def evaluate(*options: object) -> dict:
    """Return the JSON of ``cooptrack eval`` with these options, on one CPU thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'figures.json'
        subprocess.run([*COMMAND, 'eval', *map(str, options), '--threads', '1', '--json', str(path)], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads(path.read_text(encoding='utf-8'))


def without_folders(value: Any) -> Any:
    """Return options with the last names of paths: the folders around them say something of one machine only."""
    if isinstance(value, dict):
        return {key: without_folders(v) for key, v in value.items()}
    if isinstance(value, list):
        return [without_folders(v) for v in value]
    return Path(value).name if isinstance(value, str) and '/' in value else value


def kept(measured: Mapping[str, Any], figures: Sequence[str]) -> dict[str, Any]:
    """Return figures of a row of ``evaluate``, their spread over its scenes, and what it was made from."""
    from cooptrack_ros.eval.origin import ORIGIN
    spread = measured['spread']
    return {**{k: measured['vehicle'][k] for k in figures}, 'spread_over': f"{spread['number']} {spread['over']}",
            'spread': {k: spread['vehicle'][k] for k in figures}, **without_folders({k: measured[k] for k in ORIGIN})}


def cell(value: Any, deviation: Any = None, digits: int = 3) -> str:
    """Return a figure as it stands in tables, with its standard deviation if there is one."""
    return figure_text(value, digits) + (f' ± {deviation:.{digits}f}' if is_number(deviation) else '')


def cell_of(values: Sequence[Any], digits: int = 3) -> str:
    """Return the mean of the numbers among several values, and their standard deviation; without any, the word."""
    known = [v for v in values if is_number(v)]
    if not known:
        return figure_text(values[0])
    mean = statistics.fmean(known)
    return f'{mean:.{digits}f}' + (f' ± {statistics.stdev(known):.{digits}f}' if len(known) > 1 else '')
