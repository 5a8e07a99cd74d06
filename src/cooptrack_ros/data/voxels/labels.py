"""Labels of voxels of any data set with point clouds and boxes, one file a frame and side."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ...common.errors import UserError
from ...common.geometry import transform_points
from ...occupancy.frame_labels import Thing, label_frame
from ...occupancy.grids import GRIDS
from ...occupancy.label_file import VoxelLabels, label_path, write_voxels
from ...occupancy.static_map import StaticMap, StaticWorld
from ...occupancy.taxonomy import V2X
from ...occupancy.track_points import TrackPoints, from_box_frame, split_scan
from ...occupancy.visibility import CameraGeometry, grid_below
from ..folders import open_dataset
from .scans import VEHICLE, AgentFrame, agent_frames, image_size

OWN_OUTLINE_M = np.array([4.0, 1.6])
"""Half length and half width of the place of the ego vehicle around its lidar: it is in no label."""
_NEAR_US = 200_000
_WIDEST_M = 2000.0
"""No sequence goes so far; where poses jump, there would be no memory for all between."""


@dataclass(frozen=True)
class Job:
    """A sequence of a data folder whose frames get labels of a grid."""

    folder: Path
    sequence: str
    grid: str


def jobs(folders: Sequence[Path], grid: str) -> list[Job]:
    """
    Return one job for each sequence of data folders.

    :raises UserError: if there is none.
    """
    wanted = [Job(folder, sequence, grid) for folder in folders for sequence in open_dataset(folder).sequences()]
    if not wanted:
        raise UserError(f"{', '.join(map(str, folders))}: no sequence, expected at least one")
    return wanted


def run_jobs(wanted: Sequence[Job], processes: int, advance: Callable[[int], None]) -> int:
    """
    Write the labels that are missing, each sequence in a process; return how many files were written.

    :param advance: is called with the number of sequences done.
    """
    written = done = 0
    # Not forked: threads of OpenCV do not come along, and a child waits for them for ever.
    with ProcessPoolExecutor(processes, get_context('spawn')) as pool:
        for future in as_completed([pool.submit(write_missing, job) for job in wanted]):
            written += future.result()
            done += 1
            advance(done)
    return written


def write_missing(job: Job) -> int:
    """
    Write the labels of a sequence that are not there; return how many files were written.

    :raises UserError: if the sequence has no point cloud.
    """
    frames = agent_frames(open_dataset(job.folder), job.sequence)
    targets = [[path for path in files_of(frame, job.grid) if not path.exists()] for frame in frames]
    if not any(targets):
        return 0
    labeller = SequenceLabeller(job, frames)
    for frame, paths in zip(frames, targets):
        if paths:
            labels = labeller.label(frame)
            for path in paths:
                write_voxels(path, labels)
    return sum(map(len, targets))


def files_of(frame: AgentFrame, grid: str) -> list[Path]:
    """Return the files that hold the labels of a frame."""
    return [label_path(folder, grid, frame.record.token) for folder in frame.folders]


class SequenceLabeller:
    """Has seen all scans of a sequence and labels its frames."""

    def __init__(self, job: Job, frames: Sequence[AgentFrame]) -> None:
        """
        Read all scans.

        :raises UserError: if there is none, or if they cannot be of one place.
        """
        self._profile = GRIDS[job.grid]
        if not any(frame.record.point_cloud for frame in frames):
            raise UserError(f"{job.folder}: sequence '{job.sequence}' has no point clouds; labels of voxels need them "
                            '(`cooptrack synth --lidar` writes them)')
        names = dict.fromkeys(track for frame in frames for track in frame.tracks)
        self._identity: dict[Hashable, int] = {track: number for number, track in enumerate(names, 1)}
        self._ego = [frame for frame in frames if frame.agent == VEHICLE]
        self._ego_stamps = np.array([frame.record.stamp_us for frame in self._ego])
        self._image_size: dict[tuple[str, str], tuple[int, int]] = {}
        self._points = TrackPoints()
        static = StaticMap(*self._bounds(job, frames), self._profile.vehicle.voxel)
        for frame in frames:
            if frame.record.point_cloud is not None:
                self._add_scan(static, frame, frame.record.point_cloud.read()[:, :3].astype(np.float64))
        self._world: StaticWorld = static.finish()

    def _bounds(self, job: Job, frames: Sequence[AgentFrame]) -> tuple[np.ndarray, np.ndarray]:
        """Return the corners of the part of the world in which the grids of all frames lie."""
        corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        parts = []
        for frame in frames:
            grid = grid_below(self._profile.grid(frame.side), self._cameras(frame))
            parts.append(transform_points(frame.world_from_lidar, grid.origin + corners * grid.extent))
        low, high = np.min(parts, axis=(0, 1)), np.max(parts, axis=(0, 1))
        widest = (high - low).max()
        if not widest <= _WIDEST_M:
            raise UserError(f"{job.folder}: the poses of sequence '{job.sequence}' lie {widest:.0f} m apart, "
                            f'expected less than {_WIDEST_M:.0f} m')
        return low, high

    def _add_scan(self, static: StaticMap, frame: AgentFrame, points: np.ndarray) -> None:
        own, standing = split_scan(frame.boxes, points)
        for track, local in zip(frame.tracks, own, strict=True):
            self._points.add(track, local)
        in_world = transform_points(frame.world_from_lidar, points)
        static.add(transform_points(frame.world_from_lidar, _ray_origin(frame)), in_world,
                   standing & ~self._on_ego(frame.record.stamp_us, in_world))

    def _on_ego(self, stamp_us: int, points: np.ndarray) -> np.ndarray:
        """Return which points (N,) lie where the ego vehicle stands, if that is known for about this time."""
        if not len(self._ego):
            return np.zeros(len(points), bool)
        nearest = int(np.abs(self._ego_stamps - stamp_us).argmin())
        if abs(self._ego_stamps[nearest] - stamp_us) > _NEAR_US:
            return np.zeros(len(points), bool)
        local = transform_points(np.linalg.inv(self._ego[nearest].world_from_lidar), points)
        return (np.abs(local[:, :2]) <= OWN_OUTLINE_M).all(1)

    def label(self, frame: AgentFrame) -> VoxelLabels:
        """Return the labels of a frame."""
        return label_frame(self._profile.grid(frame.side), np.linalg.inv(frame.world_from_lidar), self._world,
                           list(self._things(frame)), self._cameras(frame))

    def _things(self, frame: AgentFrame) -> Iterator[Thing]:
        boxes = frame.boxes
        for k, track in enumerate(frame.tracks):
            name = frame.classes[boxes.label[k]]
            if name in V2X.classes:
                local = self._points.of(track, boxes.size[k], mirrored=name == 'car')
                yield Thing(V2X.classes.index(name), self._identity[track], int(frame.side_track_id[k]),
                            from_box_frame(boxes, k, local))

    def _cameras(self, frame: AgentFrame) -> list[CameraGeometry]:
        """Return the cameras of a frame; the size of their images does not change within a sequence."""
        cameras = []
        for camera in frame.record.cameras:
            key = frame.agent, camera.name
            if key not in self._image_size:
                self._image_size[key] = image_size(camera)
            cameras.append((camera.img_from_lidar, self._image_size[key]))
        return cameras


def _ray_origin(frame: AgentFrame) -> np.ndarray:
    """
    Return where the rays of a scan start, in the lidar frame.

    On the roadside that frame stands somewhere beside the pole; its sensors are near the camera.
    """
    if frame.agent == VEHICLE:
        return np.zeros(3)
    projection = frame.record.cameras[0].img_from_lidar
    return -np.linalg.solve(projection[:3, :3], projection[:3, 3])
