"""Publishes the tracks and markers of an agent with stable public identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cooptrack_msgs.msg import Track, TrackArray

from ..core.identities import PublicIdentities
from ..core.late import ROADSIDE_FIRST_ID
from ..core.types import Boxes, Match, RoadsideMessage
from ..wire.tracks import TrackMeta, encode_tracks
from .marker_output import MarkerOutput
from .settings import CommonSettings


@dataclass(frozen=True)
class Published:
    """
    What was said of a frame: the message, and the N boxes that it was made of under their public identities.

    ``provenance`` (N,) holds Track constants, ``matches`` what was fused, by public identity.
    """

    message: TrackArray
    boxes: Boxes
    provenance: np.ndarray
    matches: Mapping[int, Match]


class TrackOutput:
    """Turns live tracks into TrackArray and MarkerArray; remembers identities."""

    def __init__(self, tracks_publisher, markers_publisher, seen_score: float, ego_score_limit: float = 0.0):
        """
        Take the publishers.

        :param seen_score: a track that scores less counts as missed in that frame.
        :param ego_score_limit: a fused track whose own score was below counts as known from the roadside only.
        """
        self._tracks, self._markers = tracks_publisher, MarkerOutput(markers_publisher)
        self._limit = ego_score_limit
        self._identities = PublicIdentities(seen_score)

    def observe(self, boxes: Boxes, stamp_ns: int, reset: bool) -> None:
        """Take in all tracks of a frame that will be published, once and before anything else."""
        if reset:
            self._identities.reset()
        self._identities.observe(boxes, stamp_ns)

    def public(self, boxes: Boxes) -> Boxes:
        """Return observed boxes under their public identities."""
        return self._identities.translate(boxes)

    def publish(self, boxes: Boxes, meta: TrackMeta, matches: tuple[Match, ...], alone: int = Track.EGO) -> Published:
        """
        Publish the tracks of one frame, also when there are none.

        :param boxes: observed live tracks with the core's identities; :param alone: provenance of unmatched tracks.
        """
        public = self.public(boxes)
        number = dict(zip(boxes.track_id.tolist(), public.track_id.tolist(), strict=True))
        by_id = {number[m.track_id]: replace(m, track_id=number[m.track_id]) for m in matches
                 if m.track_id in number}
        provenance = np.array([self._provenance(core_id, by_id.get(number[core_id]), alone)
                               for core_id in boxes.track_id.tolist()], np.int64)
        tracks = encode_tracks(public, meta, self._identities.ages_s(boxes, meta.stamp_ns), provenance, by_id,
                               self._identities.missed_frames(boxes))
        self._tracks.publish(tracks)
        return Published(tracks, public, provenance, by_id)

    def show(self, published: Published, meta: TrackMeta, settings: CommonSettings,
             messages: Sequence[RoadsideMessage] = ()) -> None:
        """Publish a frame as markers, which take longer than its tracks; :param messages: what matches refer to."""
        self._markers.publish(published.boxes, published.provenance, published.matches, messages, meta, settings)

    def _provenance(self, core_id: int, match: Match | None, alone: int) -> int:
        if match is None:
            return Track.ROADSIDE if core_id >= ROADSIDE_FIRST_ID else alone
        return Track.FUSED if match.ego_score >= self._limit else Track.ROADSIDE
