"""What both nodes share: life cycle, cameras, the worker, diagnostics."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from cooptrack_msgs.msg import Latency, TrackArray

from ..core.config import ModelConfig
from ..core.errors import UserError
from ..core.timeline import StampOrder, TimeGuard
from ..core.types import Frame
from ..model.preprocess import least_size
from ..model.store import ModelPackage, open_model
from ..wire.arrays import set_stamp, stamp_ns
from ..wire.errors import WireError
from ..wire.pictures import picture_time_ns
from ..wire.prediction import predict_tracks
from ..wire.tracks import decode_tracks
from ..wire.views import Views
from .camera_rig import CameraRig, camera_names, check_camera_topics
from .debug_image import DebugImage
from .decoding import Decoded, Decoding
from .detection_output import DetectionOutput
from .health import Health
from .params import Parameters
from .qos import OUTPUT, input_qos
from .settings import CommonSettings
from .silence_watch import SilenceWatch, WatchedInput
from .tf_input import TfInput
from .worker import Worker


@dataclass
class ImageJob:
    """
    One frame on its way through the node.

    ``messages`` are the pictures of all cameras, the anchor's first; ``marks`` are (stage, start, duration) on the
    monotonic clock.
    """

    messages: tuple[CompressedImage | Image, ...]
    arrived: float
    taken: float = 0.0
    decoding: Future[Decoded] | None = None
    """Where its pictures will be; None while other frames come first."""
    marks: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def stamp_ns(self) -> int:
        """Stamp of the anchor's picture."""
        return stamp_ns(self.header.stamp)

    @property
    def header(self) -> Header:
        """Header of the anchor's picture."""
        return self.messages[0].header

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
        self.cameras: CameraRig | None = None
        self.tf: TfInput | None = None
        self._inputs: list = []
        self._worker: Worker | None = None
        self._decoding: Decoding | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.tracks_publisher = self.create_publisher(TrackArray, '~/output/tracks', OUTPUT)
        self.markers_publisher = self.create_publisher(MarkerArray, '~/output/markers', OUTPUT)
        self.latency_publisher = self.create_publisher(Latency, '~/debug/latency', OUTPUT)
        self._predicted = self.create_publisher(TrackArray, '~/output/predicted_tracks', OUTPUT)
        self._debug_image = DebugImage(self)
        self._detections_3d = DetectionOutput(self)

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

    def process(self, job: ImageJob, views: Views) -> TrackArray:
        """Handle one frame and return the published tracks; runs in the worker thread; may raise WireError."""
        raise NotImplementedError

    @property
    def stated_base_frame(self) -> str:
        """Return the frame that calibrations must lead to, empty for any."""
        raise NotImplementedError

    def needs_tf(self) -> bool:
        """Tell whether anything is looked up on /tf."""
        return self.settings.camera__source == 'camera_info'

    def on_time_jump(self, stamp: int) -> None:
        """Go on at a stamp after time was set back; runs in the worker thread."""

    def missing_inputs(self) -> list[str]:
        """Return what the node still waits for, in words."""
        return []

    def watched_inputs(self) -> list[WatchedInput]:
        """Return the inputs whose silence is to be explained."""
        return self.cameras.watched()

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
        self.get_logger().info(f"loading model '{self.settings.weights}' on {self.settings.device} ...")
        try:
            package = self._package or open_model(self.settings.weights)
            self._check_settings()
            self.cameras = CameraRig(self, camera_names(self.settings.cameras, package.config.max_cameras))
            self._least_size = least_size(package.config)
            self.load(package)
        except UserError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"model '{package.name}' ready after {time.monotonic() - started:.1f} s")
        return super().on_configure(state)

    def _check_settings(self) -> None:
        """Refuse settings that need others, by name."""
        settings = self.settings
        check_camera_topics(settings.cameras__topics)
        if settings.camera__source != 'camera_info':
            return
        if settings.image__rectified is None:
            raise UserError("parameter 'image.rectified' must be stated with camera.source camera_info: true if the "
                            'pictures are without distortion (P of CameraInfo is used), false if not (K and D)')
        for name, value in (('lidar_frame', settings.lidar_frame), ('base_frame', self.stated_base_frame)):
            if not value:
                raise UserError(f"parameter '{name}' must be given with camera.source camera_info")

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        settings = self.settings
        self._decoding = Decoding(self._least_size)
        self._worker = Worker(self._work, self._failed, self._overtaken, self._decode, settings.lockstep)
        self._guard = TimeGuard()
        self._worker.start()
        self.tf = TfInput(self, self.notify) if self.needs_tf() else None
        self._inputs = [*self.subscribe(), *self.cameras.subscribe(self._on_frame, input_qos(settings.image__qos))]
        self._silence = SilenceWatch(self, self.watched_inputs())
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
            self._decoding.stop()
            self._worker = None
            self.destroy_timer(self._timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self.tf is not None:
            self.tf.close()
            self.tf = None

    def _on_frame(self, messages: tuple[CompressedImage | Image, ...]) -> None:
        job = ImageJob(messages, time.monotonic())
        self.health.picture(job.stamp_ns, job.arrived)
        self._worker.put(job)

    def _decode(self, job: ImageJob) -> None:
        job.decoding = self._decoding.begin(job.messages)

    def _overtaken(self, job: ImageJob) -> None:
        job.decoding.cancel()
        self.health.drop('image', 'overrun', 'a newer picture came before this one could be processed')

    def notify(self) -> None:
        """Tell the worker that something came."""
        with self.arrived:
            self.arrived.notify_all()

    def refuse(self, source: str, error: WireError) -> None:
        """Count a message that is dropped, and say so at most every five seconds."""
        self.health.drop(source, error.reason, str(error))
        self.get_logger().warning(f'dropped {source}: {error}', throttle_duration_sec=5.0)

    def _work(self, job: ImageJob) -> None:
        job.taken = time.monotonic()
        job.marks.append(('wait', job.arrived, job.taken - job.arrived))
        try:
            self._check_order(picture_time_ns(job.messages[0]))
            views = self.cameras.views(job)
            tracks = self.process(job, views)
        except WireError as error:
            self.refuse('image', error)
            return
        self._publish_extras(job, views, tracks)

    def _publish_extras(self, job: ImageJob, views: Views, tracks: TrackArray) -> None:
        """Publish what is made of the published tracks, if it is wanted."""
        self._detections_3d.publish(tracks)
        if self.settings.prediction__enabled:
            try:
                self._predicted.publish(predict_tracks(tracks, self.get_clock().now().nanoseconds))
            except WireError as error:
                self.refuse('prediction', error)
        if self.settings.debug__image:
            self._debug_image.publish(job.messages[0], views.anchor, decode_tracks(tracks))

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the picture before')
        if order is StampOrder.JUMP:
            self.health.count('time_jumps')
            self.get_logger().info('time was set back (does a bag start again?): tracks start anew')
            if self.tf is not None:
                self.tf.restart(stamp)
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

    def create_subscription(self, msg_type, topic: str, callback, *arguments, **options):
        """Subscribe as every node does; but a callback that fails costs its message, never the node."""
        def guarded(message) -> None:
            try:
                callback(message)
            except Exception as error:
                self._failed(error, topic)
        return super().create_subscription(msg_type, topic, guarded, *arguments, **options)

    def _failed(self, error: Exception, source: str = 'image') -> None:
        self.health.drop(source, 'internal_error', repr(error))
        self.get_logger().error(f'a message of {source} could not be processed: {error!r}', throttle_duration_sec=5.0)

    def publish_latency(self, job: ImageJob, stage_seconds: dict[str, float], step_started: float) -> None:
        """Publish how long the frame took; call it right after the tracks were published."""
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
        msg.stamp_to_publish_s = (self.get_clock().now().nanoseconds - job.stamp_ns) / 1e9
        self.latency_publisher.publish(msg)
        self.health.published(msg.total_s, msg.stamp_to_publish_s)

    def _report(self) -> None:
        waiting = self.cameras.waiting() + self.missing_inputs()
        self._diagnostics.publish(self.health.report(
            self.get_clock().now().to_msg(), waiting, self._silence.check()))


def run_nodes(*create: Callable[[], AgentNode], args: list[str] | None = None) -> int:
    """
    Create nodes, start them, spin until told to stop; return the exit status.

    One executor serves all: callbacks only store, each node works in a thread of its own.

    :param args: arguments that hold for all nodes, without the program's name (default: the command line).
    """
    rclpy.init(args=args)
    nodes: list[AgentNode] = []
    executor = SingleThreadedExecutor()
    try:
        for new in create:
            nodes.append(new())
            executor.add_node(nodes[-1])
        if not all(node.autostart() for node in nodes):
            return 1
        executor.spin()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        for node in nodes:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def blank_frame(config: ModelConfig, num_cameras: int) -> Frame:
    """Return black pictures of the network's size with a plausible camera, to warm a tracker up."""
    rows, columns = config.input_size
    projection = np.eye(4)
    projection[:3, :3] = [[columns / 2, -columns / 2, 0], [rows / 2, 0, -columns / 2], [1, 0, 0]]
    image = np.zeros((rows, columns, 3), np.uint8)
    return Frame('', 0, (image,) * num_cameras, np.stack([projection] * num_cameras), np.eye(4), np.eye(4))


def header_of(stamp: int, frame_id: str) -> Header:
    """Return a header with a stamp in nanoseconds."""
    header = Header(frame_id=frame_id)
    set_stamp(header.stamp, stamp)
    return header
