"""
Draw the folders of the package as layers, and write what may import what into the page beside the drawing.

Both come from the table that ``tools/lint_layers.py`` checks: docs/architecture.svg, docs/architecture.md.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Mapping
from pathlib import Path

from lint_layers import ALLOWED, PACKAGE
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
Table = Mapping[str, set[str]]
INK, GREY = '#22303c', '#8a96a3'
FILLS = ('#d8e8f7', '#e3f1df', '#fdebd2', '#f3e3f1', '#eceff1')
BOX_WIDTH, BOX_HEIGHT, GAP, ROW = 3.5, 1.05, 0.45, 1.6
MARGIN = 0.2
MARKS = ('<!-- folders -->', '<!-- /folders -->')


def table_of(folders: set[str], may_import: Callable[[str], set[str] | None]) -> dict[str, set[str]]:
    """Return for each folder the others that it may import; None from ``may_import`` stands for all."""
    chosen = {name: may_import(name) for name in folders}
    return {name: (folders if may is None else may & folders) - {name} for name, may in chosen.items()}


def rows_of(table: Table) -> list[list[str]]:
    """
    Return the folders row by row, lowest first: each stands above all that it may import.

    Folders that may import each other share a row.
    """
    def reach(name: str, seen: set[str]) -> set[str]:
        for below in table[name] - seen:
            seen.add(below)
            reach(below, seen)
        return seen
    below = {name: reach(name, set()) for name in table}
    rank: dict[str, int] = {}

    def ranked(name: str) -> int:
        if name not in rank:
            circle = {name} | {n for n in below[name] if name in below[n]}
            rank.update(dict.fromkeys(circle, 1 + max(
                (ranked(n) for member in circle for n in below[member] - circle), default=-1)))
        return rank[name]
    for name in sorted(table):
        ranked(name)
    return [sorted(n for n in rank if rank[n] == level) for level in range(max(rank.values()) + 1)]


def arrows_of(table: Table, rows: list[list[str]]) -> list[tuple[str, str]]:
    """Return what a folder may import of its own row and the one below; boxes say in words what lies farther down."""
    near = {name: {*row, *below} for below, row in zip([[], *rows], rows) for name in row}
    return [(name, other) for name in sorted(table) for other in sorted(table[name] & near[name])]


def imports_of(name: str, table: Table, rows: list[list[str]]) -> str:
    """Return in words what a folder may import."""
    level = next(number for number, row in enumerate(rows) if name in row)
    if level and table[name] == {n for row in rows[:level] for n in row}:
        return 'all layers below'
    return ', '.join(n for row in reversed(rows) for n in row if n in table[name]) or 'nothing of the package'


def summary_of(folder: Path) -> str:
    """Return what the first line of the docstring of a folder says of it, without more than one clause."""
    init = folder / '__init__.py'
    text = ast.get_docstring(ast.parse(init.read_text(encoding='utf-8'))) if init.is_file() else None
    return (text or '').split('\n')[0].split(';')[0].split('. ')[0].split(': ``')[0].rstrip('.').replace('``', '`')


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text in at most two lines; what does not fit is left out at a word."""
    lines = ['']
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > columns:
            if len(lines) == 2:
                lines[-1] += ' ...'
                break
            lines.append(word)
        else:
            lines[-1] = f'{lines[-1]} {word}'.strip()
    return lines


def draw(table: Table, summaries: Mapping[str, str]) -> Figure:
    """Return the drawing."""
    rows = rows_of(table)
    columns = max(map(len, rows))
    width, height = columns * (BOX_WIDTH + GAP) + GAP, (len(rows) - 1) * ROW + BOX_HEIGHT + 2 * MARGIN
    figure = Figure(figsize=(width * 0.9, height * 0.9))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.axis('off')
    place = {}
    for level, row in enumerate(rows):
        for number, name in enumerate(row):
            x = width / 2 + (number - (len(row) - 1) / 2) * (BOX_WIDTH + GAP)
            place[name] = x, MARGIN + level * ROW + BOX_HEIGHT / 2
            axes.add_patch(FancyBboxPatch(
                (x - BOX_WIDTH / 2, place[name][1] - BOX_HEIGHT / 2), BOX_WIDTH, BOX_HEIGHT, zorder=3,
                boxstyle='round,pad=0,rounding_size=0.1', facecolor=FILLS[level % len(FILLS)], edgecolor=INK))
            holds = wrapped(summaries.get(name, '').replace('`', ''), 56)
            imports = wrapped(f'may import {imports_of(name, table, rows)}', 56)
            for text, top, size, style in ((name, 0.3, 12, {'fontweight': 'bold'}), ('\n'.join(holds), 0.02, 7.5, {}),
                                           ('\n'.join(imports), -0.33, 7, {'fontstyle': 'italic'})):
                axes.text(x, place[name][1] + top, text, ha='center', va='center', fontsize=size, color=INK, zorder=4,
                          **style)
    level = {name: number for number, row in enumerate(rows) for name in row}
    for upper, lower in arrows_of(table, rows):
        (x, y), (to_x, to_y) = place[upper], place[lower]
        if level[upper] == level[lower]:
            side = 1 if to_x > x else -1
            start, end = (x + side * BOX_WIDTH / 2, y), (to_x - side * BOX_WIDTH / 2, to_y)
        else:
            # Arrows to several folders leave, and arrows from several arrive, at places of their own.
            spread = (to_x - x) / width
            start, end = (x + spread * 2.0, y - BOX_HEIGHT / 2), (to_x - spread * 2.0, to_y + BOX_HEIGHT / 2)
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle='-|>', mutation_scale=11, color=GREY, linewidth=1.2,
                                       shrinkA=0, shrinkB=0, zorder=1))
    return figure


def describe(table: Table) -> str:
    """Return the table as one line, for the file of the drawing: a test compares it."""
    return '; '.join(f'{name}: {" ".join(sorted(below)) or "-"}' for name, below in sorted(table.items()))


def listing(table: Table, summaries: Mapping[str, str]) -> str:
    """Return the table of the page, highest layer first."""
    rows = rows_of(table)
    return '\n'.join(['| folder | holds | may import |', '|---|---|---|', *(
        f'| `{name}` | {summaries.get(name, "")} | {imports_of(name, table, rows)} |'
        for row in reversed(rows) for name in row)])


def with_listing(page: str, text: str) -> str:
    """Return a page with other text between its marks."""
    head, rest = page.split(MARKS[0])
    return f'{head}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.split(MARKS[1])[1]}'


def package() -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return the table of the package and what each folder holds."""
    source = ROOT / 'src' / PACKAGE
    folders = {path.parent.name for path in source.glob('*/__init__.py')}
    table = table_of(folders, ALLOWED.get)
    return table, {name: summary_of(source / name) for name in table}


def main() -> None:
    """Write the drawing and the table of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/architecture.svg')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs/architecture.md')
    args = parser.parse_args()
    # Equal names inside the file, whenever it is drawn.
    rcParams['svg.hashsalt'] = 'architecture'
    table, summaries = package()
    metadata = {'Date': None, 'Description': describe(table)} if args.out.suffix == '.svg' else {}
    draw(table, summaries).savefig(args.out, metadata=metadata, dpi=110)
    page = args.page.read_text(encoding='utf-8')
    args.page.write_text(with_listing(page, listing(table, summaries)), encoding='utf-8')


if __name__ == '__main__':
    main()
