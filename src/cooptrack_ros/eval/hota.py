"""HOTA and IDF1 of the reported tracks, by the library ``trackeval``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from ..common.errors import UserError
from .matching import MATCH_M, frame_boxes, frames_of
from .undefined import ABSENT, UNREACHED

HOTA_FIGURES = ('HOTA', 'DetA', 'AssA', 'LocA', 'IDF1')


def track_figures(exchange: Mapping[str, Any]) -> dict[str, dict[str, float | str]]:
    """
    Return ``HOTA_FIGURES`` by class.

    Similarity of a track and an object is 1 - d / 2 m, at least 0, with the distance d of their centres in the ground
    plane; the localisation threshold of HOTA therefore runs from 1.9 m down to 0.1 m, and HOTA, DetA, AssA and LocA
    are means over it. IDF1 takes pairs nearer than 2 m, as MOTA does. Boxes count within the range of their class,
    as they were reported: without a threshold of score and without the devkit's interpolation.

    :param exchange: ``cooptrack-eval-golden/1``.
    :raises UserError: if the library is missing.
    """
    hota, identity = _metrics()
    figures = {}
    for name in exchange['classes']:
        sequences = {scene['scene']: _sequence(exchange, scene, name) for scene in exchange['scenes']}
        objects, boxes = (sum(s[k] for s in sequences.values()) for k in ('num_gt_dets', 'num_tracker_dets'))
        if not objects:
            figures[name] = dict.fromkeys(HOTA_FIGURES, ABSENT)
            continue
        combined = [metric.combine_sequences({k: metric.eval_sequence(s) for k, s in sequences.items()})
                    for metric in (hota, identity)]
        figures[name] = {**{k: float(np.mean(combined[0][k])) for k in HOTA_FIGURES[:4]},
                         'IDF1': float(combined[1]['IDF1'])}
        if not boxes or not combined[0]['HOTA_TP'].any():
            # The library says 1 where nothing was found whose place could be judged.
            figures[name]['LocA'] = UNREACHED
    return figures


def _metrics() -> tuple[Any, Any]:
    try:
        # It prints what formats of data sets it cannot read here; none is needed.
        with redirect_stdout(io.StringIO()):
            from trackeval.metrics import HOTA, Identity
    except ImportError as error:
        raise UserError(f'evaluation needs trackeval: {error}') from error
    # Above 0 is nearer than ``MATCH_M``.
    return HOTA(), Identity({'THRESHOLD': np.finfo(float).tiny, 'PRINT_CONFIG': False})


def _sequence(exchange: Mapping[str, Any], scene: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a scene as the library takes it, of one class."""
    numbers: tuple[dict[str, int], dict[str, int]] = ({}, {})
    ids: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    similarity = []
    for sample in frames_of(scene):
        places = []
        for table, key, known, lists in zip(('ground_truth', 'predictions'), ('track_id', 'tracking_id'), numbers, ids):
            boxes = frame_boxes(exchange, sample, table)
            chosen = np.flatnonzero(boxes.name == name)
            lists.append(np.array([known.setdefault(boxes.rows[i][key], len(known)) for i in chosen], np.int64))
            places.append(boxes.position[chosen])
        distance = np.linalg.norm(places[0][:, None] - places[1][None], axis=-1)
        similarity.append(np.maximum(0.0, 1.0 - distance / MATCH_M))
    return {'gt_ids': ids[0], 'tracker_ids': ids[1], 'similarity_scores': similarity,
            'num_gt_ids': len(numbers[0]), 'num_tracker_ids': len(numbers[1]),
            'num_gt_dets': sum(map(len, ids[0])), 'num_tracker_dets': sum(map(len, ids[1]))}
