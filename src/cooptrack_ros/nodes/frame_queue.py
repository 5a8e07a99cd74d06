"""From the images of a frame to the thread that works on it."""

from __future__ import annotations

import time
from collections.abc import Callable

from sensor_msgs.msg import PointCloud2

from ..wire.images import AnyImage
from ..wire.video import VideoImage
from .context import FrameJob, NodeContext
from .inputs.decoding import Decoding
from .worker import Worker


class FrameQueue:
    """Frames wait here, decoded ahead of their turn; newer ones replace older ones, but not in lockstep."""

    def __init__(self, context: NodeContext, decoding: Decoding, work: Callable[[FrameJob], None]):
        """
        Start to work.

        :param decoding: is ended with it; :param work: handles one frame.
        """
        self._context, self._decoding = context, decoding
        self._worker = Worker(work, context.failed, self._overtaken, self._decode, context.settings.lockstep)
        context.begin()
        self._worker.start()

    def put(self, messages: tuple[AnyImage, ...]) -> None:
        """Take the images of a frame."""
        # Video was decoded before: that time counts, too.
        came = [m.arrived for m in messages if isinstance(m, VideoImage)]
        self._put(FrameJob(messages, messages[0].header, max(came, default=time.monotonic())))

    def put_cloud(self, message: PointCloud2) -> None:
        """Take the point cloud of a frame that has no images."""
        self._put(FrameJob((), message.header, time.monotonic()))

    def _put(self, job: FrameJob) -> None:
        self._context.health.image(job.stamp_ns, job.arrived)
        self._worker.put(job)

    @property
    def waits(self) -> bool:
        """Whether a frame waits."""
        return self._worker.waits

    def stop(self) -> None:
        """Finish the frame at hand without waiting for anything, forget the others, and end the threads."""
        self._context.end()
        self._worker.stop()
        self._decoding.stop()

    def _decode(self, job: FrameJob) -> None:
        if job.messages:
            job.decoding = self._decoding.begin(job.messages)

    def _overtaken(self, job: FrameJob) -> None:
        if job.decoding is not None:
            job.decoding.cancel()
        noun = 'image' if job.messages else 'point cloud'
        self._context.health.drop(job.source, 'overrun', f'a newer {noun} came before this one could be processed')
