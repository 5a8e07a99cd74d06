"""The frame that lists of objects are published in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cooptrack_msgs.msg import TrackArray

from ...common.errors import WireError
from ...wire.arrays import stamp_ns
from ...wire.poses import check_upright
from ...wire.tracks import in_frame
from ..context import NodeContext
from ..inputs.tf_input import TfInput

SOURCE = 'outputs'
"""Name under which lists are counted that cannot be published."""


class OutputFrame:
    """
    Gives tracks in the frame of the parameter ``output.frame``; empty: in that of the network, as they are.

    The map needs no transform beside the pose that the node has. Other frames are looked up at the stamp of the image,
    and nobody waits for a transform: without it nothing is published of that frame, since it would be wrong.
    """

    def __init__(self, context: NodeContext, tf: Callable[[], TfInput | None]):
        """Take what looks up transforms, once the node is active."""
        self._context, self._tf = context, tf
        self._known: tuple[int, np.ndarray | None] | None = None

    @property
    def is_chosen(self) -> bool:
        """Tell whether the parameter names a frame."""
        return bool(self._context.settings.output__frame)

    def needs_tf(self) -> bool:
        """Tell whether the frame has to be looked up."""
        settings = self._context.settings
        return settings.output__frame not in ('', settings.map_frame)

    def place(self, msg: TrackArray) -> TrackArray | None:
        """Return tracks in the frame, None if it is not known where that was; then the drop is counted once."""
        if not self.is_chosen:
            return msg
        stamp = stamp_ns(msg.header.stamp)
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, self._frame_from_lidar(msg, stamp)
        found = self._known[1]
        return None if found is None else in_frame(msg, self._context.settings.output__frame, found)

    def _frame_from_lidar(self, msg: TrackArray, stamp: int) -> np.ndarray | None:
        map_from_lidar = np.array(msg.map_from_lidar, np.float64).reshape(4, 4)
        if not self.needs_tf():
            return map_from_lidar
        frame, tf = self._context.settings.output__frame, self._tf()
        try:
            found = tf.lookup(frame, msg.header.frame_id, stamp)
            if found is None:
                # Where localisation is no part of the tree, other maps may still be tied to the map.
                missing = tf.missing(frame, msg.header.frame_id)
                from_map = tf.lookup(frame, msg.map_frame, stamp)
                if from_map is None:
                    raise missing
                found = from_map @ map_from_lidar
            check_upright(found, f"the transform to '{frame}' (parameter output.frame)")
        except WireError as error:
            self._context.refuse(SOURCE, error)
            return None
        return found
