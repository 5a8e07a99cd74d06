"""Tracks of an agent as the messages that it publishes, under stable public identities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cooptrack_msgs.msg import TrackArray

from ..common.types import Boxes, Match
from ..common.uncertainty import TrackUncertainty
from ..tracking.identities import PublicIdentities
from .tracks import TrackMeta, encode_tracks


@dataclass(frozen=True)
class Published:
    """
    What is said of a frame: the message, and the N boxes that it was made of under their public identities.

    ``provenance`` (N,) holds values of ``Provenance``, ``matches`` what was fused, by public identity.
    """

    message: TrackArray
    boxes: Boxes
    provenance: np.ndarray
    matches: Mapping[int, Match]


class PublicTracks:
    """Turns live tracks into TrackArrays; remembers identities."""

    def __init__(self, seen_score: float):
        """Start without tracks; :param seen_score: a track that scores less counts as missed in that frame."""
        self._identities = PublicIdentities(seen_score)

    def observe(self, boxes: Boxes, stamp_ns: int, reset: bool) -> None:
        """Take in all tracks of a frame that will be published, once and before anything else."""
        if reset:
            self._identities.reset()
        self._identities.observe(boxes, stamp_ns)

    def public(self, boxes: Boxes) -> Boxes:
        """Return observed boxes under their public identities."""
        return self._identities.translate(boxes)

    def public_ids(self, ids: np.ndarray) -> np.ndarray:
        """Return the public identities of tracks (N,), 0 for what was never published."""
        return self._identities.translate_ids(ids)

    def compose(self, boxes: Boxes, provenance: np.ndarray, matches: tuple[Match, ...], meta: TrackMeta,
                uncertainty: TrackUncertainty | None = None) -> Published:
        """
        Return what is said of the tracks of one frame, also when there are none.

        :param boxes: N observed live tracks with the core's identities; :param provenance: (N,) of ``Provenance``.
        :param uncertainty: of these boxes; None where the model says nothing of it.
        """
        public = self.public(boxes)
        number = dict(zip(boxes.track_id.tolist(), public.track_id.tolist(), strict=True))
        by_id = {number[m.track_id]: replace(m, track_id=number[m.track_id]) for m in matches
                 if m.track_id in number}
        message = encode_tracks(public, meta, self._identities.ages_s(boxes, meta.stamp_ns), provenance, by_id,
                                self._identities.missed_frames(boxes), uncertainty)
        return Published(message, public, provenance, by_id)
