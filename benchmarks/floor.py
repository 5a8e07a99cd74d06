"""
Whether cooperation ever takes something away: differences to the vehicle alone, scene by scene.

    python benchmarks/floor.py --weights mini --data data/test_1 data/test_2 data/test_3 \\
        --json benchmarks/results/floor.json --picture docs/floor.png

With a good link, with 90 % of the messages lost, with late ones, and with none. The mean difference stands with its
standard error over the scenes. An interrupted measurement goes on.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation import cell
from robustness import FLOOR, Setting, measured_rows, options

from cooptrack_ros.common.figures import is_number

ALONE = Setting('floor', 'vehicle alone', 0, mode='none')
KEPT = {'max_age_ms': 1000.0}
SETTINGS = (
    Setting('floor', 'good link', 0),
    Setting('floor', '90 % lost', 90, {'drop_rate': 0.9, **KEPT}),
    *(Setting('floor', f'{ms} ms late', ms, {'latency_ms': float(ms)}) for ms in (200, 500, 1000)),
    Setting('floor', 'no messages', 100, mode='no_messages'))


def differences(row: dict, alone: dict, figure: str) -> dict[str, float]:
    """Return what a figure gains over the vehicle alone in every scene in which both exist."""
    both = {scene: (figures[figure], alone['scenes'][scene][figure]) for scene, figures in row['scenes'].items()}
    return {scene: here - there for scene, (here, there) in both.items() if is_number(here) and is_number(there)}


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean; None for fewer than two values."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def table(rows: dict[str, dict]) -> str:
    """Return the differences as a Markdown table: mean ± standard error, scenes that lose, and the worst one."""
    names = [name for figure in FLOOR for name in (figure, f'change of {figure}', 'scenes that lose', 'worst scene')]
    lines = [f'| link | {" | ".join(names)} |', '|---' * (len(names) + 1) + '|']
    alone = rows[ALONE.key]
    lines.append(f"| {ALONE.line} | {' | '.join(f'{cell(alone[f])} | | | ' for f in FLOOR)}|")
    for setting in SETTINGS:
        cells = []
        for figure in FLOOR:
            change = differences(rows[setting.key], alone, figure)
            worst = min(change, key=change.__getitem__)
            cells += [cell(rows[setting.key][figure]),
                      cell(statistics.fmean(change.values()), standard_error(list(change.values()))),
                      f'{sum(v < 0 for v in change.values())} of {len(change)}', f'{change[worst]:+.3f} ({worst})']
        lines.append(f'| {setting.line} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def draw(path: Path, rows: dict[str, dict]) -> None:
    """Write the differences: a dot a scene, the mean with its standard error beside it; the floor is 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(11, 4.2), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(FLOOR)), FLOOR, strict=True):
        axes.axhline(0, color='black', linewidth=1)
        for place, (setting, colour) in enumerate(zip(SETTINGS, LINE_COLOURS)):
            change = list(differences(rows[setting.key], rows[ALONE.key], name).values())
            axes.plot([place - 0.12] * len(change), change, 'o', color=colour, alpha=0.5, markersize=4)
            axes.errorbar(place + 0.12, statistics.fmean(change), standard_error(change), color=colour, fmt='s',
                          capsize=4)
        axes.set_xticks(range(len(SETTINGS)), [s.line for s in SETTINGS], fontsize=8)
        axes.set_ylabel(f'{name} minus that of the vehicle alone')
        axes.grid(alpha=0.3, axis='y')
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, draw, print the table."""
    parser = options(__doc__)
    parser.add_argument('--picture', type=Path, required=True)
    args = parser.parse_args(arguments)
    rows = measured_rows(args, [ALONE, *SETTINGS])
    draw(args.picture, rows)
    print(f'\n{table(rows)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
