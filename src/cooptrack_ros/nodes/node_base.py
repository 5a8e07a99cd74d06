"""What both nodes share: life cycle, cameras, the worker, diagnostics."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import State, TransitionCallbackReturn
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from cooptrack_msgs.msg import Latency, TrackArray

from ..common.errors import UserError, WireError
from ..common.files import write_atomically
from ..common.outputs import check_file
from ..common.text import readable_lines
from ..common.timeline import StampOrder, TimeGuard
from ..common.types import Side
from ..model.image.preprocess import least_size
from ..weights.store import ModelPackage, open_model
from ..wire.arrays import stamp_ns
from ..wire.images import image_time_ns
from ..wire.tracks import predict_tracks
from ..wire.views import Views
from .context import FrameJob, NodeContext
from .effective import effective_config
from .executors import executor_of, spin
from .frame_queue import FrameQueue
from .given import split_given, split_option
from .health.gap_watch import GapWatch
from .health.graph import full_names
from .health.health import Health
from .health.silence import TWIN_ADVICE
from .health.silence_watch import SilenceWatch, WatchedInput
from .inputs.camera_rig import CameraRig, camera_names, check_camera_topics, check_image_transport
from .inputs.cloud_input import CloudInput
from .inputs.decoding import Decoding
from .inputs.tf_input import TfInput
from .managed_node import ManagedNode, explained
from .outputs.debug_image import DebugImage
from .outputs.latency_output import LatencyOutput
from .outputs.occupancy_output import OccupancyOutput
from .outputs.output_frame import OutputFrame
from .outputs.standard_outputs import StandardOutputs
from .overrides import warn_of_unused
from .params import Parameters
from .qos import OUTPUT, input_qos
from .settings import CommonSettings
from .start import in_words, init_ros, report_middleware
from .usage import DUMP
from .voxel_pipelines import VoxelAnswer


class AgentNode(ManagedNode):
    """
    A life-cycle node around one tracker.

    *configure* loads and warms up the model, *activate* subscribes. Callbacks only store; one worker thread infers
    and publishes. Sub-classes say which model to load (``load``), what to listen to (``subscribe``) and what to
    do with an image (``process``).
    """

    settings_class: type[CommonSettings] = CommonSettings
    side: Side
    """Whose sensors it has: those of a vehicle, or of the roadside."""

    def __init__(self, name: str, package: ModelPackage | None = None, **options):
        """
        Declare the parameters.

        :param package: a model to use in place of the one that the parameter names (tests, one process for all).
        """
        super().__init__(name, **options)
        self.parameters = Parameters(self, self.settings_class)
        self.health = Health(self.get_fully_qualified_name(), self.hardware_id())
        self.node_context = NodeContext(self, self.parameters, self.health)
        """What is handed to inputs and outputs."""
        self._package = package
        self.cameras: CameraRig | None = None
        self.clouds: CloudInput | None = None
        self.tf: TfInput | None = None
        self._inputs: list = []
        self._frames: FrameQueue | None = None
        self._timer: Timer | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.tracks_publisher = self.create_publisher(TrackArray, '~/output/tracks', OUTPUT)
        self.markers_publisher = self.create_publisher(MarkerArray, '~/output/markers', OUTPUT)
        self.latency_publisher = self.create_publisher(Latency, '~/debug/latency', OUTPUT)
        self.latency = LatencyOutput(self.node_context, self.latency_publisher)
        self._predicted = self.create_publisher(TrackArray, '~/output/predicted_tracks', OUTPUT)
        self._debug_image = DebugImage(self)
        self.output_frame = OutputFrame(self.node_context, lambda: self.tf)
        self._standard = StandardOutputs(self, self.output_frame)
        self._occupancy: OccupancyOutput | None = None

    @property
    def settings(self) -> CommonSettings:
        """The present snapshot of the parameters."""
        return self.parameters.current

    def hardware_id(self) -> str:
        """Return what the diagnostics name as hardware."""
        return self.get_name()

    def load(self, package: ModelPackage) -> float:
        """Prepare trackers of a model; return the gap in seconds from which on they start anew; may raise UserError."""
        raise NotImplementedError

    def subscribe(self) -> list:
        """Create the subscriptions of the sub-class and return them."""
        return []

    def process(self, job: FrameJob, views: Views) -> TrackArray:
        """Handle one frame and return the published tracks; runs in the worker thread; may raise WireError."""
        raise NotImplementedError

    def find_voxels(self) -> VoxelAnswer:
        """Return the voxels of the frame that ``process`` handled last; runs after it; may raise WireError."""
        raise NotImplementedError

    @property
    def stated_base_frame(self) -> str:
        """Return the frame that calibrations must lead to, empty for any."""
        raise NotImplementedError

    def needs_tf(self) -> bool:
        """Tell whether anything is looked up on /tf."""
        settings = self.settings
        return (settings.camera__source == 'camera_info' or settings.lidar__enabled or self.output_frame.needs_tf())

    def on_time_jump(self, stamp: int) -> None:
        """Go on at a stamp after time was set back; runs in the worker thread."""

    def missing_inputs(self) -> list[str]:
        """Return what the node still waits for, in words."""
        return []

    def watched_inputs(self) -> list[WatchedInput]:
        """Return the inputs whose silence is to be explained."""
        return [*self.cameras.watched(), *([self.clouds.watched()] if self.clouds is not None else [])]

    def autostart(self) -> bool:
        """Configure and activate, if the parameter says so; return False if that failed."""
        if not self.settings.autostart:
            return True
        return (self.trigger_configure() == TransitionCallbackReturn.SUCCESS
                and self.trigger_activate() == TransitionCallbackReturn.SUCCESS)

    @explained
    def on_configure(self, state: State) -> TransitionCallbackReturn:
        """Load the model, check and warm it up."""
        import torch
        started = time.monotonic()
        torch.set_num_threads(self.settings.threads)
        self.get_logger().info(f"loading model '{self.settings.weights}' on {self.settings.device} ...")
        package = self._package or open_model(self.settings.weights)
        self._check_settings()
        self.cameras = CameraRig(self.node_context, camera_names(self.settings.cameras, package.config.max_cameras),
                                 self.stated_base_frame)
        self.clouds = CloudInput(self.node_context, self.side) if self.settings.lidar__enabled else None
        self._least_size = least_size(package.config)
        self._gaps = GapWatch(self.load(package))
        if self.settings.occupancy__enabled and self._occupancy is None:
            self._occupancy = OccupancyOutput(self, self.node_context)
        self.get_logger().info(f"model '{package.name}' ready after {time.monotonic() - started:.1f} s")
        return super().on_configure(state)

    def _check_settings(self) -> None:
        """Refuse settings that need others, by name."""
        settings = self.settings
        check_camera_topics(settings.cameras__topics)
        if settings.camera__enabled:
            check_image_transport(settings.image__transport)
        elif not settings.lidar__enabled or settings.occupancy__enabled:
            raise UserError("parameter 'camera.enabled' is false: expected lidar.enabled to be true then, and "
                            'occupancy.enabled to be false, since voxels are found in images')
        if settings.camera__source != 'camera_info':
            return
        if settings.image__rectified is None and settings.camera__enabled:
            raise UserError("parameter 'image.rectified' must be stated with camera.source camera_info: true if the "
                            'images are without distortion (P of CameraInfo is used), false if not (K and D)')
        for name, value in (('lidar_frame', settings.lidar_frame), ('base_frame', self.stated_base_frame)):
            if not value:
                raise UserError(f"parameter '{name}' must be given with camera.source camera_info")

    @explained
    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        settings = self.settings
        self._guard = TimeGuard()
        self._frames = FrameQueue(
            self.node_context, Decoding(self._least_size, self.cameras.sizes), self._work)
        self.tf = TfInput(self, self.node_context) if self.needs_tf() else None
        self._inputs = [*self.subscribe(), *self.cameras.subscribe(
            self._put_images, input_qos(settings.image__qos), self.tf)]
        if self.clouds is not None:
            self._inputs += self.clouds.subscribe(self._frames.put_cloud, self.tf)
        self._silence = SilenceWatch(self, self.watched_inputs())
        self._timer = self.node_context.start_timer(settings.diagnostics__period, self._report)
        return super().on_activate(state)

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        """Stop listening and working."""
        self.stop()
        return super().on_deactivate(state)

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        """Stop listening and working."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: State) -> TransitionCallbackReturn:
        """Undo what a transition had begun; the node can be configured again."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """End the worker and the subscriptions; harmless when there are none."""
        if self.cameras is not None:
            self.cameras.close()
        if self._frames is not None:
            self._frames.stop()
            self._frames = None
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self.tf is not None:
            self.tf.close()
            self.tf = None

    def _put_images(self, messages: tuple[CompressedImage | Image, ...]) -> None:
        if self.clouds is not None:
            self.clouds.on_images(stamp_ns(messages[0].header.stamp))
        self._frames.put(messages)

    def cloud_of(self, job: FrameJob, views: Views, *moved: Callable[[int], np.ndarray]) -> np.ndarray | None:
        """Return the point cloud of a frame, if there is one, see ``CloudInput.cloud_of``."""
        return None if self.clouds is None else self.clouds.cloud_of(job, views.lidar_frame, *moved)

    def _work(self, job: FrameJob) -> None:
        # What changes from now on counts for the next frame.
        settings, job.taken = self.settings, time.monotonic()
        job.marks.append(('wait', job.arrived, job.taken - job.arrived))
        try:
            self._check_order(image_time_ns(job.messages[0]) if job.messages else job.stamp_ns)
            views = self.cameras.views(job)
            tracks = self.process(job, views)
        except WireError as error:
            self.node_context.refuse(job.source, error)
            return
        self._gaps.add(job.stamp_ns)
        self._publish_extras(job, views, tracks, settings)
        if self._occupancy is not None and job.messages:
            self._occupancy.run(job, self.find_voxels, self._frames.waits and not settings.lockstep)

    def _publish_extras(self, job: FrameJob, views: Views, tracks: TrackArray, settings: CommonSettings) -> None:
        """Publish what is made of the published tracks, if it is wanted."""
        self._standard.publish(tracks)
        if settings.prediction__enabled and self._predicted.get_subscription_count():
            try:
                self._predicted.publish(predict_tracks(tracks, self.get_clock().now().nanoseconds))
            except WireError as error:
                self.node_context.refuse('prediction', error)
        if settings.debug__image and job.messages:
            self._debug_image.publish(job.messages[0], views.anchor, tracks)

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the frame before')
        if order is StampOrder.JUMP:
            self.health.count('time_jumps')
            self.get_logger().info('time was set back (does a bag start again?): tracks start anew')
            if self.tf is not None:
                self.tf.restart(stamp)
            self.on_time_jump(stamp)

    def _twin(self) -> str:
        """Return in words that another node has the same name, empty if none has."""
        name = self.get_fully_qualified_name()
        count = full_names(self).count(name)
        return f'{count} nodes are called {name}: {TWIN_ADVICE}' if count > 1 else ''

    def _report(self) -> None:
        waiting = self.cameras.waiting() + self.missing_inputs()
        waiting += self.clouds.waiting() if self.clouds is not None else []
        problem = '; '.join(filter(None, (self._gaps.problem(), self.cameras.problem(), self._twin())))
        if problem:
            self.get_logger().warning(problem, throttle_duration_sec=30.0)
        self._diagnostics.publish(self.health.report(
            self.get_clock().now().to_msg(), waiting, self._silence.check(), problem))


def run_nodes(*create: partial[AgentNode], args: list[str], dump: Path | None = None) -> int:
    """
    Create nodes, start them, spin until asked to stop; return the exit status.

    One executor serves all: callbacks only store, each node works in a thread of its own.

    :param args: arguments that hold for all nodes, without the program's name.
    :param dump: where to write the parameters of the only node, which is not started then.
    """
    nodes: list[AgentNode] = []
    try:
        init_ros(args)
        for new in create:
            nodes.append(_created(new))
            warn_of_unused(nodes[-1], new.keywords.get('cli_args', args))
            if dump is not None:
                write_atomically(dump, effective_config(nodes[-1], args))
                return 0
            report_middleware(nodes[-1])
        executor = executor_of(node.get_parameter('executor').value for node in nodes)
        if not all(node.autostart() for node in nodes):
            return int(rclpy.ok())
        spin(executor, nodes)
    except UserError as error:
        print(f'error: {readable_lines(str(error))}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        # Asked to end, ROS is gone under whatever runs.
        if rclpy.ok():
            raise
    finally:
        for node in nodes:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def run_program(node: type[AgentNode], arguments: list[str] | None = None) -> int:
    """Run a node; return the exit status; :param arguments: None for those of the command line."""
    words, file = split_option(sys.argv[1:] if arguments is None else arguments, DUMP)
    args, given = split_given(words)
    if file is not None:
        check_file(Path(file))
    return run_nodes(partial(node, parameter_overrides=given), args=args, dump=file and Path(file))


def _created(new: partial[AgentNode]) -> AgentNode:
    """Return a node, or a UserError that tells what ROS has against its arguments."""
    try:
        return new()
    except (RuntimeError, NameValidationException) as error:
        if not rclpy.ok():
            raise
        raise UserError(in_words(error)) from error
