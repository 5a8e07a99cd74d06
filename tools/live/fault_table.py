"""What is reported of a fault, and the table of it in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markers import between


@dataclass(frozen=True)
class Row:
    """
    One line of the table; times in seconds, -1 where none applies or none was measured.

    ``usual`` values are those of the seconds before the fault.
    """

    fault: str
    seen: str
    recovered_s: float
    ego_gap_s: float
    lost: str
    usual_gap_s: float = -1
    image_period_s: float = -1
    delay_p95_s: float = -1
    """From an image to its tracks."""
    usual_delay_p95_s: float = -1
    of_roadside: bool = False
    """The cause lies in a roadside unit or in the link to it: the vehicle must not pause for it."""

    @property
    def pause_images(self) -> float:
        """How much longer than usual there were no tracks, in periods of images; -1: not measured."""
        if self.usual_gap_s < 0:
            return -1
        return max(self.ego_gap_s - self.usual_gap_s, 0) / self.image_period_s


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    def number(value: float) -> str:
        return '' if value < 0 else f'{value:g}'

    def against(value: float, usual: float) -> str:
        return number(value) + (f' ({usual:g})' if usual >= 0 else '')
    lines = ['| fault | what the user sees | back after, s | longest time without tracks, s (usual) | pause because of '
             'the roadside, images | image to tracks, p95, s (usual) | counted meanwhile |', '|---' * 7 + '|']
    for row in (Row(**stored) for stored in rows):
        pause = number(round(row.pause_images, 1)) if row.of_roadside else ''
        lines.append(f'| {row.fault} | {row.seen} | {number(row.recovered_s)} | '
                     f'{against(row.ego_gap_s, row.usual_gap_s)} | {pause} | '
                     f'{against(row.delay_p95_s, row.usual_delay_p95_s)} | {row.lost} |')
    return '\n'.join(lines) + '\n'


def with_table(page: str, stored: Mapping[str, Any]) -> str:
    """Return a page with the table of a result in place of what is between its markers."""
    return between(page, 'faults', table(list(stored['rows'].values())))
