"""Figures of occupancy as tables and as what goes into a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ...common.figures import is_number
from .run import MASKS, Measured

SCHEMA = 'cooptrack-occupancy/1'
FIGURES = ('OccSTQ', 'OccSQ', 'OccAQ')
SHOWN = ('strict', 'released')
_PQ = ('PQ_min10', 'PQ_star_min10')


def figures_of(measured: Measured, grid: str, payload_bytes_per_second: float | None,
               rate_hz: float | None = None) -> dict[str, Any]:
    """
    Return what is written: of the first arm in the mask of the camera, then of every arm in every mask.

    :param payload_bytes_per_second: of the features that were received, None where nothing can be.
    :param rate_hz: of the frames, where units send voxels, too.
    """
    arms = measured.results()
    first = next(iter(arms.values()))['camera']
    frames = max(measured.frames, 1)
    return {'schema': SCHEMA, 'grid': grid, 'classes': list(measured.taxonomy.classes), 'mask': 'camera',
            'sequences': len(measured.sequences), 'frames': measured.frames,
            'label_hash': measured.label_hash, **{name: first[name] for name in SHOWN}, 'arms': arms,
            'occupied_share': measured.occupied / max(measured.voxels, 1),
            'payload_bytes_per_second': payload_bytes_per_second,
            'voxel_bytes_per_second': None if rate_hz is None else measured.voxel_bytes / frames * rate_hz,
            'seconds_per_frame': measured.seconds / frames}


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """Return a table for each convention, one of the single classes, and one of PQ; all name what they are of."""
    what = f"grid {figures['grid']}, classes {', '.join(figures['classes'])}, {figures['sequences']} sequences"
    found = [_table(f'convention {name}, {what}', figures['arms'], [
        (f'{figure}\nmask: {mask}', (mask, name, figure)) for figure in FIGURES for mask in MASKS]) for name in SHOWN]
    first = next(iter(figures['arms'].values()))['camera']['strict']
    classes = [(f'{kind.split("_")[0]}\n{figures["classes"][int(number)]}', ('camera', 'strict', kind, number))
               for kind in ('IoU_per_class', 'OccAQ_per_class') for number in first[kind]]
    found.append(_table(f'convention strict, mask camera, {what}', figures['arms'], classes))
    found.append(_table(f'panoptic quality, mask camera, {what}', figures['arms'],
                        [(name, ('camera', name, 'value')) for name in _PQ]))
    return found


def _table(title: str, arms: Mapping[str, Any], columns: Sequence[tuple[str, Sequence[str]]]) -> Table:
    table = Table(title=title)
    table.add_column('arm')
    for head, _ in columns:
        table.add_column(head, justify='right')
    for arm, values in arms.items():
        table.add_row(arm, *(_shown(values, path) for _, path in columns))
    return table


def _shown(values: Any, path: Sequence[str]) -> str:
    for key in path:
        values = values[key]
    return f'{values:.4f}' if is_number(values) else '-'
