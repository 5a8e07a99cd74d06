"""Check what a demonstration left: every mode measured and answered, and all files that it names."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from cooptrack_ros.common.figures import is_number
from cooptrack_ros.demo.options import COOPERATIVE, REPLAYED

_FILES = ('tracks.json', 'pictures/tracks.gif', 'recording/metadata.yaml')


def complaints(out: Path) -> Iterator[str]:
    """Yield what is wrong with the folder of a demonstration; nothing if it is complete."""
    metrics = json.loads((out / 'metrics.json').read_text(encoding='utf-8'))
    modes = json.loads((out / 'tracks.json').read_text(encoding='utf-8'))['modes']
    for name in (COOPERATIVE.name, *(job.name for job in REPLAYED)):
        recall = metrics.get(name, {}).get('recall')
        if not is_number(recall) or not recall > 0:
            yield f'mode {name} found nothing: {metrics.get(name)}'
        tracks = sum(map(len, modes.get(name, {}).get('predictions', {}).values()))
        if not tracks:
            yield f'mode {name} has no tracks'
    for name, value in (('bytes_per_second', metrics['bytes_per_second']), ('p50', metrics['latency_ms']['p50']),
                        ('frames_answered', metrics['real_time']['frames_answered'])):
        if not value > 0:
            yield f'{name} is {value}'
    for name in _FILES:
        if not (out / name).is_file() or not (out / name).stat().st_size:
            yield f'{name} is missing or empty'


def main() -> int:
    """Print the complaints; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='folder that cooptrack demo has written')
    out = parser.parse_args().out
    found = list(complaints(out))
    for line in found or [f'{out}: complete']:
        print(line)
    return bool(found)


if __name__ == '__main__':
    sys.exit(main())
