"""Measure a result file in the exchange format."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

SUMMARY = 'measure a result file in the exchange format'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('input', type=Path, help='result file (cooptrack-eval-golden/1)')
    parser.add_argument('--json', type=Path, help='write all figures there')


def run(args: argparse.Namespace) -> int:
    """Evaluate the file and print the headline figures; return 0 when it was measured."""
    from rich.console import Console

    from ..eval import report
    from ..eval.exchange import read_exchange
    from ..eval.nuscenes import evaluate
    result = evaluate(read_exchange(args.input))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1), encoding='utf-8')
    Console(width=160).print(report.table(f'{args.input.name}, class car', {result['name']: report.headline(result)}))
    return 0
