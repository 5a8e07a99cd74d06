"""Decoded images of one frame with their cameras, and the frames that trackers get of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import Image

from ..common.errors import WireError
from ..common.geometry import make_pose, nearest_rotation
from ..common.types import Frame
from ..sensors.image_decoding import DecodedImage
from ..sensors.stated_size import MAX_PIXELS, stated_size
from .cameras import CameraModel, LidarPlace
from .images import AnyImage
from .video import VideoImage


@dataclass(frozen=True)
class Views:
    """
    The images of one frame without distortion, the anchor's first, with the geometry of the cameras.

    ``images`` are V uint8 BGR (H, W, 3), reduced where decoding did so; ``img_from_lidar`` (V, 4, 4) projects to their
    pixels. There may be none where a point cloud makes the frame.
    """

    images: tuple[np.ndarray, ...]
    img_from_lidar: np.ndarray
    anchor: CameraModel | LidarPlace

    @property
    def base_from_lidar(self) -> np.ndarray:
        """Where the lidar stands, see ``CameraModel``."""
        return self.anchor.base_from_lidar

    @property
    def base_covariance(self) -> np.ndarray:
        """How well that is known, see ``CameraModel``."""
        return self.anchor.base_covariance

    @property
    def lidar_frame(self) -> str:
        """Name of the frame that tracks are in."""
        return self.anchor.lidar_frame

    def ego_frame(self, stamp_ns: int, map_from_base: np.ndarray) -> Frame:
        """Return what the tracker of a vehicle gets, but the cloud; :param map_from_base: its pose, 4x4."""
        return Frame('', stamp_ns, self.images, self.img_from_lidar, self.base_from_lidar, map_from_base)

    def roadside_frame(self, stamp_ns: int) -> Frame:
        """Return what the tracker of a roadside unit gets, but the cloud; its base is the map."""
        # The network wants a proper pose; the exact matrix travels in the message.
        rigid = make_pose(nearest_rotation(self.base_from_lidar[:3, :3]), self.base_from_lidar[:3, 3])
        return Frame('', stamp_ns, self.images, self.img_from_lidar, np.eye(4), rigid)


def views_without_images(place: CameraModel | LidarPlace) -> Views:
    """Return those of a frame that a point cloud makes."""
    return Views((), np.zeros((0, 4, 4)), place)


def check_size(image: DecodedImage, camera: CameraModel) -> None:
    """Raise a WireError if an image has another size than its camera."""
    rows, columns = image.size
    if (rows, columns) != (camera.height, camera.width):
        raise WireError('wrong_size', f'image of {columns}x{rows}, the calibration is for '
                        f'{camera.width}x{camera.height}')


def check_stated_size(message: AnyImage, size: tuple[int, int] | None) -> None:
    """
    Raise a WireError for an image that need not be decoded: a few hundred bytes can claim gigabytes.

    :param size: (width, height) that its camera has; None: not known yet.
    """
    if isinstance(message, VideoImage):
        # Looked at before it was decoded.
        return
    stated = ((message.width, message.height) if isinstance(message, Image)
              else stated_size(bytes(message.data)))
    if stated is None:
        # Other formats are decoded first.
        return
    columns, rows = stated
    if size is None and columns * rows > MAX_PIXELS:
        raise WireError('wrong_size', f'image of {columns}x{rows}, expected at most {MAX_PIXELS // 10**6} million '
                        'pixels before its calibration is known')
    if size is not None and stated != size:
        raise WireError('wrong_size', f'image of {columns}x{rows}, the calibration is for {size[0]}x{size[1]}')


def views_of(images: Sequence[DecodedImage], cameras: Sequence[CameraModel]) -> Views:
    """Return images of the sizes of their cameras, freed of distortion."""
    pairs = list(zip(images, cameras, strict=True))
    return Views(tuple(camera.rectified(image.pixels) for image, camera in pairs),
                 np.stack([image.projection(camera.img_from_lidar) for image, camera in pairs]), cameras[0])
