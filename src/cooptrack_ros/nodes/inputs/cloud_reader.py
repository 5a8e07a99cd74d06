"""Point clouds of an agent as its network takes them: the one of each frame, in the frame and at the time of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import PointCloud2

from ...common.errors import WireError
from ...common.geometry import transform_points
from ...common.timeline import StampOrder
from ...common.types import Side
from ...sensors.cloud_buffer import CloudBuffer
from ...sensors.point_clouds import INTENSITY_SCALE
from ...wire.arrays import is_time, stamp_ns
from ...wire.point_clouds import check_bytes, decode_point_cloud
from ..settings import CommonSettings

_MOST_POINTS = 1_000_000
"""Ten times as many as the largest sensors measure in a turn."""


@dataclass(frozen=True)
class CloudPlace:
    """
    Where the clouds of a frame are wanted: in ``lidar_frame``, as it stood at ``stamp_ns``.

    ``transform`` returns lidar_frame from another frame (4, 4) at a stamp; ``moved`` returns the lidar at the frame
    from the lidar at a stamp (4, 4). Both may raise a WireError.
    """

    stamp_ns: int
    lidar_frame: str
    transform: Callable[[str, int], np.ndarray]
    moved: Callable[[int], np.ndarray]


class CloudReader:
    """Keeps the newest clouds as they came; only the one of a frame is decoded."""

    def __init__(self, settings: CommonSettings, side: Side):
        """Start without clouds; :param side: whose sensor it is, which tells the scale of intensities."""
        self._max_age_s = settings.lidar__max_age
        self._scale = settings.lidar__intensity_scale or INTENSITY_SCALE[
            Side.ROADSIDE if side is Side.ROADSIDE else Side.VEHICLE]
        self._buffer: CloudBuffer[PointCloud2] = CloudBuffer(self._max_age_s)

    def add(self, message: PointCloud2) -> int:
        """
        Take in a cloud and return its stamp.

        :raises WireError: without a stamp, for one that was there, and for a cloud of too many bytes.
        """
        stamp = message.header.stamp
        if not is_time(stamp) or not stamp_ns(stamp):
            raise WireError('no_stamp', f'the cloud has no time: its stamp is {stamp.sec} s, {stamp.nanosec} ns')
        check_bytes(message)
        if self._buffer.add(stamp_ns(stamp), message) is StampOrder.DUPLICATE:
            raise WireError('duplicate', 'its stamp is that of the cloud before')
        return stamp_ns(stamp)

    def has(self, at_ns: int) -> bool:
        """Tell whether there is a cloud for a frame."""
        return self._buffer.nearest(at_ns) is not None

    def nearest(self, at_ns: int) -> tuple[int, PointCloud2]:
        """
        Return stamp and cloud for a frame.

        :raises WireError: if there is none near enough in time.
        """
        found = self._buffer.nearest(at_ns)
        if found is None:
            raise WireError('missing_cloud', f'no point cloud within {1e3 * self._max_age_s:g} ms of the frame: '
                            f'{self._buffer.describe(at_ns)}')
        return found

    def points(self, message: PointCloud2, place: CloudPlace) -> np.ndarray:
        """
        Return the points of a cloud for a frame (N, 4), see ``sensors.point_clouds.xyz_intensity``.

        :raises WireError: if it cannot be used.
        """
        count, at_ns, frame = message.height * message.width, stamp_ns(message.header.stamp), message.header.frame_id
        if count > _MOST_POINTS:
            raise WireError('too_large', f'a cloud of {count} points, expected at most {_MOST_POINTS}')
        points = decode_point_cloud(message, self._scale)
        if not len(points):
            raise WireError('empty_cloud', f'none of the {count} points of the cloud has finite coordinates')
        placed = np.eye(4) if at_ns == place.stamp_ns else place.moved(at_ns)
        if frame and frame != place.lidar_frame:
            placed = placed @ place.transform(frame, at_ns)
        if np.array_equal(placed, np.eye(4)):
            return points
        xyz = transform_points(placed, points[:, :3].astype(np.float64))
        return np.column_stack([xyz, points[:, 3]]).astype(np.float32)
