"""What a display of markers shows by now."""

from __future__ import annotations

from collections.abc import Iterable

from builtin_interfaces.msg import Duration
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from .marker_parts import new_marker

LIFETIME_S = 0.5
"""After which a marker vanishes that nobody renews: with the clock of the recording, so that a pause keeps it."""


class MarkerBoard:
    """Turns the markers of each frame into a message that also deletes those that are no longer there."""

    def __init__(self) -> None:
        """Start before the first message, which clears the display."""
        self._shown: set[tuple[str, int]] | None = None

    def update(self, markers: Iterable[Marker], header: Header, lifetime_s: float = LIFETIME_S,
               reset: bool = False) -> MarkerArray:
        """
        Return the message of a frame.

        Everything is deleted only by the first message and at a reset: it would make a display flicker.

        :param markers: all that is to be seen now; of two with one namespace and id the later counts.
        :param lifetime_s: after which a marker vanishes by itself, 0 for never.
        """
        current = {(m.ns, m.id): m for m in markers}
        array = MarkerArray()
        if reset or self._shown is None:
            array.markers.append(Marker(header=header, action=Marker.DELETEALL))
        else:
            array.markers.extend(new_marker(header, *key, Marker.DELETE) for key in sorted(self._shown - set(current)))
        seconds, rest = divmod(lifetime_s, 1)
        lifetime = Duration(sec=int(seconds), nanosec=int(rest * 1e9))
        for marker in current.values():
            marker.lifetime = lifetime
        array.markers.extend(current.values())
        self._shown = set(current)
        return array
