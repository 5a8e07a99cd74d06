"""Measure a result file in the exchange format."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

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
    """Evaluate the file and print the headline figures; return 0 when it was measured."""
    from rich.console import Console

    from ..eval import report
    from ..eval.exchange import nuscenes_results
    from ..eval.nuscenes import evaluate
    from ..eval.result_files import read_exchange
    for path in filter(None, (args.nuscenes, args.nuscenes_detections)):
        check_file(path)
    content = read_exchange(args.input, args.truth)
    result = evaluate(content)
    Console(width=160).print(report.table(*_rows(args.input.name, result)))
    if args.json:
        write_figures(args.json, result)
    # Files that hold one list use it for both.
    detections = 'detections' if content.get('detections') else 'predictions'
    for path, which in ((args.nuscenes, 'predictions'), (args.nuscenes_detections, detections)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(nuscenes_results(content, which)))
    return 0


def _rows(file: str, result: dict[str, Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return title and rows of the table: the figures of class car, or of the classes that are there instead."""
    from ..eval import report
    if result['headline_car']:
        return f'{file}, class car', {result['name']: report.headline(result)}
    return f'{file}, class car absent', {name: report.headline(result, name) for name in report.per_class(result)}
