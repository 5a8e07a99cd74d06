"""
Fit how sure tracks are, and see on scenes that were left out whether it holds.

For each source, that is network and provenance, the logarithm of each standard deviation is linear in the logarithms
of range, age and speed and the log odds of the score, with a constant for each class: variances are positive and act
by factors, and five numbers and the classes can be found from some dozen tracks. The cost is that of a normal
distribution, whose least is at the second moment of the errors, which is what a covariance is, whatever their
distribution; it is convex, so there is one answer. Gross errors count as large ones, and the heavier the tails, the
less each error counts against the wish for slopes of 0. And as a fit knows its own scenes best, one factor for each
region (centre in the plane, height of the centre, heading, size, velocity) lets the stated 95 % regions hold 95 % of
the errors in scenes that the fit did not see, each left out in its turn. So what is stated is right about the region
that people use, and about no distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from ..common.errors import UserError
from ..common.types import Provenance, Side
from ..tracking.uncertainty import (
    CHANCES,
    SPREADS,
    Line,
    SourceModel,
    UncertaintyModel,
    features_of,
)
from .regions import REGIONS, beyond
from .track_errors import TrackErrors

LEAST_TRACKS = 15
"""Different tracks with an object that a source must have, also in scenes left out; else nothing is stated of it."""
LEAST_OF_CLASS = 5
"""The same of a class within a source."""
_LIMITS = 0.02, 0.98
"""Quantiles of range, score and age beyond which nothing is extrapolated."""
_MOST_FITS = 6
"""On all scenes but some; more scenes share them."""
_GROSS = 0.98
"""Errors beyond this quantile, of errors by their spread, count as those at it."""
_LEAST_SQUARE, _LEAST_FACTOR = 1e-6, 1e-3
"""Errors are not known better than to a millimetre, and no variance falls to nothing."""
_ROWS_OF_A_TRACK = 5.0
"""So many rows count the rows of one track at most: they say much the same."""
_PRIOR_ROWS = 10.0
"""So many counts the wish for slopes of 0 and for classes that are alike."""

_NO_PRIOR = 1e-6

Source = tuple[Side, Provenance]
Cost = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def fit(errors: Mapping[Side, TrackErrors], num_classes: int) -> tuple[UncertaintyModel, dict[Source, TrackErrors]]:
    """
    Return what was fitted, without sources of fewer than ``LEAST_TRACKS`` tracks; and the honest look at it.

    :param errors: by network. :returns: the model, and the rows of each source, each with what a fit without its scene
        states of it.
    :raises UserError: for a single scene, which leaves nothing out.
    """
    scenes = sorted({scene for rows in errors.values() for scene in rows.scene.tolist()})
    if len(scenes) < 2:
        raise UserError(f'the results have {len(scenes)} scene; expected 2 or more, since each is left out once')
    held: dict[Source, list[TrackErrors]] = {}
    for k in range(min(_MOST_FITS, len(scenes))):
        out = scenes[k::_MOST_FITS]
        model = _shapes({side: rows[~np.isin(rows.scene, out)] for side, rows in errors.items()}, num_classes)
        for source, rows in by_source({s: r[np.isin(r.scene, out)] for s, r in errors.items()}).items():
            held.setdefault(source, []).append(restated(model, source, rows))
    shapes, left_out, levelled = _shapes(errors, num_classes), {}, {}
    for source, parts in held.items():
        rows = TrackErrors.concatenate(parts)
        left_out[source], factors = _levelled(rows)
        if source in shapes.sources and rows[rows.exists & rows.stated.known].num_tracks() >= LEAST_TRACKS:
            levelled[source] = _scaled(shapes.sources[source], factors)
    return UncertaintyModel(levelled), left_out


def _shapes(errors: Mapping[Side, TrackErrors], num_classes: int) -> UncertaintyModel:
    return UncertaintyModel({source: fit_source(rows, num_classes) for source, rows in by_source(errors).items()
                             if rows[rows.exists].num_tracks() >= LEAST_TRACKS})


def _levelled(rows: TrackErrors) -> tuple[TrackErrors, dict[str, float]]:
    """Return rows whose regions hold 95 % of what is true, and by what the variances of each had to be multiplied."""
    factors = {}
    for region, squared in beyond(rows, rows.stated).items():
        known = squared[np.isfinite(squared)]
        factors[region] = float(max(np.quantile(known, 0.95), _LEAST_FACTOR)) if len(known) else 1.0
    stated, position = rows.stated, rows.stated.position.copy()
    position[:, :2, :2] *= factors['position']
    position[:, 2, 2] *= factors['elevation']
    return replace(rows, stated=replace(
        stated, position=position, heading=stated.heading * factors['heading'], size=stated.size * factors['size'],
        velocity=stated.velocity * factors['velocity'])), factors


def _scaled(model: SourceModel, factors: Mapping[str, float]) -> SourceModel:
    spreads = {name: replace(model.spreads[name], constants=model.spreads[name].constants + np.log(factors[region]) / 2)
               for region, names in REGIONS.items() for name in names}
    return replace(model, spreads={name: spreads[name] for name in SPREADS})


def by_source(errors: Mapping[Side, TrackErrors]) -> dict[Source, TrackErrors]:
    """Return the rows of each source that has any."""
    return {(side, source): rows[rows.source == source.name.lower()] for side, rows in errors.items()
            for source in Provenance if (rows.source == source.name.lower()).any()}


def fit_source(rows: TrackErrors, num_classes: int) -> SourceModel:
    """Return what was fitted to the rows of one source."""
    found = rows[rows.exists]
    limits = np.quantile(found.facts, _LIMITS, axis=0).T
    classes = [k for k in range(num_classes) if found[found.label == k].num_tracks() >= LEAST_OF_CLASS]
    kept, found = rows[np.isin(rows.label, classes)], found[np.isin(found.label, classes)]
    spreads = {name: _spread(found, limits, values, classes, num_classes)
               for name, values in found.spreads().items()}
    chances = {'existence': _chance(kept, limits, kept.exists, classes, num_classes),
               'flip': _chance(found, limits, found.flip > 0, classes, num_classes)}
    return SourceModel(limits, {n: spreads[n] for n in SPREADS}, {n: chances[n] for n in CHANCES})


def restated(model: UncertaintyModel, source: Source, rows: TrackErrors) -> TrackErrors:
    """Return rows of one source with what a model states of them in place of what the result says."""
    return replace(rows, stated=model.of_facts(source, rows.label, rows.facts, rows.sight, rows.yaw))


def _spread(found: TrackErrors, limits: np.ndarray, values: np.ndarray, classes: list[int],
            num_classes: int) -> Line:
    """Return the line of the log standard deviation of errors (N,), NaN where unknown."""
    known = np.isfinite(values)
    rows, squared = found[known], np.maximum(values[known] ** 2, _LEAST_SQUARE)
    if not len(rows):
        return Line(np.full(num_classes, np.nan), np.zeros(limits.shape[0]))

    def cost(log_sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = squared * np.exp(-2 * log_sigma)
        return log_sigma + z / 2, 1 - z
    start = float(np.log(squared.mean())) / 2
    line = _fitted(cost, rows, limits, classes, num_classes, start)
    variance = np.exp(2 * line.at(rows.label, features_of(rows.facts, limits)))
    largest = np.quantile(squared / variance, _GROSS)
    squared = np.minimum(squared, largest * variance)
    ratio = squared / variance
    # Of a normal distribution this is 1; the more, the less each error says of the spread.
    dispersion = max(float(np.var(ratio / ratio.mean())) / 2, 1.0)
    return _fitted(cost, rows, limits, classes, num_classes, start, dispersion)


def _chance(rows: TrackErrors, limits: np.ndarray, happened: np.ndarray, classes: list[int],
            num_classes: int) -> Line:
    """Return the line of the log odds of what happened (N,) or not."""
    sign = np.where(happened, 1.0, -1.0)
    rate = (happened.sum() + 1) / (len(happened) + 2)

    def cost(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.logaddexp(0, -sign * log_odds), -sign / (1 + np.exp(sign * log_odds))
    return _fitted(cost, rows, limits, classes, num_classes, float(np.log(rate / (1 - rate))))


def _fitted(cost: Cost, rows: TrackErrors, limits: np.ndarray, classes: list[int], num_classes: int,
            start: float, dispersion: float = 1.0) -> Line:
    """Return the line with the least cost; :param cost: of each of its values (N,), and how that grows with them."""
    features = features_of(rows.facts, limits)
    middle = features.mean(0) if len(features) else np.zeros(features.shape[1])
    design = np.concatenate([np.ones((len(rows), 1)), rows.label[:, None] == np.array(classes), features - middle], 1)
    weight, prior = _weights(rows) / dispersion, np.array([_NO_PRIOR, *[_PRIOR_ROWS] * (design.shape[1] - 1)])

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        costs, slopes = cost(design @ values)
        return weight @ costs + prior @ values ** 2 / 2, design.T @ (weight * slopes) + prior * values
    values = minimize(objective, np.array([start, *[0.0] * (design.shape[1] - 1)]), jac=True, method='L-BFGS-B').x
    constants, slopes = np.full(num_classes, np.nan), values[1 + len(classes):]
    constants[classes] = values[0] + values[1:1 + len(classes)] - slopes @ middle
    return Line(constants, slopes)


def _weights(rows: TrackErrors) -> np.ndarray:
    """Return what each row (N,) counts."""
    names = [f'{scene}\n{track}' for scene, track in zip(rows.scene.tolist(), rows.track.tolist(), strict=True)]
    _, track, count = np.unique(names, return_inverse=True, return_counts=True)
    return np.minimum(1.0, _ROWS_OF_A_TRACK / count)[track] if len(rows) else np.zeros(0)
