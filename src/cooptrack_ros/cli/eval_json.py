"""Measure a result file in the exchange format."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..common.files import write_atomically

SUMMARY = 'measure a result file in the exchange format'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('input', type=Path, help='result file (cooptrack-eval-golden/1)')
    parser.add_argument('--json', type=Path, help='write all figures there')
    parser.add_argument('--nuscenes', type=Path, help='write the tracks in the layout of results_nusc.json there')
    parser.add_argument('--nuscenes-detections', type=Path, help='the same for the detections')


def run(args: argparse.Namespace) -> int:
    """Evaluate the file and print the headline figures; return 0 when it was measured."""
    from rich.console import Console

    from ..eval import report
    from ..eval.exchange import nuscenes_results, read_exchange
    from ..eval.nuscenes import evaluate
    content = read_exchange(args.input)
    result = evaluate(content)
    _write(args.json, result, indent=1)
    # Files that hold one list use it for both.
    detections = 'detections' if content.get('detections') else 'predictions'
    for path, which in ((args.nuscenes, 'predictions'), (args.nuscenes_detections, detections)):
        _write(path, nuscenes_results(content, which) if path else None)
    Console(width=160).print(report.table(f'{args.input.name}, class car', {result['name']: report.headline(result)}))
    return 0


def _write(path: Path | None, content, indent: int | None = None) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, indent=indent))
