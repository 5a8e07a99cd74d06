"""Publishes the tracks and markers of an agent."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.types import RoadsideMessage
from ...wire.public_tracks import Published
from ...wire.tracks import TrackMeta
from ..settings import CommonSettings
from .marker_output import MarkerOutput
from .output_frame import OutputFrame


class TrackOutput:
    """The topics of tracks and markers."""

    def __init__(self, tracks_publisher, markers_publisher, frame: OutputFrame):
        """Take the publishers, :param frame: and that which tracks are given in."""
        self._tracks, self._markers, self._frame = tracks_publisher, MarkerOutput(markers_publisher), frame

    def publish(self, published: Published) -> None:
        """Publish the tracks of a frame, if it is known where they are."""
        message = self._frame.place(published.message)
        if message is not None:
            self._tracks.publish(message)

    def show(self, published: Published, meta: TrackMeta, settings: CommonSettings,
             messages: Sequence[RoadsideMessage] = (), base_frame: str = '') -> None:
        """
        Publish a frame as markers, which take longer than its tracks.

        :param messages: what matches refer to; :param base_frame: see ``MarkerOutput.publish``.
        """
        self._markers.publish(published.boxes, published.provenance, published.matches, messages, meta, settings,
                              base_frame)
