"""Where a result loses: recall, precision, errors and the fate of every labelled object, by range, class and viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..common.geometry import heading, rotation_from_quaternion, wrap_angle
from .matching import (
    MATCH_M,
    NEAR_M,
    FrameBoxes,
    Identities,
    distances,
    explanations,
    frame_boxes,
    frames_of,
    greedy_match,
)

LOW_SCORE = 0.15
"""An unreported box counts as a hint of an object from this score on: half the published reporting threshold."""
BIN_M = 10
OUTCOMES = ('found', 'switched', 'wrong_class', 'badly_placed', 'low_score', 'nothing')
"""
Fate of a labelled object in one frame: found under the identity of the last time or as new; found under another
identity; a track of another class stands there; a track of its class stands 2 to 4 m away; a box stands there that
was not reported; none of these. The first that holds counts, and a track or box explains one object at most.
"""
VIEWERS = ('ego', 'both', 'roadside', 'unknown')
_ERRORS = ('translation_error_m', 'yaw_error_deg', 'velocity_error_mps')


def analyse(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return where a result loses.

    :param exchange: ``cooptrack-eval-golden/1``; who sees an object is in ``seen_by`` of its rows, if at all.
    :returns: ``all``, and by name ``by_range``, ``by_class``, ``by_viewer``; each group has the numbers of labelled
        objects and of tracks, ``recall``, ``precision`` (of the tracks in that range or of that class; None by viewer:
        a track of nothing has none), mean errors of what was found, and ``outcomes`` as counts. ``low_score`` is
        missing there if the result holds no detections. Undefined numbers are None.
    """
    truth: list[dict] = []
    tracks: list[dict] = []
    for scene in exchange['scenes']:
        identities = Identities()
        for sample in frames_of(scene):
            _judge_frame(exchange, sample, identities, truth, tracks)
    outcomes = [o for o in OUTCOMES if o != 'low_score' or exchange.get('detections')]

    def grouped(key: str, groups: Sequence, with_tracks: bool = True) -> list[dict]:
        return [_figures([t for t in truth if t[key] == g], [t for t in tracks if t[key] == g] if with_tracks else None,
                         outcomes) for g in groups]
    classes = exchange['classes']
    bins = range(int(np.ceil(max(exchange['class_range'].values()) / BIN_M)))
    viewers = [v for v in VIEWERS if any(t['viewer'] == v for t in truth)]
    return {
        'name': exchange['name'], 'match_m': MATCH_M, 'near_m': NEAR_M, 'low_score_from': LOW_SCORE,
        'all': _figures(truth, tracks, outcomes),
        'by_range': dict(zip((f'{BIN_M * b}-{BIN_M * (b + 1)} m' for b in bins), grouped('bin', bins))),
        'by_class': dict(zip(classes, grouped('name', classes))),
        'by_viewer': dict(zip(viewers, grouped('viewer', viewers, with_tracks=False)))}


def _judge_frame(exchange: Mapping[str, Any], sample: Mapping[str, Any], identities: Identities,
                 truth: list[dict], tracks: list[dict]) -> None:
    """Append what became of every object and track of a frame."""
    objects, boxes, unreported = (frame_boxes(exchange, sample, table)
                                  for table in ('ground_truth', 'predictions', 'detections'))
    distance = distances(boxes, objects)
    taken_by = greedy_match(distance, boxes.score, MATCH_M)
    reasons = _reasons(objects, boxes, unreported, taken_by)
    switched = identities.switched(objects, boxes, distance, taken_by)
    for i, row in enumerate(objects.rows):
        judged = {'name': row['name'], 'bin': int(objects.range_m[i] // BIN_M),
                  'viewer': row.get('seen_by', 'unknown'), 'outcome': reasons[i]}
        if taken_by[i] >= 0:
            judged['outcome'] = 'switched' if next(switched) else 'found'
            judged |= dict(zip(_ERRORS, _errors(row, boxes.rows[taken_by[i]])))
        truth.append(judged)
    for i, row in enumerate(boxes.rows):
        tracks.append({'name': row['name'], 'bin': int(boxes.range_m[i] // BIN_M), 'is_right': i in taken_by})


def _reasons(objects: FrameBoxes, boxes: FrameBoxes, unreported: FrameBoxes, taken_by: np.ndarray) -> list[str]:
    """Return why each object was missed; empty for those that were found."""
    reasons = np.where(taken_by >= 0, '', 'nothing').astype(object)
    hints = np.where(unreported.score[:, None] >= LOW_SCORE, distances(unreported, objects), np.inf)
    reasons[(greedy_match(hints, unreported.score, MATCH_M) >= 0) & (taken_by < 0)] = 'low_score'
    for reason, explained_by in zip(('wrong_class', 'badly_placed'), explanations(objects, boxes, taken_by)):
        reasons[explained_by >= 0] = reason
    return reasons.tolist()


def _errors(row: dict, found: dict) -> tuple[float, float, float]:
    """Return errors of place (m), heading (degrees) and velocity (m/s; NaN if one of them is unknown)."""
    yaws = [heading(rotation_from_quaternion(r['rotation'])) for r in (row, found)]
    known = row.get('velocity') is not None and found.get('velocity') is not None
    return (float(np.hypot(*np.subtract(row['translation'], found['translation'])[:2])),
            float(np.degrees(abs(wrap_angle(yaws[0] - yaws[1])))),
            float(np.hypot(*np.subtract(row['velocity'], found['velocity']))) if known else float('nan'))


def _figures(truth: Sequence[dict], tracks: Sequence[dict] | None, outcomes: Sequence[str]) -> dict[str, Any]:
    counts = {o: sum(t['outcome'] == o for t in truth) for o in outcomes}
    found = counts['found'] + counts['switched']
    right = sum(t['is_right'] for t in tracks or ())
    return {
        'objects': len(truth), 'tracks': None if tracks is None else len(tracks),
        'recall': _ratio(found, len(truth)), 'precision': _ratio(right, len(tracks or ())),
        **{name: _mean([t[name] for t in truth if name in t]) for name in _ERRORS}, 'outcomes': counts}


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(values: Sequence[float]) -> float | None:
    known = [v for v in values if np.isfinite(v)]
    return round(float(np.mean(known)), 4) if known else None
