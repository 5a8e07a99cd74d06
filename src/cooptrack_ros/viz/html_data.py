"""Frames of results as small tables of whole numbers for the player of the HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..common.colours import NUM_COLOURS, identity_colour
from ..common.geometry import heading, rotation_from_quaternion
from .result import identity_number, provenance_of


def player_data(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return what the player draws.

    :param results: exchange contents of the same frames by label.
    :returns: ``classes``, ``palette`` (#rrggbb), ``results`` (labels) and ``scenes``. Lengths are centimetres from the
        first ego position of a scene, in the world; angles are milliradians, times milliseconds from the start. A scene
        has ``ego`` [x, y, yaw] per frame; ``truth`` with ``kinds`` [id, class, length, width] and ``frames`` of rows
        [kind, x, y, yaw]; and for each result ``ids`` [id, colour], ``frames`` of rows [id, class, x, y, yaw, length,
        width, score in %, speed in cm/s or -1, provenance or -1] and ``links`` of rows [id, x, y, affinity in %].
    """
    first = next(iter(results.values()))
    return {'classes': list(first['classes']), 'results': list(results),
            'palette': ['#' + ''.join(f'{round(255 * v):02x}' for v in identity_colour(i)) for i in range(NUM_COLOURS)],
            'scenes': [_scene(scene, first, results.values()) for scene in first['scenes']]}


class _Table:
    """Numbers keys in the order of their first use."""

    def __init__(self) -> None:
        self.rows: dict[tuple, int] = {}

    def index(self, *key) -> int:
        return self.rows.setdefault(key, len(self.rows))


def _scene(scene: Mapping[str, Any], first: Mapping[str, Any], results: Any) -> dict[str, Any]:
    samples = sorted(scene['samples'], key=lambda s: s['timestamp_us'])
    origin = np.array(samples[0]['ego_translation'][:2]) if samples else np.zeros(2)
    tokens = [s['token'] for s in samples]
    classes = first['classes']
    kinds = _Table()
    truth = [[[kinds.index(r['track_id'], classes.index(r['name']), _cm(r['size'][1]), _cm(r['size'][0])),
               *_place(r, origin)] for r in first['ground_truth'][token]] for token in tokens]
    return {
        'name': scene['scene'],
        'times': [round((s['timestamp_us'] - samples[0]['timestamp_us']) / 1e3) for s in samples],
        # Files of others need not say where the vehicle looks; then the world's x axis is up.
        'ego': [[*_centimetres(s['ego_translation'], origin), round(1e3 * s.get('ego_yaw', 0.0))] for s in samples],
        'truth': {'kinds': list(kinds.rows), 'frames': truth},
        'results': [_tracks(result, tokens, origin) for result in results]}


def _tracks(result: Mapping[str, Any], tokens: Sequence[str], origin: np.ndarray) -> dict[str, Any]:
    ids, frames, links = _Table(), [], []

    def number(row: Mapping[str, Any]) -> int:
        return ids.index(str(row['tracking_id']), identity_number(str(row['tracking_id'])) % NUM_COLOURS)
    for token in tokens:
        source = provenance_of(result, token)
        frames.append([[
            number(r), result['classes'].index(r['name']), *_place(r, origin), _cm(r['size'][1]), _cm(r['size'][0]),
            round(100 * r['score']), _cm(np.hypot(*r['velocity'])) if r.get('velocity') else -1,
            int(source.get(r['tracking_id'], -1))] for r in result['predictions'][token]])
        links.append([[number(r), *_centimetres(r['translation'], origin), round(100 * r['affinity'])]
                      for r in result.get('links', {}).get(token, ())])
    return {'ids': list(ids.rows), 'frames': frames, 'links': links}


def _place(row: Mapping[str, Any], origin: np.ndarray) -> list[int]:
    return [*_centimetres(row['translation'], origin), round(1e3 * heading(rotation_from_quaternion(row['rotation'])))]


def _centimetres(position: Sequence[float], origin: np.ndarray) -> list[int]:
    return [_cm(position[0] - origin[0]), _cm(position[1] - origin[1])]


def _cm(metres: float) -> int:
    return round(100 * float(metres))
