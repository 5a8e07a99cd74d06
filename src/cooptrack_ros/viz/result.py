"""Frames to draw from a result in the exchange format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.geometry import heading, rotation_from_quaternion, transform_boxes
from ..core.types import CLASS_NAMES, Boxes
from ..data.spd import FrameRecord
from .scene import Provenance
from .story import TrackedFrame


def tracked_frames(result: Mapping[str, Any], records: Sequence[FrameRecord], folder: str) -> dict[str, TrackedFrame]:
    """
    Return the predictions of a result by token of the record, in the ego lidar frame.

    :param folder: name of the data set; results of several data sets have it before every token.
    """
    frames = {}
    for record in records:
        for token in (record.token, f'{folder}/{record.token}'):
            rows = result['predictions'].get(token)
            if rows is not None:
                tracks = transform_boxes(np.linalg.inv(record.global_from_lidar), world_boxes(rows))
                known = {r['tracking_id']: Provenance[r['provenance'].upper()]
                         for r in result.get('provenance', {}).get(token, ())}
                frames[record.token] = TrackedFrame(tracks, np.array(
                    [known.get(r['tracking_id'], Provenance.EGO) for r in rows], np.int64))
                break
    return frames


def world_boxes(rows: Sequence[Mapping[str, Any]]) -> Boxes:
    """Return rows of the exchange format as boxes of the world frame."""
    if not rows:
        return Boxes.empty()
    size = np.array([r['size'] for r in rows], np.float64)
    return Boxes(
        np.array([r['translation'] for r in rows], np.float64), size[:, [1, 0, 2]],
        np.array([heading(rotation_from_quaternion(r['rotation'])) for r in rows]),
        np.array([r['velocity'] or (np.nan, np.nan) for r in rows], np.float64),
        np.array([CLASS_NAMES.index(r['name']) for r in rows], np.int64),
        np.array([r['score'] for r in rows], np.float64),
        np.array([int(r['tracking_id']) for r in rows], np.int64))
