"""What both nodes share: life cycle, pictures, calibration, the worker, diagnostics."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from cooptrack_msgs.msg import Calibration, Latency, TrackArray

from ..core.config import ModelConfig
from ..core.errors import UserError
from ..core.timeline import StampOrder, TimeGuard
from ..core.types import Frame
from ..model.store import ModelPackage, open_model
from ..wire.arrays import set_stamp, stamp_ns
from ..wire.errors import WireError
from ..wire.inputs import CameraModel, check_camera_info, decode_calibration, decode_image
from .health import Health
from .params import Parameters
from .qos import LATCHED, OUTPUT, input_qos
from .settings import CommonSettings
from .worker import Worker


@dataclass
class ImageJob:
    """One picture on its way through the node; ``marks`` are (stage, start, duration) on the monotonic clock."""

    message: CompressedImage | Image
    arrived: float
    taken: float = 0.0
    marks: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def stamp_ns(self) -> int:
        """Stamp of the picture."""
        return stamp_ns(self.message.header.stamp)

    def mark(self, stage: str, start: float) -> None:
        """Note a stage that started at ``start`` and ends now."""
        self.marks.append((stage, start, time.monotonic() - start))


class AgentNode(LifecycleNode):
    """
    A life-cycle node around one tracker.

    *configure* loads and warms up the model, *activate* subscribes. Callbacks only store; one worker thread infers
    and publishes. Sub-classes say which model to load (``load``), what to listen to (``subscribe``) and what to
    do with a picture (``process``).
    """

    settings_class: type[CommonSettings] = CommonSettings

    def __init__(self, name: str, package: ModelPackage | None = None, **options):
        """
        Declare the parameters.

        :param package: a model to use in place of the one that the parameter names (tests, one process for all).
        """
        super().__init__(name, **options)
        self.parameters = Parameters(self, self.settings_class)
        self.health = Health(self.get_fully_qualified_name(), self.hardware_id())
        self._package = package
        self.arrived = threading.Condition()
        """Guards what callbacks store and the worker reads; tells the worker of news."""
        self._calibration: CameraModel | None = None
        self._inputs: list = []
        self._worker: Worker | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.tracks_publisher = self.create_publisher(TrackArray, '~/output/tracks', OUTPUT)
        self.markers_publisher = self.create_publisher(MarkerArray, '~/output/markers', OUTPUT)
        self.latency_publisher = self.create_publisher(Latency, '~/debug/latency', OUTPUT)

    @property
    def settings(self) -> CommonSettings:
        """The present snapshot of the parameters."""
        return self.parameters.current

    def hardware_id(self) -> str:
        """Return what the diagnostics name as hardware."""
        return self.get_name()

    def load(self, package: ModelPackage) -> None:
        """Prepare trackers of a model; may raise UserError."""
        raise NotImplementedError

    def subscribe(self) -> list:
        """Create the subscriptions of the sub-class and return them."""
        return []

    def process(self, job: ImageJob, image, calibration: CameraModel) -> None:
        """Handle one decoded picture; runs in the worker thread; may raise WireError."""
        raise NotImplementedError

    def on_time_jump(self, stamp: int) -> None:
        """Go on at a stamp after time was set back; runs in the worker thread."""

    def missing_inputs(self) -> list[str]:
        """Return what the node still waits for, in words."""
        return []

    def autostart(self) -> bool:
        """Configure and activate, if the parameter says so; return False if that failed."""
        if not self.settings.autostart:
            return True
        return (self.trigger_configure() == TransitionCallbackReturn.SUCCESS
                and self.trigger_activate() == TransitionCallbackReturn.SUCCESS)

    def on_configure(self, state: State) -> TransitionCallbackReturn:
        """Load the model, check and warm it up."""
        import torch
        started = time.monotonic()
        torch.set_num_threads(self.settings.threads)
        try:
            package = self._package or open_model(self.settings.weights)
            self.load(package)
        except UserError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"model '{package.name}' ready after {time.monotonic() - started:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        settings = self.settings
        self._worker = Worker(self._work, self._failed, lambda: self.health.drop(
            'image', 'overrun', 'a newer picture came before this one could be processed'), settings.lockstep)
        self._guard = TimeGuard()
        self._worker.start()
        qos = input_qos(settings.image__qos)
        kind, topic = ((CompressedImage, '~/input/image/compressed') if settings.image__transport == 'compressed'
                       else (Image, '~/input/image'))
        self._inputs = [
            self.create_subscription(Calibration, '~/input/calibration', self._on_calibration, LATCHED),
            self.create_subscription(CameraInfo, '~/input/camera_info', self._on_camera_info, qos),
            *self.subscribe(),
            self.create_subscription(kind, topic, self._on_image, qos)]
        # Not on simulated time: a paused or ended bag must not silence the node.
        self._timer = self.create_timer(
            settings.diagnostics__period, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        return super().on_activate(state)

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        """Stop listening and working."""
        self.stop()
        return super().on_deactivate(state)

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        """Stop listening and working."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """End the worker and the subscriptions; harmless when there are none."""
        if self._worker is not None:
            self._worker.stop(self.arrived)
            self._worker = None
            self.destroy_timer(self._timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []

    def _on_image(self, msg: CompressedImage | Image) -> None:
        self.health.count('image.received')
        self._worker.put(ImageJob(msg, time.monotonic()))

    def _on_calibration(self, msg: Calibration) -> None:
        try:
            calibration = decode_calibration(msg)
        except WireError as error:
            self.refuse('calibration', error)
            return
        with self.arrived:
            self._calibration = calibration
            self.arrived.notify_all()

    def _on_camera_info(self, msg: CameraInfo) -> None:
        try:
            check_camera_info(msg)
        except WireError as error:
            self.refuse('camera_info', error)

    def refuse(self, source: str, error: WireError) -> None:
        """Count a message that is dropped, and say so at most every five seconds."""
        self.health.drop(source, error.reason, str(error))
        self.get_logger().warning(f'dropped {source}: {error}', throttle_duration_sec=5.0)

    def _work(self, job: ImageJob) -> None:
        job.taken = time.monotonic()
        job.marks.append(('wait', job.arrived, job.taken - job.arrived))
        try:
            if job.stamp_ns <= 0:
                raise WireError('no_stamp', 'the picture has stamp 0')
            self._check_order(job.stamp_ns)
            image = decode_image(job.message)
            job.mark('decode', job.taken)
            calibration = self.wait_for(lambda: self._calibration)
            if calibration is None:
                raise WireError('missing_calibration', 'no Calibration was received on '
                                + self.resolve_topic_name('~/input/calibration'))
            if image.shape[:2] != (calibration.height, calibration.width):
                raise WireError('wrong_size', f'picture of {image.shape[1]}x{image.shape[0]}, the calibration is for '
                                f'{calibration.width}x{calibration.height}')
            self.process(job, image, calibration)
        except WireError as error:
            self.refuse('image', error)

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the picture before')
        if order is StampOrder.JUMP:
            self.health.count('time_jumps')
            self.get_logger().info('time was set back (does a bag start again?): tracks start anew')
            self.on_time_jump(stamp)

    def wait_for(self, get: Callable[[], Any], patience_s: float = 0.0, timeout_s: float | None = None) -> Any:
        """
        Return what ``get`` gives under the lock ``arrived``, waiting for it not to be None.

        The wait is bounded by ``patience_s``, in lockstep by ``timeout_s`` (default: the parameter), and ends when
        the node stops.
        """
        worker, timeout = self._worker, patience_s
        if self.settings.lockstep:
            timeout = self.settings.lockstep_timeout if timeout_s is None else timeout_s
        with self.arrived:
            self.arrived.wait_for(lambda: get() is not None or worker is None or not worker.running, timeout)
            return get()

    def _failed(self, error: Exception) -> None:
        self.health.drop('image', 'internal_error', repr(error))
        self.get_logger().error(f'a picture could not be processed: {error!r}', throttle_duration_sec=5.0)

    def publish_latency(self, job: ImageJob, stage_seconds: dict[str, float], step_started: float) -> None:
        """Publish how long the frame took; call it right after the tracks were published."""
        now = time.monotonic()
        msg = Latency(header=job.message.header)
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
        msg.stamp_to_publish_s = (self.get_clock().now().nanoseconds - job.stamp_ns) / 1e9
        self.latency_publisher.publish(msg)

    def _report(self) -> None:
        picture = '~/input/image' + ('/compressed' if self.settings.image__transport == 'compressed' else '')
        waiting = [] if self.health.counts['image.received'] else [f'pictures on {self.resolve_topic_name(picture)}']
        if self._calibration is None:
            waiting.append(f"calibration on {self.resolve_topic_name('~/input/calibration')}")
        self._diagnostics.publish(self.health.report(self.get_clock().now().to_msg(),
                                                     waiting + self.missing_inputs()))


def run_node(create) -> int:
    """Create a node, start it, spin until it is told to stop; return the exit status."""
    rclpy.init()
    node = None
    try:
        node = create()
        if not node.autostart():
            return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def blank_frame(config: ModelConfig) -> Frame:
    """Return a black picture of the network's size with a plausible camera, to warm a tracker up."""
    rows, columns = config.input_size
    projection = np.eye(4)
    projection[:3, :3] = [[columns / 2, -columns / 2, 0], [rows / 2, 0, -columns / 2], [1, 0, 0]]
    image = np.zeros((rows, columns, 3), np.uint8)
    return Frame('', 0, (image,), projection[None], np.eye(4), np.eye(4))


def header_of(stamp: int, frame_id: str):
    """Return a header with a stamp in nanoseconds."""
    from std_msgs.msg import Header
    header = Header(frame_id=frame_id)
    set_stamp(header.stamp, stamp)
    return header
