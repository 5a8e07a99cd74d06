"""Whether stated uncertainty holds: what of the truth lies in stated regions, how often stated chances happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .regions import REGIONS, beyond
from .track_errors import TrackErrors

GOAL = 0.90, 0.98
"""Between these a stated 95 % region may hold."""
RANGES_M = (0, 20, 35, 60, 110)
_FEWEST = 10
"""Different tracks with fewer of which a part is shown and not judged: one track more or less is a tenth."""
_CHANCE_BINS = np.linspace(0, 1, 11)


def reliability(sources: Mapping[str, TrackErrors]) -> dict[str, Any]:
    """
    Return how well stated uncertainty holds, by source and range.

    :param sources: rows whose ``stated`` is judged, by name of the source.
    :returns: for each source ``all`` and each range: ``rows``, those that are ``stated`` at all, different ``tracks``
        with an object, ``coverage`` of each region, the share that ``exists`` and its mean probability ``said``;
        ``curve``: pairs of stated and true probability of existence with the number of rows; and
        ``judged``/``within``: the parts of ``_FEWEST`` tracks or more and those of them within ``GOAL``.
    """
    table: dict[str, Any] = {}
    for name, rows in sources.items():
        parts = {'all': rows, **{f'{low}-{high} m': rows[(rows.facts[:, 0] >= low) & (rows.facts[:, 0] < high)]
                                 for low, high in zip(RANGES_M, RANGES_M[1:])}}
        table[name] = {part: _figures(chosen) for part, chosen in parts.items() if len(chosen)}
        table[name]['all']['curve'] = _curve(rows[rows.stated.known])
    judged = [(coverage, figures) for parts in table.values() for part, figures in parts.items() if part != 'all'
              for coverage in figures['coverage'].values() if is_judged(figures)]
    within = sum(GOAL[0] <= coverage <= GOAL[1] for coverage, _ in judged)
    return {'goal': list(GOAL), 'judged': len(judged), 'within': within, 'sources': table}


def is_judged(figures: Mapping[str, Any]) -> bool:
    """Tell whether a part has tracks enough to be judged."""
    return figures['tracks'] >= _FEWEST


def _figures(rows: TrackErrors) -> dict[str, Any]:
    stated = rows[rows.stated.known]
    found = stated[stated.exists]
    inside = {name: squared[np.isfinite(squared)] <= 1 for name, squared in beyond(found, found.stated).items()}
    return {'rows': len(rows), 'stated': len(stated), 'tracks': found.num_tracks(),
            'coverage': {name: float(inside[name].mean()) for name in REGIONS if len(inside[name])},
            'exists': float(stated.exists.mean()) if len(stated) else None,
            'said': float(stated.stated.existence.mean()) if len(stated) else None}


def _curve(rows: TrackErrors) -> list[dict[str, float]]:
    """Return the stated and the true probability of existence in tenths of the stated one, where there are rows."""
    said = rows.stated.existence
    bins = np.clip(np.digitize(said, _CHANCE_BINS) - 1, 0, len(_CHANCE_BINS) - 2)
    return [{'said': float(said[bins == k].mean()), 'exists': float(rows.exists[bins == k].mean()),
             'rows': int((bins == k).sum())} for k in np.unique(bins)]


def reliability_lines(figures: Mapping[str, Any]) -> list[str]:
    """Return a markdown table: coverage of the regions in per cent, existence true and stated."""
    lines = [f'| source | range | tracks | {" | ".join(REGIONS)} | exist, per cent | stated |',
             '|---' * (len(REGIONS) + 5) + '|']
    for name, parts in figures['sources'].items():
        for part, values in parts.items():
            cells = [f'{100 * values["coverage"][r]:.0f}' if r in values['coverage'] else '-' for r in REGIONS]
            chances = ['-' if values[k] is None else f'{100 * values[k]:.0f}' for k in ('exists', 'said')]
            lines.append(f'| {name} | {part} | {values["tracks"]} | {" | ".join([*cells, *chances])} |')
    return lines
