"""What every data set gives, whatever its format: records of several sensors, and the protocol to ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..common.types import Boxes, Frame, Sensors
from ..sensors.image_decoding import read_image
from .camera_history import CameraHistory

SIDES = ('vehicle-side', 'infrastructure-side', 'cooperative')
SINGLE_UNIT = 'rsu_1'
"""Name of the unit of a data set that has only one and does not name it."""
NOBODY = 'none'
"""``from_side`` of an object that neither the vehicle nor a unit that takes part sees."""


@dataclass(frozen=True)
class CameraFrame:
    """
    One image of one camera with its calibration; matrices are float64, the time is microseconds.

    ``intrinsic`` (3, 3) and ``cam_from_lidar`` (4, 4) are as stored; the latter need not be a rotation. Images are
    used as they are, whatever ``distortion`` says. ``size`` is width and height in pixels of the images that the
    calibration is for, None where the data does not tell: then it is for this image. ``history`` is that of the
    camera.
    """

    name: str
    image_path: Path
    stamp_us: int
    intrinsic: np.ndarray
    cam_from_lidar: np.ndarray
    distortion: np.ndarray
    size: tuple[int, int] | None = None
    history: CameraHistory = field(default_factory=CameraHistory, compare=False)

    @property
    def img_from_lidar(self) -> np.ndarray:
        """Projection of lidar points to pixels of an image of ``size``, 4x4."""
        projection = np.eye(4)
        projection[:3] = self.intrinsic @ self.cam_from_lidar[:3]
        return projection

    def read(self, least: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the image (H, W, 3) uint8 BGR and the projection (4, 4) of lidar points to its pixels.

        :param least: rows and columns that must remain of the image, see ``sensors.image_decoding.decode_reduced``.
        :raises UserError: if there is no such image, or one that cannot be used.
        """
        image = read_image(self.image_path, least)
        self.check(image.size[::-1])
        projection = self.img_from_lidar
        if self.size is not None and self.size != image.size[::-1]:
            rows, columns = image.size
            projection = np.diag([columns / self.size[0], rows / self.size[1], 1.0, 1.0]) @ projection
        return image.pixels, image.projection(projection)

    def check(self, image_size: tuple[int, int]) -> None:
        """
        Check that matrix and image can belong together; what is only unlikely is logged, once for a camera.

        :param image_size: width and height of the image.
        :raises UserError: if they cannot.
        """
        self.history.check(self.image_path, image_size, self.intrinsic, self.size)


class PointCloud(Protocol):
    """A point cloud that is read when it is needed."""

    def read(self) -> np.ndarray:
        """Return (N, 4) float32: x, y, z in metres in the lidar frame, and intensity 0 to 1."""


@dataclass(frozen=True)
class SensorFrame:
    """
    What the sensors of one agent saw at one time, and where it stood; matrices are 4x4 float64, times microseconds.

    ``cameras`` has at least one; ``point_cloud`` is None where the data has none. ``stamp_us`` is the time of the
    record: of the point cloud, if the data knows it. ``global_from_ego`` is orthonormal; on the roadside ego and lidar
    are one. ``stored_global_from_lidar`` is the pose of the lidar as stored, maybe not orthonormal.
    ``intersection`` names the place.
    """

    token: str
    sequence: str
    stamp_us: int
    cameras: tuple[CameraFrame, ...]
    ego_from_lidar: np.ndarray
    global_from_ego: np.ndarray
    stored_global_from_lidar: np.ndarray
    point_cloud: PointCloud | None = None
    intersection: str = ''

    @property
    def image_stamp_us(self) -> int:
        """Time of the image of the first camera."""
        return self.cameras[0].stamp_us

    @property
    def global_from_lidar(self) -> np.ndarray:
        """Pose of the lidar in the world, orthonormal 4x4."""
        return self.global_from_ego @ self.ego_from_lidar

    def frame(self, least: tuple[int, int] | None = None, sensors: Sensors = Sensors.CAMERA) -> Frame:
        """
        Return what a tracker needs for this time step: images of all cameras and the point cloud, which are read here.

        :param least: rows and columns that must remain of an image, see ``sensors.image_decoding.decode_reduced``.
        :param sensors: which of them; there may be no cloud all the same.
        :raises UserError: if an image or a cloud is missing or cannot be read.
        """
        frame = self.frame_without_image()
        if sensors.has_camera:
            images, projections = zip(*(camera.read(least) for camera in self.cameras))
            frame = replace(frame, images=images, img_from_lidar=np.stack(projections))
        has_cloud = sensors.has_lidar and self.point_cloud is not None
        return replace(frame, cloud=self.point_cloud.read()) if has_cloud else frame

    def frame_without_image(self) -> Frame:
        """Return the same without images, for a tracker that knows what they show."""
        return Frame(self.sequence, self.stamp_us * 1000, (), np.zeros((0, 4, 4)), self.ego_from_lidar,
                     self.global_from_ego)


@dataclass(frozen=True, kw_only=True)
class FrameRecord(SensorFrame):
    """
    One frame of a side, or a cooperative pair seen from the vehicle, with N labels in its lidar frame.

    ``side`` is one of ``SIDES``, ``unit`` the roadside unit of a pair or of a roadside frame, else empty.
    ``boxes.label`` indexes ``classes``. ``previous`` and ``next`` are tokens of neighbours in the sequence or empty.
    ``boxes.track_id`` is the number of the stored id, unique within sequence and side; velocity is 0 at a track's last
    label. ``visibility`` (N,) is 4 (visible) to 1 (filled into a hole). ``labelled`` is False if there are no labels.
    ``from_side`` (N,) tells for cooperative labels who sees the object: ``veh``, ``inf``, ``coop`` or ``NOBODY``.
    ``occupancy`` has the file of the labels of voxels (``occupancy.label_file``) by name of the grid.
    For pairs, ``infra`` is the roadside frame and ``ego_from_infra`` maps its lidar points into the vehicle lidar
    frame; the side track ids are -1 where that side has no label.
    """

    side: str
    classes: tuple[str, ...]
    unit: str = ''
    frame_index: int = 0
    previous: str = ''
    next: str = ''
    labelled: bool = False
    boxes: Boxes = field(default_factory=Boxes.empty)
    occupancy: Mapping[str, Path] = field(default_factory=dict)
    visibility: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    type_names: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    object_tokens: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    from_side: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    vehicle_track_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    infra_track_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    infra: SensorFrame | None = None
    offset: np.ndarray | None = None
    ego_from_infra: np.ndarray | None = None

    @property
    def infra_token(self) -> str:
        """Frame id of the roadside partner."""
        return self.infra.token

    @property
    def infra_stamp_us(self) -> int:
        """Time of the roadside partner, microseconds."""
        return self.infra.stamp_us

    def frame(self, side_of_image: str = 'vehicle', least: tuple[int, int] | None = None,
              sensors: Sensors = Sensors.CAMERA) -> Frame:
        """
        Return what a tracker needs for this time step; reads what the sensors saw.

        :param side_of_image: ``infrastructure`` gives the roadside partner of a pair.
        :param least: and :param sensors: see ``SensorFrame.frame``.
        """
        is_partner = side_of_image == 'infrastructure' and self.infra
        return self.infra.frame(least, sensors) if is_partner else super().frame(least, sensors)


@dataclass(frozen=True)
class LeftOut:
    """What a reader left out of the records because files are missing or contradict each other."""

    kind: Literal['image', 'calibration', 'repeated identity']
    count: int
    example: str


class DataSet(Protocol):
    """
    A folder of recordings of one vehicle and its roadside units.

    ``classes`` names the labels; ``split`` gives the sequences of each part, such as ``val``; ``options`` are the
    choices with which the labels were read. ``units`` has the data set of each roadside unit that takes part, by name
    in ascending order; a data set with one unit is that itself.
    """

    root: Path
    classes: tuple[str, ...]
    split: Mapping[str, Sequence[str]]
    options: Mapping[str, str]
    units: Mapping[str, DataSet]

    def has_side(self, side: str) -> bool:
        """Tell whether there are frames of a side, see ``SIDES``; ``cooperative`` are pairs."""

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences, all or those of a split; raise a UserError for an unknown split."""

    def records(self, side: str, sequence: str | None = None, *, labels: bool = True) -> list[FrameRecord]:
        """
        Return the records of one sequence, or of all, sorted by time.

        With several units those of ``cooperative`` have no partner, see ``partners``; roadside frames are then asked
        of ``units``.

        :param side: one of ``SIDES``.
        :param labels: False opens no label, not even where there are none.
        :raises UserError: for an unknown side or sequence, and for content that cannot be read.
        """

    def training_records(self, side: str) -> list[FrameRecord]:
        """Return the labelled records of a side that are fit for training."""

    def left_out(self) -> list[LeftOut]:
        """Return what is not in the records that were asked for so far: frames that lack a file, labels."""

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """
        Return, by unit that takes part, the pair of each cooperative record.

        :raises UserError: if a unit has no partner for a record.
        """


OpenedData = Sequence[tuple[Path, DataSet]]
"""Folders with what they hold, as ``data.folders.open_datasets`` returns them."""


def recordings(datasets: OpenedData, side: str) -> Iterator[tuple[str, DataSet]]:
    """
    Yield name and data set of everything that was recorded by a side.

    The vehicle's frames are the same for all units of a folder, so they come once. Roadside frames and pairs come once
    for each unit, under ``FOLDER/UNIT`` where the folder holds several.
    """
    for folder, dataset in datasets:
        parts: Iterable[tuple[str, DataSet]] = dataset.units.items() if side != 'vehicle-side' else [('', dataset)]
        for unit, part in parts:
            yield folder.name if part is dataset else f'{folder.name}/{unit}', part


def in_classes(boxes: Boxes, classes: Sequence[str], wanted: Sequence[str]) -> Boxes:
    """
    Return boxes with labels that index other class names; a box of a class that is not among those is left out.

    :param classes: what ``boxes.label`` indexes; :param wanted: what the result's does.
    """
    number_of = {name: number for number, name in enumerate(wanted)}
    label = np.array([number_of.get(name, -1) for name in classes], np.int64)[boxes.label]
    return boxes.with_(label=label)[label >= 0]
