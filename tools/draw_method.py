"""
Draw the pipeline of one frame on both agents, docs/method.svg.

Numbers in brackets are the sections of docs/method.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
INK, GREY = '#22303c', '#7b8794'
ROADSIDE, EGO, COOPERATION, STATE = '#fde5cc', '#d8e8f7', '#dcefd9', '#eceff1'
WIDTH, HEIGHT, FLOOR = 17.6, 9.6, 0.4
INCHES = 0.82
"""Of a drawing unit."""


class Box(NamedTuple):
    """A block: centre and size in drawing units, its lines of text, its fill."""

    x: float
    y: float
    text: str
    fill: str
    width: float = 1.75
    height: float = 1.25

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left edge."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right edge."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> tuple[float, float]:
        """Middle of the upper edge."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> tuple[float, float]:
        """Middle of the lower edge."""
        return self.x, self.y - self.height / 2


def draw_box(axes: Axes, box: Box) -> None:
    """Draw a block; the first line of its text is bold."""
    corner = box.x - box.width / 2, box.y - box.height / 2
    axes.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle='round,pad=0,rounding_size=0.12',
                                  facecolor=box.fill, edgecolor=INK, linewidth=1.1))
    title, *rest = box.text.split('\n')
    step = 0.25
    first = box.y + step * len(rest) / 2
    for number, line in enumerate([title, *rest]):
        axes.text(box.x, first - number * step, line, ha='center', va='center', color=INK,
                  fontsize=10 if number == 0 else 8.5, fontweight='bold' if number == 0 else 'normal')


def arrow(axes: Axes, *points: tuple[float, float], colour: str = INK, style: str = '-') -> None:
    """Draw a line through points with a head at the last one."""
    for start, end in zip(points[:-2], points[1:-1]):
        axes.plot(*zip(start, end), color=colour, linewidth=1.4, linestyle=style, solid_capstyle='round')
    axes.add_patch(FancyArrowPatch(points[-2], points[-1], arrowstyle='-|>', mutation_scale=12, color=colour,
                                   linewidth=1.4, linestyle=style, shrinkA=0, shrinkB=0))


def note(axes: Axes, x: float, y: float, text: str, ha: str = 'center', size: float = 8.5) -> None:
    """Write a remark."""
    axes.text(x, y, text, ha=ha, va='center', fontsize=size, color=INK, linespacing=1.35)


def lane(axes: Axes, y: float, title: str, height: float) -> None:
    """Draw the band of one agent."""
    axes.add_patch(FancyBboxPatch((0.15, y - height / 2), WIDTH - 0.3, height, boxstyle='round,pad=0,rounding_size=0.2',
                                  facecolor='none', edgecolor=GREY, linewidth=1.0, linestyle=(0, (5, 3))))
    axes.text(0.35, y + height / 2 - 0.22, title, ha='left', va='center', fontsize=11, fontweight='bold', color=INK)


def perception(axes: Axes, y: float, fill: str) -> tuple[Box, Box, Box]:
    """Draw what both agents do for themselves; return BEV encoder, decoder and feature extraction."""
    image = Box(1.15, y, 'Image\n1 per camera', fill, width=1.5)
    backbone = Box(3.25, y, 'Backbone, neck\nimage features\n(3)', fill)
    encoder = Box(5.55, y, 'BEV encoder\nBEV features\n(4)', fill)
    decoder = Box(7.85, y, 'Decoder\nN queries, 6 layers\n(5)', fill, width=1.85)
    mdfe = Box(10.35, y, 'MDFE\nsemantic S, motion M\nhistory of 4 frames\n(6)', fill, width=2.0)
    boxes = [image, backbone, encoder, decoder, mdfe]
    for box in boxes:
        draw_box(axes, box)
    for first, second in zip(boxes, boxes[1:]):
        arrow(axes, first.right, second.left)
    return encoder, decoder, mdfe


def loops(axes: Axes, encoder: Box, decoder: Box, tracker: Box, level: float, above: bool) -> None:
    """Draw what goes into the next frame: BEV features and live tracks."""
    edge, sign = ('top', 1) if above else ('bottom', -1)
    x, y = getattr(encoder, edge)
    arrow(axes, (x + 0.5, y), (x + 0.5, y + sign * 0.42), (x - 0.5, y + sign * 0.42), (x - 0.5, y), colour=GREY)
    note(axes, x, y + sign * 0.62, 'previous BEV features, aligned (4.2)')
    start, end = getattr(tracker, edge), getattr(decoder, edge)
    arrow(axes, start, (start[0], level), (end[0], level), end, colour=GREY)
    note(axes, (start[0] + end[0]) / 2, level + sign * 0.2,
         'live tracks of the last frame, moved by velocity and ego motion (11.2), with new queries (5.1)')


def draw(axes: Axes) -> None:
    """Draw the whole figure."""
    top, bottom = 8.0, 2.75
    lane(axes, 8.1, 'Roadside unit (one of any number)', 2.7)
    encoder, decoder, mdfe = perception(axes, top - 0.25, ROADSIDE)
    refine = Box(12.75, mdfe.y, 'Refinement\nclass from S\nbox from M (6.5)', ROADSIDE)
    sender = Box(15.05, mdfe.y, 'Tracker\nids, survival\n(11)', ROADSIDE)
    draw_box(axes, refine)
    draw_box(axes, sender)
    arrow(axes, mdfe.right, refine.left)
    arrow(axes, refine.right, sender.left)
    loops(axes, encoder, decoder, sender, mdfe.y + 1.05, above=True)

    lane(axes, 2.75, 'Vehicle', 4.3)
    encoder, decoder, mdfe = perception(axes, bottom, EGO)
    gba = Box(12.75, 3.95, 'GBA\naffinity graph of\nS, M and points (9)', COOPERATION, width=1.85, height=1.05)
    aggregation = Box(12.75, 2.35, 'Aggregation\nN rows; cross-domain\nlayers (10)', COOPERATION, width=1.85,
                      height=1.05)
    refine = Box(14.85, bottom, 'Refinement\nclass from S\nbox from M (6.5)', EGO, width=1.55)
    tracker = Box(16.6, bottom, 'Tracker\nids, survival\n(11)', EGO, width=1.4)
    for box in (gba, aggregation, refine, tracker):
        draw_box(axes, box)
    middle = 11.6
    arrow(axes, mdfe.right, (middle, mdfe.y), (middle, gba.y), gba.left)
    arrow(axes, (middle, mdfe.y), (middle, aggregation.y), aggregation.left)
    arrow(axes, gba.bottom, aggregation.top)
    note(axes, 12.87, 3.15, 'pairs (9.1)', ha='left')
    arrow(axes, aggregation.right, (13.87, aggregation.y), (13.87, refine.y), refine.left)
    arrow(axes, refine.right, tracker.left)
    loops(axes, encoder, decoder, tracker, 0.95, above=False)
    axes.text(16.6, 4.2, 'Tracks\n(12)', ha='center', va='center', fontsize=10, fontweight='bold', color=INK)
    arrow(axes, tracker.top, (16.6, 3.88))

    message = Box(15.05, 5.72, 'Message (7)\nof each live track: S, M, E, point, box', STATE, width=3.6, height=0.7)
    compensation = Box(11.6, 5.72, 'Compensation\nof latency (15)', STATE, width=1.7, height=0.7)
    caa = Box(9.1, 5.72, 'CAA\nfrom relative pose (8)', COOPERATION, width=2.0, height=0.7)
    for box in (message, compensation, caa):
        draw_box(axes, box)
    arrow(axes, sender.bottom, message.top, style=(0, (4, 2)))
    note(axes, 15.2, 6.4, 'radio link', ha='left')
    arrow(axes, message.left, compensation.right)
    arrow(axes, compensation.left, caa.right)
    arrow(axes, caa.bottom, (caa.x, 4.2), (gba.left[0], 4.2))
    note(axes, 9.25, 4.42, 'S, M, E, points in the ego frame', ha='left')
    note(axes, 0.35, 5.72, 'E: position embedding.  Green: what the cooperative model adds to the vehicle\'s.\n'
         'Grey lines: state that goes from frame to frame.  (n): sections of this page.', ha='left')


def main() -> None:
    """Write the drawing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/method.svg')
    args = parser.parse_args()
    # Equal names inside the file, whenever it is drawn.
    rcParams['svg.hashsalt'] = 'method'
    figure = Figure(figsize=(WIDTH * INCHES, (HEIGHT - FLOOR) * INCHES))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(FLOOR, HEIGHT))
    axes.axis('off')
    draw(axes)
    metadata = {'Date': None} if args.out.suffix == '.svg' else {}
    figure.savefig(args.out, metadata=metadata, dpi=110)


if __name__ == '__main__':
    main()
