"""From data to rows for a calibration, and to those that judge one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common.types import Side
from ..data.folders import open_datasets
from ..weights.store import ModelPackage
from .kept_results import CALIBRATED, kept_results, modes_of
from .runner import Evaluation
from .selection import Selection
from .track_errors import TrackErrors, track_errors
from .uncertainty_fit import Source, by_source


def results_on(package: ModelPackage, data: Sequence[Path], folder: Path | None, limit: int | None,
               late_rule: str, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """
    Return the results of a model in every mode of ``CALIBRATED`` that it has networks for.

    :param data: folders; :param folder: where results are kept; :param limit: frames per data set, None: all.
    :param late_rule: of mode ``late``.
    """
    evaluation = Evaluation(open_datasets(data), package, Selection(None, limit), late_rule=late_rule)
    settings = {'models': {side.value: package.model_id(side) for side in Side if package.has(side)},
                'uncertainty': (package.card.get('uncertainty') or {}).get('sha256'),
                'data': [str(path.resolve()) for path in data], 'limit': limit, 'late_rule': late_rule}
    return kept_results(evaluation, modes_of(package), folder, settings, tell)


def errors_by_network(results: Mapping[str, dict[str, Any]]) -> dict[Side, TrackErrors]:
    """Return the rows of each network; :param results: by mode."""
    parts: dict[Side, list[TrackErrors]] = {}
    for mode, result in results.items():
        parts.setdefault(CALIBRATED[mode], []).append(track_errors(result))
    return {side: TrackErrors.concatenate(rows) for side, rows in parts.items()}


def named_sources(errors: Mapping[Side, TrackErrors]) -> dict[str, TrackErrors]:
    """Return the rows of each source by its name, such as ``cooperative, fused``."""
    return {name_of(source): rows for source, rows in by_source(errors).items()}


def name_of(source: Source) -> str:
    """Return the name of a source as it stands in tables."""
    return f'{source[0].value}, {source[1].name.lower()}'
