"""
The table of occupancy tracking, strict and released, from files of ``cooptrack eval --task occupancy --json``.

    python benchmarks/occupancy_table.py --tracker t1.json t2.json --own o1.json o2.json --cooperative c1.json c2.json \
        --mask camera

Several files of a kind are sets of scenes, or trainings with other seeds: mean and standard deviation over them. Rows
that differ in their grid or classes are refused. The ratio is that of the tracking to the best baseline of its kind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

FIGURES = ('OccSTQ', 'OccSQ', 'OccAQ')
BASELINES = ('ab3dmot', 'minvis', 'boxes')
ROWS = {'own': ('own', 'ab3dmot', 'minvis'), 'tracker': ('tracker', *BASELINES), 'cooperative': ('cooperative',)}
"""Arms that are taken from each kind of files."""


def read(paths: Sequence[Path], kind: str, mask: str) -> list[dict[str, Any]]:
    """Return the content of files; raise a UserError for one that is no evaluation with the arms of a kind."""
    from cooptrack_ros.common.errors import UserError
    from cooptrack_ros.common.reading import read_json
    from cooptrack_ros.eval.occupancy.report import SCHEMA
    found = []
    for path in paths:
        try:
            content = read_json(path)
        except (OSError, ValueError) as error:
            raise UserError(f'{path} cannot be read as JSON: {error}') from error
        if not isinstance(content, dict) or content.get('schema') != SCHEMA:
            raise UserError(f'{path} is no result of `cooptrack eval --task occupancy --json` ({SCHEMA})')
        missing = [arm for arm in ROWS[kind] if mask not in content['arms'].get(arm, {})]
        if missing:
            raise UserError(f"{path} has no arm {missing[0]} with the mask {mask}: expected a result for --{kind}; it "
                            f"has the arms {', '.join(content['arms'])}")
        found.append(content)
    return found


def spread(values: Sequence[float | None]) -> str:
    """Return mean and standard deviation as words; those that are not defined are left out."""
    known = [v for v in values if v is not None]
    if not known:
        return '-'
    return f'{mean(known):.3f}' + (f' ± {stdev(known):.3f}' if len(known) > 1 else '')


def table(kinds: dict[str, list[dict[str, Any]]], convention: str, mask: str) -> str:
    """Return the rows of one convention and mask as a Markdown table."""
    lines = [f'| {convention}, mask {mask} | {" | ".join(FIGURES)} |', '|---' * (len(FIGURES) + 1) + '|']
    for kind, contents in kinds.items():
        for arm in ROWS[kind]:
            cells = [spread([c['arms'][arm][mask][convention][figure] for c in contents]) for figure in FIGURES]
            name = arm if arm == kind else f'{arm}, masks of {kind}'
            lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def ratio(contents: list[dict[str, Any]], kind: str, convention: str, mask: str) -> float | None:
    """Return how many times the OccAQ of the best baseline that of a head is, None where it is not defined."""
    def of(arm: str) -> float:
        return mean([c['arms'][arm][mask][convention]['OccAQ'] or 0.0 for c in contents])
    best = max(of(arm) for arm in ROWS[kind][1:])
    return of(kind) / best if best else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in ROWS:
        parser.add_argument(f'--{kind}', nargs='+', type=Path, default=[], metavar='FILE')
    parser.add_argument('--mask', default='camera')
    args = parser.parse_args(arguments)
    from cooptrack_ros.common.errors import UserError
    try:
        kinds = {kind: read(getattr(args, kind), kind, args.mask) for kind in ROWS if getattr(args, kind)}
    except UserError as error:
        parser.error(str(error))
    contents = [content for of_kind in kinds.values() for content in of_kind]
    if not contents:
        parser.error('no files; expected --tracker FILE..., --own FILE... or --cooperative FILE...')
    if len({(c['grid'], *c['classes']) for c in contents}) > 1:
        parser.error('the files are of different grids or classes')
    first = contents[0]
    print(f"grid {first['grid']}, classes {', '.join(first['classes'])}")
    for convention in ('strict', 'released'):
        print(f'\n{table(kinds, convention, args.mask)}')
        for kind in kinds:
            found = ratio(kinds[kind], kind, convention, args.mask) if len(ROWS[kind]) > 1 else None
            if found is not None:
                print(f'\nOccAQ of {kind}: {found:.2f} times the best baseline')
    return 0


if __name__ == '__main__':
    sys.exit(main())
