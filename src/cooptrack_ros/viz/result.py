"""Frames to draw from a result in the exchange format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from ..common.geometry import heading, rotation_from_quaternion, transform_boxes
from ..common.types import Boxes, Provenance
from ..data.dataset import FrameRecord
from .recording_scenes import TrackedFrame

_MOST_DIGITS = 9
"""Longer identities are shown by a short number of their own."""


def tracked_frames(result: Mapping[str, Any], records: Sequence[FrameRecord], folder: str) -> dict[str, TrackedFrame]:
    """
    Return the predictions of a result by token of the record, in the ego lidar frame, with what was fused into them.

    :param folder: name of the data set; results of several data sets have it before every token.
    """
    frames = {}
    for record in records:
        for token in (record.token, f'{folder}/{record.token}'):
            rows = result['predictions'].get(token)
            if rows is not None:
                tracks = transform_boxes(np.linalg.inv(record.global_from_lidar), world_boxes(rows, result['classes']))
                source = provenance_of(result, token)
                received, links = _fused(result, token, record)
                frames[record.token] = TrackedFrame(
                    tracks, np.array([source.get(r['tracking_id'], Provenance.EGO) for r in rows], np.int64),
                    received, links)
                break
    return frames


def provenance_of(result: Mapping[str, Any], token: str) -> dict[str, Provenance]:
    """Return from whom the tracks of a frame come, by identity; empty if the result does not tell."""
    return {r['tracking_id']: Provenance[r['provenance'].upper()]
            for r in result.get('provenance', {}).get(token, ())}


def identity_number(tracking_id: str) -> int:
    """Return the number that chooses the colour of an identity, and is shown in pictures."""
    is_number = tracking_id.isascii() and tracking_id.isdigit() and len(tracking_id) <= _MOST_DIGITS
    return int(tracking_id) if is_number else crc32(tracking_id.encode(errors='surrogatepass')) % 100_000


def _fused(result: Mapping[str, Any], token: str,
           record: FrameRecord) -> tuple[Boxes, tuple[tuple[int, int, float], ...]]:
    """Return where the fused roadside instances stood, in the ego lidar frame, and which track each went into."""
    rows = result.get('links', {}).get(token, [])
    if not rows:
        return Boxes.empty(), ()
    count = len(rows)
    # Results keep the place of an instance only, so it is drawn as a point.
    points = Boxes(
        np.array([r['translation'] for r in rows], np.float64), np.zeros((count, 3)), np.zeros(count),
        np.zeros((count, 2)), np.zeros(count, np.int64), np.zeros(count), np.full(count, -1))
    row_of = {r['tracking_id']: i for i, r in enumerate(result['predictions'][token])}
    links = tuple((row_of[r['tracking_id']], i, r['affinity']) for i, r in enumerate(rows))
    return transform_boxes(np.linalg.inv(record.global_from_lidar), points), links


def world_boxes(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> Boxes:
    """Return rows of the exchange format as boxes of the world frame; :param classes: of the result."""
    if not rows:
        return Boxes.empty()
    size = np.array([r['size'] for r in rows], np.float64)
    return Boxes(
        np.array([r['translation'] for r in rows], np.float64), size[:, [1, 0, 2]],
        np.array([heading(rotation_from_quaternion(r['rotation'])) for r in rows]),
        np.array([r.get('velocity') or (np.nan, np.nan) for r in rows], np.float64),
        np.array([classes.index(r['name']) for r in rows], np.int64),
        np.array([r['score'] for r in rows], np.float64),
        np.array([identity_number(r['tracking_id']) for r in rows], np.int64))
