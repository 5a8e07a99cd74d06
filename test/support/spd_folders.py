"""V2X-Seq-SPD folders for tests, written from the golden content."""

import gzip
import json
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / 'data' / 'spd_golden'


def golden(name):
    """Return the content of one golden file."""
    return json.loads(gzip.decompress((GOLDEN / f'{name}.json.gz').read_bytes()))


def write_folder(root, content):
    """Write {relative path: JSON content} and return the root."""
    for name, value in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return root
