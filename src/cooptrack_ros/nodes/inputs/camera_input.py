"""One camera of an agent: what is known about its place and projection."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo

from cooptrack_msgs.msg import Calibration

from ...common.errors import WireError
from ...sensors.image_decoding import DecodedImage
from ...wire.arrays import stamp_ns
from ...wire.cameras import (
    CalibrationHistory,
    CameraModel,
    LidarPlace,
    Pinhole,
    check_agreement,
    check_camera_info,
    check_frame,
    decode_calibration,
    decode_camera_info,
)
from ...wire.images import AnyImage
from ...wire.topics import IMAGE_TRANSPORTS, VIDEO_TRANSPORTS, kind_of
from ...wire.views import check_size
from ..context import NodeContext
from ..health.silence_watch import WatchedInput
from ..qos import LATCHED, input_qos, video_qos
from ..settings import CommonSettings
from .tf_input import TRANSFORM_PATIENCE_S, TfInput
from .video_input import VideoInput


def settings_take_video(settings: CommonSettings) -> bool:
    """Tell whether images come, and as video."""
    return settings.camera__enabled and settings.image__transport in VIDEO_TRANSPORTS


class CameraInput:
    """Keeps calibration or CameraInfo of one camera; its topics stand below ``~/input`` or ``cameras.topics``."""

    def __init__(self, context: NodeContext, base_frame: str, name: str = '', model: CameraModel | None = None):
        """
        Start; a camera that is the only one needs no name.

        :param base_frame: that calibrations must lead to, empty for any.
        :param model: the camera of a file, with which nothing but its images is listened to.
        """
        self._context, self._expected_base, self.name, self._is_fixed = context, base_frame, name, model is not None
        self._tf: TfInput | None = None
        self._prefix = context.settings.cameras__topics.replace('{name}', name) if name else '~/input'
        self._suffix = f'.{name}' if name else ''
        self.source = f'image{self._suffix}'
        """Name under which its images are counted."""
        self._uses_info = context.settings.camera__source == 'camera_info'
        self._calibration = model
        self._calibrations = CalibrationHistory()
        self._pinhole: Pinhole | None = None
        self._accepted = b''
        self._video: VideoInput | None = None

    def subscribe(self, on_image, qos, tf: TfInput | None, video_thread: ThreadPoolExecutor | None = None) -> list:
        """
        Listen to the images and to what describes them, of these two only to the latter where images are not wanted.

        :param tf: needed where CameraInfo is the source; :param video_thread: decodes video, if images come so.
        """
        self._tf, subscribe, subscriptions = tf, self._context.subscribe, []
        if self._is_described:
            subscriptions.append(subscribe(CameraInfo, f'{self._prefix}/camera_info', self._on_camera_info, qos,
                                           f'camera_info{self._suffix}'))
            if not self._uses_info:
                subscriptions.append(subscribe(Calibration, f'{self._prefix}/calibration', self._on_calibration,
                                               LATCHED, f'calibration{self._suffix}'))
        if not self._has_images:
            return subscriptions
        # Last, because of what has come at once the executor takes that of the first subscription first.
        kind, topic = self._images
        if video_thread is not None:
            self._video = VideoInput(self._context, self.source, topic, on_image, lambda: self.size)
            on_image, qos = partial(self._video.put, thread=video_thread), video_qos(qos)
        return [*subscriptions, subscribe(kind, topic, on_image, qos, self.source)]

    def problem(self) -> str:
        """Return what is wrong with its video, in words, empty if nothing is."""
        return self._video.problem() if self._video is not None else ''

    def watched(self) -> list[WatchedInput]:
        """Return the topics whose silence is to be explained."""
        qos, watched = input_qos(self._context.settings.image__qos), []
        if self._has_images:
            kind, topic = self._images
            watched.append(WatchedInput(self.source, 'images', topic, kind, qos,
                                        lambda: self._context.health.events(self.source), 'image.qos'))
        if not self._is_described:
            return watched
        described = ((CameraInfo, qos, 'image.qos') if self._uses_info else (Calibration, LATCHED, ''))
        return [*watched, WatchedInput(
            f'calibration{self._suffix}', 'calibration', self._description, described[0], described[1],
            lambda: int(self.is_calibrated), described[2], once=True, refusal=self._refusal)]

    @property
    def _images(self) -> tuple[type, str]:
        """Return type and topic of the images."""
        kind, suffix = IMAGE_TRANSPORTS[self._context.settings.image__transport]
        return kind_of(kind), f'{self._prefix}/image{suffix}'

    @property
    def _description(self) -> str:
        """Return the topic of what describes the camera."""
        return f"{self._prefix}/{'camera_info' if self._uses_info else 'calibration'}"

    def _refusal(self) -> str:
        """Return in words that descriptions of the camera come and are refused, empty if none came."""
        kind = 'camera_info' if self._uses_info else 'calibration'
        count, why = self._context.health.refused(f'{kind}{self._suffix}')
        topic = self._context.topic(self._description)
        return f'{count} {self._kind} came on {topic}, all refused: {why}' if count else ''

    @property
    def _kind(self) -> str:
        """Return the type of what describes the camera."""
        return 'CameraInfo' if self._uses_info else 'Calibration'

    @property
    def _described(self) -> CameraModel | Pinhole | None:
        return self._pinhole if self._uses_info else self._calibration

    @property
    def _has_images(self) -> bool:
        return self._context.settings.camera__enabled

    @property
    def _is_described(self) -> bool:
        """Whether messages tell of the camera; of one without images /tf tells enough."""
        return not self._is_fixed and (self._has_images or not self._uses_info)

    @property
    def is_calibrated(self) -> bool:
        """Tell whether calibration or CameraInfo has come, if it is needed."""
        return self._described is not None or (self._uses_info and not self._has_images)

    @property
    def size(self) -> tuple[int, int] | None:
        """Return (width, height) of the images, None if it is not known yet."""
        camera = self._described
        return None if camera is None else (camera.width, camera.height)

    @property
    def base_frame(self) -> str:
        """Return the base frame that the Calibration names, empty without one."""
        return self._calibration.base_frame if self._calibration is not None else ''

    def waiting(self) -> list[str]:
        """Return what was never received, in words."""
        received = self._context.health.counts[f'{self.source}.received']
        missing = [] if received or not self._has_images else [f'images on {self._context.topic(self._images[1])}']
        if not self.is_calibrated:
            refusal = self._refusal()
            missing.append(f'a usable calibration: {refusal}' if refusal
                           else f'calibration on {self._context.topic(self._description)}')
        return missing

    def _on_calibration(self, msg: Calibration) -> None:
        calibration, expected = decode_calibration(msg, self._context.settings.image__rectified), self._expected_base
        if expected and calibration.base_frame and calibration.base_frame != expected:
            raise WireError('wrong_frame', f"base_frame is '{calibration.base_frame}', expected '{expected}'")
        with self._context.arrived:
            self._calibrations.add(stamp_ns(msg.header.stamp), calibration)
            self._calibration = calibration
            self._context.arrived.notify_all()

    def _on_camera_info(self, msg: CameraInfo) -> None:
        if self._uses_info:
            self._take_camera_info(msg)
            return
        check_camera_info(msg)
        if self._calibration is not None:
            check_agreement(msg, self._calibration)

    def _take_camera_info(self, msg: CameraInfo) -> None:
        msg.header.stamp = Time()
        content = serialize_message(msg)
        # It comes with every image and hardly ever changes.
        if content == self._accepted:
            return
        pinhole = decode_camera_info(msg, self._context.settings.image__rectified)
        with self._context.arrived:
            self._pinhole, self._accepted = pinhole, content
            self._context.arrived.notify_all()

    def model_for(self, message: AnyImage, image: DecodedImage) -> CameraModel:
        """
        Return the camera at the stamp of an image; runs in the worker thread and may wait for transforms.

        :param image: that of the message, decoded.
        :raises WireError: if the camera is not calibrated, or as another one than that of the image.
        """
        stamp = stamp_ns(message.header.stamp)
        patience = TRANSFORM_PATIENCE_S if self._uses_info and self.is_calibrated else 0.0
        model = self._context.wait_for(lambda: self._model_at(stamp), patience)
        if model is None:
            raise self._missing()
        check_size(image, model)
        check_frame('the image', message.header.frame_id, model.camera_frame)
        return model

    def place_for(self, stamp: int) -> CameraModel | LidarPlace:
        """
        Return where the lidar frame stands at a stamp; runs in the worker thread and may wait for transforms.

        :raises WireError: if nothing tells it.
        """
        patience = TRANSFORM_PATIENCE_S if self._uses_info else 0.0
        place = self._context.wait_for(lambda: self._place_at(stamp), patience, patience)
        if place is None:
            raise self._missing()
        return place

    def _place_at(self, stamp: int) -> CameraModel | LidarPlace | None:
        if not self._uses_info:
            return self._calibrations.at(stamp) or self._calibration
        lidar, base = self._context.settings.lidar_frame, self._expected_base
        found = self._tf.lookup(base, lidar, stamp)
        return None if found is None else LidarPlace(found, lidar, base)

    def _model_at(self, stamp: int) -> CameraModel | None:
        if not self._uses_info or self._pinhole is None:
            return self._calibrations.at(stamp) or self._calibration
        lidar, base = self._context.settings.lidar_frame, self._expected_base
        transforms = [self._tf.lookup(frame, lidar, stamp) for frame in (self._pinhole.camera_frame, base)]
        if any(t is None for t in transforms):
            return None
        return self._pinhole.mounted(*transforms, lidar, base)

    def _missing(self) -> WireError:
        if self.is_calibrated:
            frames = ' or '.join(f"'{frame}'" for frame in filter(None, (
                self._pinhole and self._pinhole.camera_frame, self._expected_base)))
            return self._tf.missing(frames, self._context.settings.lidar_frame)
        return WireError('missing_calibration', self._refusal() or f'no {self._kind} was received on '
                         + self._context.topic(self._description))
