"""What ``cooptrack eval`` measures, for the benchmarks that call it many times."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND = [sys.executable, '-m', 'cooptrack_ros.cli.main']


def evaluate(*options: object) -> dict:
    """Return the JSON of ``cooptrack eval`` with these options, on one CPU thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'figures.json'
        subprocess.run([*COMMAND, 'eval', *map(str, options), '--threads', '1', '--json', str(path)], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads(path.read_text(encoding='utf-8'))
