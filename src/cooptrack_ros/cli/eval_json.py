"""Measure a result file in the exchange format."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..common.files import write_atomically
from ..common.outputs import check_file, write_figures
from .flags import add_json

SUMMARY = 'measure a result file in the exchange format'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('input', type=Path, help='result file (cooptrack-eval-golden/1)')
    add_json(parser)
    parser.add_argument('--nuscenes', type=Path, help='write the tracks in the layout of results_nusc.json there')
    parser.add_argument('--nuscenes-detections', type=Path, help='the same for the detections')


def run(args: argparse.Namespace) -> int:
    """Evaluate the file and print the headline figures; return 0 when it was measured."""
    from rich.console import Console

    from ..eval import report
    from ..eval.exchange import nuscenes_results, read_exchange
    from ..eval.nuscenes import evaluate
    for path in filter(None, (args.nuscenes, args.nuscenes_detections)):
        check_file(path)
    content = read_exchange(args.input)
    result = evaluate(content)
    if args.json:
        write_figures(args.json, result)
    # Files that hold one list use it for both.
    detections = 'detections' if content.get('detections') else 'predictions'
    for path, which in ((args.nuscenes, 'predictions'), (args.nuscenes_detections, detections)):
        if path:
            write_atomically(path, json.dumps(nuscenes_results(content, which)))
    Console(width=160).print(report.table(f'{args.input.name}, class car', {result['name']: report.headline(result)}))
    return 0
