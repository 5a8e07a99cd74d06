"""Publishes what an agent tracks, received and fused as markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...common.colours import PROVENANCE_COLOURS, Colour, identity_colour
from ...common.types import Boxes, Match, RoadsideMessage
from ...cooperation.late_fusion import roadside_boxes
from ...tracking.track_history import Trails
from ...wire.arrays import header_of
from ...wire.marker_board import MarkerBoard
from ...wire.markers import (
    floors,
    link_markers,
    provenance_markers,
    received_markers,
    track_markers,
    trail_markers,
    vehicle_marker,
)
from ...wire.tracks import TrackMeta
from ..settings import CommonSettings


class MarkerOutput:
    """Makes the MarkerArray of each frame; remembers trails and what is shown."""

    def __init__(self, publisher):
        """Take the publisher."""
        self._publisher = publisher
        self._board, self._trails = MarkerBoard(), Trails()

    def publish(self, tracks: Boxes, provenance: np.ndarray, matches: Mapping[int, Match],
                messages: Sequence[RoadsideMessage], meta: TrackMeta, settings: CommonSettings,
                base_frame: str = '') -> None:
        """
        Publish one frame if somebody listens: hundreds of markers cost more time than the tracks themselves.

        :param tracks: N tracks in the lidar frame under their public identities.
        :param provenance: (N,) of ``Provenance``; :param matches: by public identity.
        :param messages: what was received; it is shown where it is at the time of the frame.
        :param base_frame: of the vehicle, to show where it is; empty for none.
        """
        if meta.reset:
            self._trails.reset()
        # Along the road, outside of the boxes.
        self._trails.observe(tracks.with_(centre=floors(tracks)), meta.map_from_lidar, meta.stamp_ns,
                             settings.markers__trail_seconds)
        if not self._publisher.get_subscription_count():
            # What is shown to the next listener is not known.
            self._board = MarkerBoard()
            return
        header, map_header = (header_of(meta.stamp_ns, frame) for frame in (meta.lidar_frame, meta.map_frame))
        colours = _colours(tracks, provenance, settings.markers__colour_by)
        received = roadside_boxes(messages, meta.stamp_ns)
        units = [m.unit_id for m in messages for _ in range(len(m.instances))]
        # Affinity 0: an instance that was taken over, because the vehicle had nothing to associate it with.
        linked = {number: match for number, match in matches.items() if match.affinity > 0}
        markers = [
            *track_markers(tracks, header, meta.class_names, colours,
                           affinities={number: match.affinity for number, match in linked.items()},
                           label_m=settings.markers__label_height),
            *provenance_markers(tracks, provenance, header),
            *trail_markers(((i, self._trails.of(i)) for i in tracks.track_id.tolist()), map_header, colours),
            *received_markers(received, units, header, meta.class_names),
            *link_markers(tracks, received, _links(tracks, linked, messages), header)]
        if base_frame:
            markers.append(vehicle_marker(header_of(meta.stamp_ns, base_frame)))
        self._publisher.publish(self._board.update(markers, header, settings.markers__lifetime, meta.reset))


def _colours(tracks: Boxes, provenance: np.ndarray, colour_by: str) -> list[Colour]:
    if colour_by == 'provenance':
        return [PROVENANCE_COLOURS[p] for p in provenance.tolist()]
    return [identity_colour(i) for i in tracks.track_id.tolist()]


def _links(tracks: Boxes, linked: Mapping[int, Match], messages: Sequence[RoadsideMessage]) -> list[tuple[int, int]]:
    """Return (row of tracks, row of all received instances) of what was associated."""
    first, starts = 0, {}
    for message in messages:
        starts[message.unit_id] = first
        first += len(message.instances)
    return [(row, starts[match.unit_id] + match.infra_index)
            for row, number in enumerate(tracks.track_id.tolist()) if (match := linked.get(number)) is not None]
