"""Run every recorded case of a folder and print how far our outputs are from the published model's."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..common.array_files import read_arrays
from ..common.config import R50
from ..common.errors import UserError
from ..common.outputs import check_file, write_figures
from ..common.text import readable_lines
from ..model.ops.deform_attn import PATHS, forced_path
from .compare import Comparison, Result
from .sequences import GoldenSequence


def run_file(path: Path, comparison: Comparison, execution: str = 'reference') -> bool:
    """
    Compare one file of recordings; return False for a file that holds none for this execution.

    :param execution: see ``AgentTracker``; single stages are recorded for the reference only.
    :raises ValueError: if its name does not say how it was made.
    """
    from . import fill_check, losses, modules, sequences, stages
    kind = path.stem.split('_')[0]
    checks = {'fill': fill_check.check, 'modules': modules.check, 'stage': stages.check, 'losses': losses.check}
    if kind != 'sequence' and (kind not in checks or execution != 'reference'):
        return False
    view = comparison.within(path.stem)
    golden = read_arrays(path)
    if kind == 'sequence':
        sequences.check(golden, GoldenSequence.parse(path.stem), R50, view, execution)
        return True
    seed = re.search(r'_seed(\d+)', path.stem)
    if not seed:
        raise ValueError(f"'{path.name}' does not name its seed")
    checks[kind](golden, int(seed.group(1)), R50, view)
    return True


def _print(results: Sequence[Result], every: bool) -> None:
    for result in results:
        if every or result.verdict != 'ok':
            print(f'{result.array:<72} {result.max_abs:9.2e} {result.relative:9.2e} {result.verdict} {result.note}')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 only if there were recordings and none failed."""
    parser = argparse.ArgumentParser(prog='python -m cooptrack_ros.parity', description=__doc__)
    parser.add_argument('folder', type=Path, help='folder with recorded .npz files')
    parser.add_argument('--json', type=Path, help='write all results there')
    parser.add_argument('--only', default='', help='run only files whose name contains this')
    parser.add_argument('--attention', choices=sorted(PATHS), help='force one implementation of deformable attention '
                        '(default: the one that the nodes use)')
    parser.add_argument('--execution', choices=('reference', 'fast'), default='reference',
                        help='fast: whole sequences only (default: reference)')
    parser.add_argument('--quiet', action='store_true', help='print only what is not ok')
    options = parser.parse_args(arguments)
    try:
        if options.json:
            check_file(options.json)
        return _run(options)
    except UserError as error:
        print(f'parity: {readable_lines(str(error))}', file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    files = [p for p in sorted(options.folder.glob('*.npz')) if options.only in p.name]
    comparison = Comparison()
    print(f'{"array":<72} {"max abs":>9} {"relative":>9} verdict')
    for path in files:
        before = len(comparison.results)
        try:
            with forced_path(options.attention):
                run_file(path, comparison, options.execution)
        except (OSError, ValueError, KeyError) as error:
            comparison.fail(path.name, f'cannot be compared: {error}')
        _print(comparison.results[before:], not options.quiet)
        sys.stdout.flush()
    results = comparison.results
    counts = {verdict: sum(r.verdict == verdict for r in results) for verdict in ('ok', 'tie', 'FAIL')}
    print(', '.join(f'{count} {verdict}' for verdict, count in counts.items()))
    if options.json:
        write_figures(options.json, [asdict(r) for r in results])
    if not results:
        print(f'no recordings in {options.folder}', file=sys.stderr)
    return 0 if results and not counts['FAIL'] else 1


if __name__ == '__main__':
    sys.exit(main())
