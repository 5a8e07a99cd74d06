"""Publishes the tracks and markers of an agent."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.types import RoadsideMessage
from ...wire.public_tracks import Published
from ...wire.tracks import TrackMeta
from ..settings import CommonSettings
from .marker_output import MarkerOutput


class TrackOutput:
    """The topics of tracks and markers."""

    def __init__(self, tracks_publisher, markers_publisher):
        """Take the publishers."""
        self._tracks, self._markers = tracks_publisher, MarkerOutput(markers_publisher)

    def publish(self, published: Published) -> None:
        """Publish the tracks of a frame."""
        self._tracks.publish(published.message)

    def show(self, published: Published, meta: TrackMeta, settings: CommonSettings,
             messages: Sequence[RoadsideMessage] = (), base_frame: str = '') -> None:
        """
        Publish a frame as markers, which take longer than its tracks.

        :param messages: what matches refer to; :param base_frame: see ``MarkerOutput.publish``.
        """
        self._markers.publish(published.boxes, published.provenance, published.matches, messages, meta, settings,
                              base_frame)
