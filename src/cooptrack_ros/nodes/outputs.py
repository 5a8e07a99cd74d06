"""Publishes the tracks and markers of an agent with stable public identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_msgs.msg import Track

from ..core.identities import PublicIdentities
from ..core.late import ROADSIDE_FIRST_ID
from ..core.types import Boxes, Match
from ..wire.markers import track_markers
from ..wire.tracks import TrackMeta, encode_tracks
from .node_base import header_of


class TrackOutput:
    """Turns live tracks into TrackArray and MarkerArray; remembers identities and what is shown."""

    def __init__(self, tracks_publisher, markers_publisher, seen_score: float, ego_score_limit: float = 0.0):
        """
        Take the publishers.

        :param seen_score: a track that scores less counts as missed in that frame.
        :param ego_score_limit: a fused track whose own score was below counts as known from the roadside only.
        """
        self._tracks, self._markers = tracks_publisher, markers_publisher
        self._limit = ego_score_limit
        self._identities = PublicIdentities(seen_score)
        self._shown: set[int] = set()

    def observe(self, boxes: Boxes, stamp_ns: int, reset: bool) -> None:
        """Take in all tracks of a frame that will be published, once and before anything else."""
        if reset:
            self._identities.reset()
        self._identities.observe(boxes, stamp_ns)

    def public(self, boxes: Boxes) -> Boxes:
        """Return observed boxes under their public identities."""
        return self._identities.translate(boxes)

    def publish(self, boxes: Boxes, meta: TrackMeta, matches: tuple[Match, ...], lifetime_s: float,
                alone: int = Track.EGO) -> None:
        """
        Publish one frame, also when there are no tracks.

        :param boxes: observed live tracks with the core's identities; :param alone: provenance of unmatched tracks.
        """
        public = self.public(boxes)
        number = dict(zip(boxes.track_id.tolist(), public.track_id.tolist(), strict=True))
        by_id = {number[m.track_id]: replace(m, track_id=number[m.track_id]) for m in matches
                 if m.track_id in number}
        provenance = np.array([self._provenance(core_id, by_id.get(number[core_id]), alone)
                               for core_id in boxes.track_id.tolist()], np.int64)
        self._tracks.publish(encode_tracks(
            public, meta, self._identities.ages_s(boxes, meta.stamp_ns), provenance, by_id,
            self._identities.missed_frames(boxes)))
        self._publish_markers(public, meta, lifetime_s)

    def _provenance(self, core_id: int, match: Match | None, alone: int) -> int:
        if match is None:
            return Track.ROADSIDE if core_id >= ROADSIDE_FIRST_ID else alone
        return Track.FUSED if match.ego_score >= self._limit else Track.ROADSIDE

    def _publish_markers(self, boxes: Boxes, meta: TrackMeta, lifetime_s: float) -> None:
        array = MarkerArray()
        if meta.reset:
            self._shown = set()
            array.markers.append(Marker(header=header_of(meta.stamp_ns, meta.lidar_frame), action=Marker.DELETEALL))
        shown = track_markers(boxes, header_of(meta.stamp_ns, meta.lidar_frame), self._shown)
        seconds, rest = divmod(lifetime_s, 1)
        for marker in shown.markers:
            marker.lifetime.sec, marker.lifetime.nanosec = int(seconds), int(rest * 1e9)
        array.markers.extend(shown.markers)
        self._shown = set(boxes.track_id.tolist())
        self._markers.publish(array)
