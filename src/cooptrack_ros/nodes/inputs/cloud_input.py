"""Point clouds of an agent beside its images, or in their place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import PointCloud2

from ...common.errors import WireError
from ...common.types import Side
from ...sensors.cloud_buffer import SilentImages
from ..context import FrameJob, NodeContext
from ..health.silence_watch import WatchedInput
from ..qos import input_qos
from .cloud_reader import CloudPlace, CloudReader
from .tf_input import TRANSFORM_PATIENCE_S, TfInput

_TOPIC = '~/input/points'
SOURCE = 'points'
"""Name under which clouds are counted."""
_LOCKSTEP_PATIENCE_S = 1.0
"""A player sends clouds before the images of their time, but they may be delivered after them."""


class CloudInput:
    """
    Gives each frame its cloud; a cloud that is missing or cannot be used costs the frame the cloud and nothing else.

    Without cameras every cloud makes a frame, with them only while images have stopped; in lockstep, where every image
    is waited for, they never have.
    """

    def __init__(self, context: NodeContext, side: Side):
        """Start without clouds; :param side: of the agent."""
        self._context = context
        self._reader, self._silent_images = CloudReader(context.settings, side), SilentImages()
        self._tf: TfInput | None = None
        self._flows = True
        """Whether it is worth to wait for the cloud of a frame."""

    def subscribe(self, put: Callable[[PointCloud2], None], tf: TfInput) -> list:
        """Listen; :param put: takes the cloud of a frame of its own; :param tf: for clouds of other frames."""
        self._put, self._tf = put, tf
        qos = input_qos(self._context.settings.image__qos)
        return [self._context.subscribe(PointCloud2, _TOPIC, self._on_cloud, qos, SOURCE)]

    def waiting(self) -> list[str]:
        """Return what was never received, in words."""
        received = self._context.health.counts[f'{SOURCE}.received']
        return [] if received else [f'point clouds on {self._context.topic(_TOPIC)}']

    def watched(self) -> WatchedInput:
        """Return the topic."""
        return WatchedInput(SOURCE, 'point clouds', _TOPIC, PointCloud2, input_qos(self._context.settings.image__qos),
                            lambda: self._context.health.events(SOURCE), 'image.qos')

    def on_images(self, stamp_ns: int) -> None:
        """Take in the stamp of images."""
        self._silent_images.image(stamp_ns)

    def _on_cloud(self, message: PointCloud2) -> None:
        self._context.health.count(f'{SOURCE}.received')
        with self._context.arrived:
            stamp = self._reader.add(message)
            self._flows = True
            self._context.arrived.notify_all()
        settings = self._context.settings
        if not settings.camera__enabled or (self._silent_images.cloud(stamp) and not settings.lockstep):
            self._put(message)

    def cloud_of(self, job: FrameJob, lidar_frame: str,
                 moved: Callable[[int], np.ndarray] = lambda at_ns: np.eye(4)) -> np.ndarray | None:
        """
        Return the cloud of a frame, None if there is none to be used; runs in the worker thread and waits for it.

        :param lidar_frame: of the network; :param moved: see ``CloudPlace``, for agents that do not stand still.
        :raises WireError: for a frame that has nothing but its cloud, if that cannot be used.
        """
        self._wait_for(job.stamp_ns)
        place = CloudPlace(job.stamp_ns, lidar_frame, lambda frame, at_ns: self._transform(lidar_frame, frame, at_ns),
                           moved)
        try:
            with self._context.arrived:
                _, message = self._reader.nearest(job.stamp_ns)
            return self._reader.points(message, place)
        except WireError as error:
            if not job.messages:
                raise
            self._context.refuse(SOURCE, error)
            return None

    def _wait_for(self, at_ns: int) -> None:
        """Wait until there is a cloud for a frame; once in vain, not again before clouds come."""
        patience = self._context.settings.lidar__max_age if self._flows else 0.0
        found = self._context.wait_for(lambda: self._reader.has(at_ns) or None, patience,
                                       _LOCKSTEP_PATIENCE_S if self._flows else 0.0)
        with self._context.arrived:
            self._flows = self._flows and bool(found)

    def _transform(self, lidar_frame: str, frame: str, at_ns: int) -> np.ndarray:
        found = self._context.wait_for(lambda: self._tf.lookup(lidar_frame, frame, at_ns), TRANSFORM_PATIENCE_S,
                                       TRANSFORM_PATIENCE_S)
        if found is None:
            raise WireError('wrong_frame', f"a point cloud in frame '{frame}', which no transform leads to "
                            f"'{lidar_frame}': {self._tf.problem}")
        return found
