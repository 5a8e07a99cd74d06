"""Decoded pictures of one frame with their cameras, and the frames that trackers get of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.geometry import make_pose, nearest_rotation
from ..core.types import Frame
from .cameras import CameraModel
from .errors import WireError


@dataclass(frozen=True)
class Views:
    """
    The pictures of one frame without distortion, the anchor's first, with the geometry of the cameras.

    ``images`` are V uint8 BGR (H, W, 3), ``img_from_lidar`` is (V, 4, 4), ``base_from_lidar`` (4, 4) and
    ``base_covariance`` (6, 6) as in ``CameraModel``.
    """

    images: tuple[np.ndarray, ...]
    img_from_lidar: np.ndarray
    base_from_lidar: np.ndarray
    lidar_frame: str
    base_covariance: np.ndarray

    def ego_frame(self, stamp_ns: int, map_from_base: np.ndarray) -> Frame:
        """Return what the tracker of a vehicle gets; :param map_from_base: its pose, 4x4."""
        return Frame('', stamp_ns, self.images, self.img_from_lidar, self.base_from_lidar, map_from_base)

    def roadside_frame(self, stamp_ns: int) -> Frame:
        """Return what the tracker of a roadside unit gets, whose base is the map."""
        # The network wants a proper pose; the exact matrix travels in the message.
        rigid = make_pose(nearest_rotation(self.base_from_lidar[:3, :3]), self.base_from_lidar[:3, 3])
        return Frame('', stamp_ns, self.images, self.img_from_lidar, np.eye(4), rigid)


def check_size(image: np.ndarray, camera: CameraModel) -> None:
    """Raise a WireError if a picture (H, W, 3) has another size than its camera."""
    if image.shape[:2] != (camera.height, camera.width):
        raise WireError('wrong_size', f'picture of {image.shape[1]}x{image.shape[0]}, the calibration is for '
                        f'{camera.width}x{camera.height}')


def views_of(images: Sequence[np.ndarray], cameras: Sequence[CameraModel]) -> Views:
    """Return pictures (H, W, 3) BGR of the sizes of their cameras, freed of distortion."""
    anchor = cameras[0]
    return Views(
        tuple(image if camera.lens is None else camera.lens.undistort(image)
              for image, camera in zip(images, cameras, strict=True)),
        np.stack([camera.img_from_lidar for camera in cameras]), anchor.base_from_lidar, anchor.lidar_frame,
        anchor.base_covariance)
