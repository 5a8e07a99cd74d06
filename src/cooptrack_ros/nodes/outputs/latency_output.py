"""How long the frames of a node take, for those who listen and for the diagnostics."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cooptrack_msgs.msg import Latency

from ..context import FrameJob, NodeContext


class LatencyOutput:
    """Publishes each stage of a frame."""

    def __init__(self, context: NodeContext, publisher, what: str = ''):
        """Take the publisher; :param what: prefix of the delays in the diagnostics, empty for those of tracks."""
        self._context, self._publisher, self._what = context, publisher, what

    def publish(self, job: FrameJob, stage_seconds: Mapping[str, float], step_started: float) -> None:
        """Publish how long the frame took; call it right after its result was published."""
        now = time.monotonic()
        msg = Latency(header=job.header)
        start = step_started
        marks = list(job.marks)
        for stage, seconds in stage_seconds.items():
            marks.append((stage, start, seconds))
            start += seconds
        marks.append(('publish', start, now - start))
        msg.stages = [m[0] for m in marks]
        msg.stage_start_s = [m[1] - job.arrived for m in marks]
        msg.stage_duration_s = [m[2] for m in marks]
        msg.compute_s, msg.total_s = now - job.taken, now - job.arrived
        msg.stamp_to_publish_s = (self._context.now_ns() - job.stamp_ns) / 1e9
        self._publisher.publish(msg)
        self._context.health.published(msg.total_s, msg.stamp_to_publish_s, self._what)
