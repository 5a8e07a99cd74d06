"""Measure a result file in the exchange format."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..common.files import write_atomically
from ..common.outputs import check_file, write_figures
from .flags import add_json, add_truth

SUMMARY = 'measure a result file in the exchange format'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('input', type=Path, help='result file (cooptrack-eval-golden/1, or results_nusc.json with '
                        '--truth)')
    add_truth(parser)
    add_json(parser)
    parser.add_argument('--nuscenes', type=Path, help='write the tracks in the layout of results_nusc.json there')
    parser.add_argument('--nuscenes-detections', type=Path, help='the same for the detections')


def run(args: argparse.Namespace) -> int:
    """Evaluate the file and print the figures; return 0 when it was measured."""
    from rich.console import Console

    from ..eval import report
    from ..eval.exchange import nuscenes_results
    from ..eval.nuscenes import evaluate
    from ..eval.origin import origin_of
    from ..eval.result_files import read_exchange
    for path in filter(None, (args.nuscenes, args.nuscenes_detections)):
        check_file(path)
    content = read_exchange(args.input, args.truth)
    result = evaluate(content)
    has_car = bool(result['headline_car'])
    shown = ['car'] if has_car else content['classes']
    measured = {name: report.measure(content, result, name) for name in shown}
    rows = {content['name']: measured['car']} if has_car else measured
    console = Console(width=160)
    for table in report.tables(f"{args.input.name}, class car{'' if has_car else ' absent'}", rows):
        console.print(table)
    if args.json:
        options = {'input': str(args.input), 'truth': None if args.truth is None else str(args.truth)}
        figures = next(iter(measured.values()))
        write_figures(args.json, {**result, 'per_class': figures['per_class'],
                                  'motion': {name: found['motion'] for name, found in measured.items()},
                                  **origin_of(content, options, {})})
    # Files that hold one list use it for both.
    detections = 'detections' if content.get('detections') else 'predictions'
    for path, which in ((args.nuscenes, 'predictions'), (args.nuscenes_detections, detections)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(nuscenes_results(content, which)))
    return 0
