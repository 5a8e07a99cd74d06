"""All cameras of an agent: images that belong together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

from message_filters import ApproximateTimeSynchronizer, SimpleFilter
from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

from ...common.errors import UserError, WireError
from ...sensors.camera_sync import JUMP_S, AnchorFrames
from ...sensors.video_decoding import check_video_decoder
from ...wire.arrays import stamp_ns
from ...wire.images import AnyImage, image_time_ns
from ...wire.topics import IMAGE_TRANSPORTS, VIDEO_TRANSPORTS, check_name
from ...wire.views import Views, views_of, views_without_images
from ..context import FrameJob, NodeContext
from ..health.silence_watch import WatchedInput
from .camera_files import read_cameras
from .camera_input import CameraInput, settings_take_video
from .tf_input import TfInput

_QUEUE = 10
"""Images per camera that wait for others."""


def camera_names(text: str, limit: int) -> list[str]:
    """
    Return the names of the parameter ``cameras``; one empty name for a single camera.

    :param limit: cameras that the model can take.
    :raises UserError: for a name that cannot be part of a topic, one that is there twice, or too many of them.
    """
    names = [name.strip() for name in text.split(',')] if text.strip() else ['']
    for name in names if text.strip() else ():
        check_name("parameter 'cameras'", name)
    if len(set(names)) < len(names):
        raise UserError(f"parameter 'cameras': a name is there twice in '{text}'")
    if len(names) > limit:
        raise UserError(f"parameter 'cameras' names {len(names)} cameras, the model takes at most {limit} "
                        '(max_cameras of its configuration)')
    return names


def check_camera_topics(pattern: str) -> None:
    """
    Check the parameter ``cameras.topics``.

    :raises UserError: if topics made of it are none, or the same for every camera.
    """
    try:
        validate_topic_name(pattern.replace('{name}', 'name'))
    except InvalidTopicNameException as error:
        raise UserError(f"parameter 'cameras.topics': {error}") from error
    if '{name}' not in pattern:
        raise UserError(f"parameter 'cameras.topics' is '{pattern}', expected {{name}} in it for the names of cameras")


def check_image_transport(transport: str) -> None:
    """
    Check that messages of the parameter ``image.transport`` can be read here.

    :raises UserError: if their type or the decoder of video is not installed.
    """
    if transport not in VIDEO_TRANSPORTS:
        return
    needed = f"parameter 'image.transport' is '{transport}', which"
    package = IMAGE_TRANSPORTS[transport].kind.partition('/')[0]
    if find_spec(package) is None:
        raise UserError(f'{needed} needs {package}, which is not installed: apt install '
                        f'ros-$ROS_DISTRO-{package.replace("_", "-")}')
    check_video_decoder(needed)


class CameraRig:
    """
    Hands on complete frames: single images, or one of every camera within the tolerance of the anchor's.

    The anchor is the camera that is named first; its stamp is that of the frame.
    """

    def __init__(self, context: NodeContext, names: list[str], base_frame: str):
        """
        Start without images.

        :param base_frame: that calibrations must lead to, empty for any.
        :raises UserError: if cameras come from files and one cannot be used.
        """
        self._context, settings = context, context.settings
        models = read_cameras(context, names, base_frame) if settings.camera__source == 'file' else [None] * len(names)
        self._cameras = [CameraInput(context, base_frame, name, model)
                         for name, model in zip(names, models, strict=True)]
        tolerance_s = settings.cameras__tolerance_ms / 1e3
        self._anchors = AnchorFrames(tolerance_s)
        self._filters = [SimpleFilter() for _ in names]
        self._synchronizer = ApproximateTimeSynchronizer(self._filters, _QUEUE, tolerance_s)
        self._synchronizer.registerCallback(self._on_set)
        self._video_thread: ThreadPoolExecutor | None = None
        """One for all cameras: their images are put together without a lock."""

    def __len__(self) -> int:
        """Return the number of cameras."""
        return len(self._cameras)

    @property
    def is_calibrated(self) -> bool:
        """Tell whether every camera has a calibration."""
        return all(camera.is_calibrated for camera in self._cameras)

    def sizes(self) -> list[tuple[int, int] | None]:
        """Return (width, height) of every camera, None where it is not known yet."""
        return [camera.size for camera in self._cameras]

    @property
    def base_frame(self) -> str:
        """Return the base frame that the anchor's Calibration names, empty without one."""
        return self._cameras[0].base_frame

    def waiting(self) -> list[str]:
        """Return what was never received, in words."""
        return [text for camera in self._cameras for text in camera.waiting()]

    def watched(self) -> list[WatchedInput]:
        """Return the topics whose silence is to be explained."""
        return [watched for camera in self._cameras for watched in camera.watched()]

    def subscribe(self, put: Callable[[tuple], None], qos, tf: TfInput | None) -> list:
        """
        Listen to all cameras.

        :param put: takes the image messages of a frame; :param tf: see ``CameraInput.subscribe``.
        """
        self._put = put
        if settings_take_video(self._context.settings):
            self._video_thread = ThreadPoolExecutor(1, 'video')
        callback = self._on_one if len(self) == 1 else self._on_image
        return [subscription for i, camera in enumerate(self._cameras)
                for subscription in camera.subscribe(partial(callback, i), qos, tf, self._video_thread)]

    def close(self) -> None:
        """Decode no more video."""
        if self._video_thread is not None:
            self._video_thread.shutdown(cancel_futures=True)
            self._video_thread = None

    def problem(self) -> str:
        """Return what is wrong with streams of video, in words, empty if nothing is."""
        return '; '.join(filter(None, (camera.problem() for camera in self._cameras)))

    def _on_one(self, index: int, msg: AnyImage) -> None:
        self._context.health.count(f'{self._cameras[index].source}.received')
        self._put((msg,))

    def _on_image(self, index: int, msg: AnyImage) -> None:
        camera = self._cameras[index]
        self._context.health.count(f'{camera.source}.received')
        stamp = image_time_ns(msg)
        # After time was set back, images from before would crowd out the new ones.
        queue = self._synchronizer.queues[index]
        for old in [s for s in queue if s > stamp + JUMP_S * 1e9]:
            del queue[old]
        if index == 0:
            for _ in range(self._anchors.add(stamp)):
                self._context.refuse('image', WireError(
                    'missing_camera', f"an image of '{camera.name}' stayed without those of all other cameras within "
                    f'{self._context.settings.cameras__tolerance_ms:g} ms'))
        self._filters[index].signalMessage(msg)

    def _on_set(self, *messages: AnyImage) -> None:
        if self._anchors.complete(stamp_ns(messages[0].header.stamp)):
            self._put(messages)

    def views(self, job: FrameJob) -> Views:
        """
        Return the decoded images of a frame, if it has some; runs in the worker thread and waits for them.

        :raises WireError: if an image cannot be read or does not fit its calibration, or a calibration is missing.
        """
        if not job.messages:
            return views_without_images(self._cameras[0].place_for(job.stamp_ns))
        decoded = job.decoding.result()
        job.marks.append(('decode', decoded.started, decoded.seconds))
        models = [camera.model_for(message, image)
                  for camera, message, image in zip(self._cameras, job.messages, decoded.images, strict=True)]
        for camera, model in zip(self._cameras, models, strict=True):
            if model.lidar_frame != models[0].lidar_frame:
                raise WireError('wrong_frame', f"camera '{camera.name}' is calibrated to '{model.lidar_frame}', the "
                                f"anchor to '{models[0].lidar_frame}'")
        return views_of(decoded.images, models)
