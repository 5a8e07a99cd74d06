"""Every error of a fused result, of one of six kinds: what went wrong between the agents and the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..common.errors import UserError
from .analysis import BIN_M
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

KINDS = {
    'missed_by_both': 'missed by both',
    'lost_in_fusion': 'seen by one, lost in fusion',
    'duplicate': 'duplicate',
    'misplaced': 'misplaced by pose or delay',
    'wrong_class': 'wrong class',
    'switched': 'switched identity',
}
GHOST = 'ghost'
"""A track that has to do with no object; it is none of the six kinds and is counted beside them."""


def error_kinds(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the errors of a result by kind.

    In each frame tracks find objects of their class as in ``analyse``, within 2 m. An object that was found is an error
    if it is ``switched``: its identity is another one than the last time. An object that was not found is one error:

    - ``wrong_class`` if a track of another class that found nothing is within 2 m;
    - ``misplaced`` if a track of its class that found nothing is 2 to 4 m away, and an agent alone has a box of its
      class within 2 m: what the agents saw right was moved on the way, by pose, delay or fusion;
    - ``lost_in_fusion`` if no such track is there, and an agent alone has a box of its class within 2 m;
    - ``missed_by_both`` if no agent has one. A track 2 to 4 m away belongs to that error.

    A track that found nothing and belongs to none of these is one error: a ``duplicate`` if it is within 4 m of an
    object of its class, or within 2 m of one of any class, that another track found; a ``ghost`` if not.

    :param exchange: ``cooptrack-eval-golden/1`` with ``agents``.
    :returns: ``all``, ``by_range`` (10 m each) and ``by_class``; each has the numbers of labelled ``objects`` and of
        ``errors``, and ``kinds``, ``GHOST`` among them, which add up to that.
    :raises UserError: if the result does not hold what the agents found alone.
    """
    if exchange.get('agents') is None:
        raise UserError(f"result '{exchange['name']}' does not hold what each agent found alone (eval --errors)")
    objects: list[tuple[str, int]] = []
    errors: list[tuple[str, str, int]] = []
    for scene in exchange['scenes']:
        identities = Identities()
        for sample in frames_of(scene):
            _judge_frame(exchange, sample, identities, objects, errors)
    bins = range(int(np.ceil(max(exchange['class_range'].values()) / BIN_M)))
    return {
        'name': exchange['name'], 'all': _counts(objects, errors),
        'by_range': {f'{BIN_M * b}-{BIN_M * (b + 1)} m': _counts([o for o in objects if o[1] == b],
                                                                [e for e in errors if e[2] == b]) for b in bins},
        'by_class': {name: _counts([o for o in objects if o[0] == name], [e for e in errors if e[1] == name])
                     for name in exchange['classes']}}


def _counts(objects: Sequence, errors: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    counted = Counter(kind for kind, _, _ in errors)
    return {'objects': len(objects), 'errors': len(errors), 'kinds': {k: counted[k] for k in (*KINDS, GHOST)}}


def _judge_frame(exchange: Mapping[str, Any], sample: Mapping[str, Any], identities: Identities,
                 objects: list[tuple[str, int]], errors: list[tuple[str, str, int]]) -> None:
    """Append class and range of the objects of a frame, and kind, class and range of its errors."""
    truth, tracks = (frame_boxes(exchange, sample, table) for table in ('ground_truth', 'predictions'))
    distance = distances(tracks, truth)
    taken_by = greedy_match(distance, tracks.score, MATCH_M)
    kinds, belongs = _misses(truth, tracks, taken_by, _seen(exchange, sample, truth))
    for i, is_switched in zip(np.flatnonzero(taken_by >= 0), identities.switched(truth, tracks, distance, taken_by)):
        kinds[i] = 'switched' if is_switched else ''
    objects += [(name, _bin(range_m)) for name, range_m in zip(truth.name, truth.range_m)]
    errors += [(kind, *row) for kind, row in zip(kinds, objects[len(objects) - len(kinds):]) if kind]
    is_found = taken_by >= 0
    close = (distance < NEAR_M) | (distances(tracks, truth, same_class=False) < MATCH_M)
    for i in np.flatnonzero(~belongs):
        kind = 'duplicate' if (close[i] & is_found).any() else GHOST
        errors.append((kind, tracks.name[i], _bin(tracks.range_m[i])))


def _bin(range_m: float) -> int:
    return int(range_m // BIN_M)


def _seen(exchange: Mapping[str, Any], sample: Mapping[str, Any], truth: FrameBoxes) -> np.ndarray:
    """Return which objects an agent alone has a box for."""
    seen = np.zeros(len(truth.rows), bool)
    for table in exchange['agents'].values():
        boxes = FrameBoxes.of(table[sample['token']], sample['ego_translation'], exchange['class_range'])
        seen |= greedy_match(distances(boxes, truth), boxes.score, MATCH_M) >= 0
    return seen


def _misses(truth: FrameBoxes, tracks: FrameBoxes, taken_by: np.ndarray,
            seen: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the kind of error of each object that was not found, and which tracks belong to an object."""
    of_other_class, near = explanations(truth, tracks, taken_by)
    kinds = np.where(seen, np.where(near >= 0, 'misplaced', 'lost_in_fusion'), 'missed_by_both')
    kinds = np.where(of_other_class >= 0, 'wrong_class', kinds)
    belongs = np.isin(np.arange(len(tracks.rows)), np.concatenate([taken_by, of_other_class, near]))
    return kinds.astype(object).tolist(), belongs
