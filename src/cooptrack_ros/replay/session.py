"""One pass of a bag through running nodes, and what they answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor

from ..common.types import Sensors
from ..data.bags.info import describe_bag
from ..data.bags.writer import BagWriter
from ..nodes.start import init_ros
from ..wire.topics import units_of
from .camera_frames import EGO, CameraFrames
from .collector import Collector
from .player import BagPlayer, PlayOptions


def play(bag: Path, options: PlayOptions, lockstep: bool, record: Path | None,
         progress: Callable[[int], None]) -> dict:
    """
    Return the result of one pass as plain data.

    :param lockstep: publish an image only when the one before was answered; otherwise at ``options.rate``.
    :param record: bag for what the nodes publish.
    :param progress: is called with the number of images that were played since it was called last.
    """
    summary = describe_bag(bag)
    units = units_of(t.name for t in summary.topics)
    with ExitStack() as stack:
        writer = stack.enter_context(BagWriter(record)) if record else None
        init_ros([])
        stack.callback(rclpy.try_shutdown)
        node = rclpy.create_node('cooptrack_replay')
        stack.callback(node.destroy_node)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        # Detections cost time, which would count in real time.
        collector = Collector(node, units, writer, with_detections=lockstep and writer is not None)
        player = BagPlayer(node, bag, collector, lambda seconds: executor.spin_once(timeout_sec=seconds), options)
        player.wait_for_nodes()
        report = player.play_lockstep(progress) if lockstep else player.play_rate(progress)
        # The last latency message follows the last tracks.
        collector.settle(lambda seconds: executor.spin_once(timeout_sec=seconds))
        seconds = played_seconds(summary, report.ego_images, options.sensors)
        return {'schema': 'cooptrack-replay/1', 'pace': 'lockstep' if lockstep else options.rate,
                'ego_images': report.ego_images, 'unit_images': report.unit_images, 'wall_s': report.wall_s,
                **collector.summary(seconds)}


def played_seconds(summary, images: int, sensors: Sensors) -> float:
    """Return the part of the recording that was played, by the share of what makes frames of the vehicle."""
    count = {t.name: t.count for t in summary.topics if t.count}
    total = count[CameraFrames(count, sensors).images[EGO][0].topic]
    return summary.duration_ns / 1e9 * images / total
