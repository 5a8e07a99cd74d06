"""Command line: fuzz one entry point, or add its statistics to a file."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from .entries import ENTRIES


def main() -> None:
    """Run one campaign, or report on it."""
    parser = argparse.ArgumentParser(prog='python -m fuzz', description=__doc__)
    parser.add_argument('entry', choices=sorted(ENTRIES), help='what to fuzz')
    parser.add_argument('--out', type=Path, default=Path('out/fuzz'), help='folder that keeps everything '
                        '(default: %(default)s); a campaign goes on from what is there')
    parser.add_argument('--minutes', type=float, default=15.0, help='longest duration (default: %(default)s)')
    parser.add_argument('--inputs', type=int, default=10_000_000,
                        help='number of inputs, of all runs together, at which it ends (default: %(default)s)')
    parser.add_argument('--report', type=Path, metavar='FILE', help='run nothing new: measure the coverage of the '
                        'corpus and put the statistics into this file')
    parser.add_argument('--document', type=Path, help='with --report: page whose table of all entries is renewed')
    args = parser.parse_args()
    entry, folder = ENTRIES[args.entry], args.out / args.entry
    if args.report:
        from .report import add, measure
        from .table import with_table
        add(args.report, entry.name, measure(entry, folder))
        if args.document:
            stored = json.loads(args.report.read_text(encoding='utf-8'))
            args.document.write_text(with_table(args.document.read_text(encoding='utf-8'), stored), encoding='utf-8')
        return
    # The middleware prints a line for every broken message.
    os.environ.setdefault('PYTHONWARNINGS', 'ignore')
    from .campaign import Campaign
    Campaign(entry, folder, args.inputs, 60 * args.minutes).run()


if __name__ == '__main__':
    main()
