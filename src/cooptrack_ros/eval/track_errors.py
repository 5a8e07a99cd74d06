"""What published tracks of a result say and what is true: the rows that uncertainty is fitted to and judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.geometry import heading, rotation_from_quaternion, wrap_angle
from ..common.uncertainty import TrackUncertainty
from .exchange_check import STATED
from .matching import MATCH_M, NEAR_M, FrameBoxes, distances, frames_of, greedy_match

_EVERYWHERE = 1e9


@dataclass(frozen=True)
class TrackErrors:
    """
    N published tracks of single frames.

    ``label`` (N,) indexes the classes of the result, ``source`` (N,) are names of ``Provenance`` in lower case,
    ``facts`` (N, 5) see ``tracking.uncertainty.FACTS``; ``scene`` and ``track`` (N,) are names. ``sight`` and ``yaw``
    (N,) are the directions from the agent to the track and of its box in the world. ``exists`` (N,) tells which have an
    object. For these: ``centre`` (N, 3), ``size`` (N, 3; length first) and ``velocity`` (N, 2) are true minus said, in
    the world; ``turn`` (N,) the same of the heading modulo half a turn, ``flip`` (N,) whether it is opposite; NaN
    elsewhere and where unknown. ``stated`` is what the result says of uncertainty, in the axes of the world.
    """

    label: np.ndarray
    source: np.ndarray
    facts: np.ndarray
    scene: np.ndarray
    track: np.ndarray
    sight: np.ndarray
    yaw: np.ndarray
    exists: np.ndarray
    centre: np.ndarray
    turn: np.ndarray
    flip: np.ndarray
    size: np.ndarray
    velocity: np.ndarray
    stated: TrackUncertainty

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    def __getitem__(self, index) -> TrackErrors:
        """Return the rows selected by a mask, slice or integer array."""
        return TrackErrors(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def concatenate(parts: Sequence[TrackErrors]) -> TrackErrors:
        """Return all rows of one part or more, in order."""
        columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts])
                   for f in fields(TrackErrors) if f.name != 'stated'}
        return TrackErrors(**columns, stated=TrackUncertainty.concatenate([p.stated for p in parts]))

    def spreads(self) -> dict[str, np.ndarray]:
        """Return the errors (N,) by the names of ``tracking.uncertainty.SPREADS``."""
        radial, tangential = _turned(self.centre, self.sight)
        along, across = _turned(self.velocity, self.yaw)
        return {'radial': radial, 'tangential': tangential, 'up': self.centre[:, 2], 'heading': self.turn,
                'length': self.size[:, 0], 'width': self.size[:, 1], 'height': self.size[:, 2], 'along': along,
                'across': across}

    def num_tracks(self) -> int:
        """Return how many different tracks the rows belong to."""
        return len(set(zip(self.scene.tolist(), self.track.tolist(), strict=True)))


def _turned(vectors: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.cos(angle), np.sin(angle)
    return c * vectors[:, 0] + s * vectors[:, 1], c * vectors[:, 1] - s * vectors[:, 0]


def track_errors(exchange: Mapping[str, Any]) -> TrackErrors:
    """
    Return what the published tracks of a result say, and what is true of those that have an object.

    In each frame tracks in the order of falling score take the nearest object of their class that is left within 2 m;
    then those without one in the same way within 4 m: a badly placed track is still about an object, and its error must
    count. Labelled objects beyond the range of the result count too.

    :param exchange: ``cooptrack-eval-golden/1`` with ``published`` and ``provenance``.
    :raises UserError: if the result has no such tables.
    """
    missing = [k for k in ('published', 'provenance') if exchange.get(k) is None]
    if missing:
        raise UserError(f"result '{exchange['name']}' has no table '{missing[0]}': it is not one of `cooptrack eval "
                        '--results` in a mode whose tracks have sources')
    rows: list[dict[str, Any]] = []
    for scene in exchange['scenes']:
        for sample in frames_of(scene):
            rows += _frame_rows(exchange, scene['scene'], sample)
    return _columns(rows)


def _frame_rows(exchange: Mapping[str, Any], scene: str, sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    token, ego = sample['token'], sample['ego_translation']
    everywhere = dict.fromkeys(exchange['classes'], _EVERYWHERE)
    published = {row['tracking_id']: row for row in exchange['published'].get(token, ())}
    source = {row['tracking_id']: row['provenance'] for row in exchange['provenance'].get(token, ())}
    tracks = FrameBoxes.of([row for row in exchange['predictions'][token]
                            if row['tracking_id'] in published and row['tracking_id'] in source], ego, everywhere)
    objects = FrameBoxes.of(exchange['ground_truth'][token], ego, everywhere)
    taken = {int(track): number for number, track in enumerate(_taken_by(tracks, objects)) if track >= 0}
    rows = []
    for i, track in enumerate(tracks.rows):
        number = track['tracking_id']
        rows.append({
            'label': exchange['classes'].index(track['name']), 'source': source[number], 'scene': scene,
            'track': number, 'facts': [float(tracks.range_m[i]), track['score'], published[number]['age_s'],
                                       float(np.hypot(*(track.get('velocity') or (0.0, 0.0)))),
                                       float(published[number].get('alone', False))],
            'sight': float(np.arctan2(*np.subtract(track['translation'][:2], ego[:2])[::-1])),
            'yaw': _yaw(track), **_difference(track, objects.rows[taken[i]] if i in taken else None),
            'stated': published[number] if 'existence' in published[number] else None})
    return rows


def _taken_by(tracks: FrameBoxes, objects: FrameBoxes) -> np.ndarray:
    """Return for each object the track that is about it, -1 for none."""
    distance = distances(tracks, objects)
    taken_by = greedy_match(distance, tracks.score, MATCH_M)
    free = np.where(np.isin(np.arange(len(tracks.rows)), taken_by)[:, None] | (taken_by >= 0), np.inf, distance)
    return np.maximum(taken_by, greedy_match(free, tracks.score, NEAR_M))


def _yaw(row: Mapping[str, Any]) -> float:
    return heading(rotation_from_quaternion(row['rotation']))


def _difference(track: Mapping[str, Any], true: Mapping[str, Any] | None) -> dict[str, Any]:
    if true is None:
        return {'exists': False, 'centre': [np.nan] * 3, 'turn': np.nan, 'flip': np.nan, 'size': [np.nan] * 3,
                'velocity': [np.nan] * 2}
    turn = float(wrap_angle(_yaw(true) - _yaw(track)))
    unknown = track.get('velocity') is None or true.get('velocity') is None
    width, length, height = np.subtract(true['size'], track['size']).tolist()
    return {'exists': True, 'centre': np.subtract(true['translation'], track['translation']).tolist(),
            'turn': float(wrap_angle(2 * turn)) / 2, 'flip': float(abs(turn) > np.pi / 2),
            'size': [length, width, height],
            'velocity': [np.nan] * 2 if unknown else np.subtract(true['velocity'], track['velocity']).tolist()}


def _columns(rows: Sequence[Mapping[str, Any]]) -> TrackErrors:
    if not rows:
        raise UserError('the result has no published track')
    kinds = {'label': np.int64, 'exists': bool, 'source': object, 'scene': object, 'track': object}
    columns = {f.name: np.array([row[f.name] for row in rows], kinds.get(f.name, np.float64))
               for f in fields(TrackErrors) if f.name != 'stated'}
    return TrackErrors(**columns, stated=_stated([row['stated'] for row in rows]))


def _stated(rows: Sequence[Mapping[str, Any] | None]) -> TrackUncertainty:
    """Return what rows of ``published`` say."""
    known = np.flatnonzero([row is not None for row in rows])
    result = TrackUncertainty.unknown(len(rows))
    if not len(known):
        return result
    said = {key: np.array([rows[i][key] for i in known], np.float64) for key in STATED}
    return result.with_rows(known, TrackUncertainty(
        said['existence'], said['position'].reshape(-1, 3, 3), said['heading'], said['flip'],
        said['size'][:, [1, 0, 2]], said['velocity'].reshape(-1, 2, 2)))
