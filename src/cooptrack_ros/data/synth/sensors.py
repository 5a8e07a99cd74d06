"""Clocks, poses and cameras of both sides, as the data set stores them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...common.geometry import make_pose, rotation_xyz, rotation_z
from .agents import Agent
from .layout import Layout, arm_axes, blocked_by_buildings
from .raster import Camera

VEHICLE_LIDAR_HEIGHT = 1.9
ROADSIDE_LIDAR_HEIGHT = 1.7
PERIOD_US = 100_000
PAIR_LIMIT_US = 50_000
POLE_SPACING = 12.0
# Camera axes (right, down, forward) of a camera that looks along +x of a lidar frame.
CAM_FROM_FORWARD = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True)
class Clock:
    """Point-cloud and image times of one side, microseconds after the start of the sequence."""

    pointcloud_us: np.ndarray
    image_us: np.ndarray


@dataclass(frozen=True)
class VehicleRig:
    """Sensors on the ego vehicle; ``offset`` is the system error offset (x, y)."""

    intrinsic: np.ndarray
    cam_from_lidar: np.ndarray
    novatel_from_lidar: np.ndarray
    body_from_lidar: np.ndarray
    offset: np.ndarray
    size: tuple[int, int]

    def scene_from_lidar(self, ego: Agent, t: float) -> np.ndarray:
        """Return the true lidar pose in the scene, 4x4, at ``t`` seconds."""
        x, y, yaw = ego.pose(t)
        return make_pose(rotation_z(yaw), [x, y, 0.0]) @ self.body_from_lidar

    def camera(self, ego: Agent, t: float) -> Camera:
        """Return the camera at ``t`` seconds."""
        return Camera(self.intrinsic, self.cam_from_lidar @ np.linalg.inv(self.scene_from_lidar(ego, t)), self.size)


@dataclass(frozen=True)
class RoadsideRig:
    """A roadside unit; ``scene_from_lidar`` (virtual lidar) is affine, not exactly rigid, like real calibrations."""

    intrinsic: np.ndarray
    scene_from_lidar: np.ndarray
    cam_from_scene: np.ndarray
    size: tuple[int, int]

    @property
    def camera(self) -> Camera:
        """The fixed camera."""
        return Camera(self.intrinsic, self.cam_from_scene, self.size)

    @property
    def cam_from_lidar(self) -> np.ndarray:
        """Stored virtuallidar_to_camera, 4x4; projects exactly like the camera."""
        return self.cam_from_scene @ self.scene_from_lidar


def world_from_scene(rng: np.random.Generator) -> np.ndarray:
    """Return the pose of the scene in a world of kilometre coordinates."""
    return make_pose(rotation_z(rng.uniform(-np.pi, np.pi)),
                     [rng.uniform(2000, 4500), rng.uniform(1200, 3500), rng.uniform(15, 30)])


def make_clock(rng: np.random.Generator, first: int, count: int, phase_us: float) -> Clock:
    """Return times of ``count`` frames, about 100 ms apart with some milliseconds of jitter."""
    nominal = phase_us + PERIOD_US * np.arange(first, first + count)
    cloud = np.round(nominal + np.clip(rng.normal(0, 3000, count), -9000, 9000)).astype(np.int64)
    delay = rng.uniform(3000, 24000) + np.clip(rng.normal(0, 2000, count), -5000, 5000)
    return Clock(cloud, cloud + np.maximum(np.round(delay), 0).astype(np.int64))


def pair_frames(vehicle: Clock, roadside: Clock) -> list[tuple[int, int]]:
    """Return (vehicle, roadside) frame indices of nearest point clouds within the limit, each used once."""
    pairs, last = [], -1
    for k, t in enumerate(vehicle.pointcloud_us):
        nearest = int(np.abs(roadside.pointcloud_us - t).argmin())
        if nearest > last and abs(roadside.pointcloud_us[nearest] - t) <= PAIR_LIMIT_US:
            pairs.append((k, nearest))
            last = nearest
    return pairs


def _intrinsic(rng, focal: float, size: tuple[int, int]) -> np.ndarray:
    """Return K for a focal length given at 1920 columns; the principal point is slightly off the middle."""
    scale = size[0] / 1920.0
    fx, fy = focal * scale, focal * scale * rng.uniform(0.99, 1.01)
    return np.array([[fx, 0.0, (size[0] - 1) / 2 + rng.normal(0, 12) * scale],
                     [0.0, fy, (size[1] - 1) / 2 + rng.normal(0, 12) * scale], [0.0, 0.0, 1.0]])


def make_vehicle_rig(rng: np.random.Generator, size: tuple[int, int]) -> VehicleRig:
    """Return random ego sensors."""
    tilt = rotation_xyz(rng.normal(0, 0.006), rng.uniform(-0.005, 0.04), rng.normal(0, 0.01))
    # A positive turn about y (left) lowers the view.
    rotation = CAM_FROM_FORWARD @ tilt.T
    place = np.array([rng.uniform(0.4, 0.9), rng.uniform(-0.1, 0.1), rng.uniform(-0.45, -0.2)])
    cam_from_lidar = make_pose(rotation, -rotation @ place)
    novatel = make_pose(rotation_xyz(*rng.normal(0, 0.008, 3)),
                        [rng.uniform(0.5, 1.2), rng.uniform(-0.1, 0.1), rng.uniform(1.4, 1.8)])
    body = make_pose(np.eye(3), [rng.uniform(-0.1, 0.4), 0.0, VEHICLE_LIDAR_HEIGHT])
    return VehicleRig(_intrinsic(rng, rng.uniform(860, 1040), size), cam_from_lidar, novatel, body,
                      rng.uniform(-1.1, 1.1, 2).round(2), size)


def _rigid_roadside(layout: Layout, place, aim, pitch: float, height: float):
    """Return the levelled lidar pose and the camera pose of a pole at ``place`` that looks at ``aim``."""
    yaw = float(np.arctan2(aim[1] - place[1], aim[0] - place[0]))
    scene_from_lidar = make_pose(rotation_z(yaw), [place[0], place[1], ROADSIDE_LIDAR_HEIGHT])
    rotation = CAM_FROM_FORWARD @ (rotation_z(yaw) @ rotation_xyz(0.0, pitch, 0.0)).T
    return scene_from_lidar, make_pose(rotation, -rotation @ np.array([place[0], place[1], height]))


def _candidates(layout: Layout, rng, ego_arm: int):
    """Return random poles (x, y) with the points they look at."""
    out = []
    for _ in range(24):
        opposite = (ego_arm + 2) % 4
        arm = opposite if rng.random() < 0.6 else int(rng.choice([(ego_arm + 1) % 4, (ego_arm + 3) % 4]))
        along, right = arm_axes(arm)
        other = layout.edge[1 - arm % 2]
        distance = other + (rng.uniform(4.0, 22.0) if arm in layout.arms else rng.uniform(0.8, 1.6))
        side = rng.choice([-1.0, 1.0]) * (layout.edge[arm % 2] + rng.uniform(0.5, 1.5))
        place = along * distance + right * side
        aim = layout.place(ego_arm, rng.uniform(8.0, 36.0), rng.uniform(-3.0, 5.0))
        out.append((place, aim))
    return out


def _coverage(layout: Layout, camera: Camera, ego_arm: int) -> float:
    """Return how many points of the ego's approach and of the junction a camera sees, nearer ones first."""
    approach = layout.place(ego_arm, np.arange(8.0, 62.0, 3.0), np.full(18, 2.0))
    inner = np.stack(np.meshgrid(np.linspace(-12, 12, 5), np.linspace(-12, 12, 5)), -1).reshape(-1, 2)
    points = np.concatenate([np.c_[approach, np.full(len(approach), 0.8)], np.c_[inner, np.full(len(inner), 0.8)]])
    seen = camera.to_camera(points)
    pixel = seen @ camera.intrinsic.T
    depth = np.maximum(pixel[:, 2], 1e-6)
    u, v = pixel[:, 0] / depth, pixel[:, 1] / depth
    ok = (seen[:, 2] > 1) & (u > 0) & (v > 0) & (u < camera.size[0]) & (v < camera.size[1])
    ok &= ~blocked_by_buildings(layout, camera.position, points)
    forward = camera.cam_from_scene[2, :2] / np.linalg.norm(camera.cam_from_scene[2, :2])
    reach = np.concatenate([layout.trees[:, :2], layout.lamps[:, :2]]) - camera.position[:2]
    distance = np.linalg.norm(reach, axis=1)
    if ((distance < 22.0) & (reach @ forward > 0.87 * distance)).any():
        return 0.0  # a crown or post right before the lens
    return float(ok.sum())


def make_roadside_rig(layout: Layout, rng: np.random.Generator, size: tuple[int, int], ego_arm: int,
                      others: tuple[RoadsideRig, ...] = ()) -> RoadsideRig:
    """
    Return a random roadside unit with a good view of the junction and of the ego's approach.

    Its pole stands well apart from those of ``others``.
    """
    options = []
    for place, aim in _candidates(layout, rng, ego_arm):
        height, pitch, focal = rng.uniform(6.5, 9.5), rng.uniform(0.17, 0.26), rng.uniform(1950, 2400)
        intrinsic = _intrinsic(rng, focal, size)
        lidar, camera = _rigid_roadside(layout, place, aim, pitch, height)
        apart = all(np.linalg.norm(place - other.camera.position[:2]) > POLE_SPACING for other in others)
        view = _coverage(layout, Camera(intrinsic, camera, size), ego_arm) if apart else -1.0
        options.append((view, intrinsic, lidar, camera))
    options.sort(key=lambda option: -option[0])
    _, intrinsic, lidar, camera = options[int(rng.integers(5))]
    # The virtual lidar stands some metres beside the pole.
    lidar = lidar @ make_pose(np.eye(3), [rng.uniform(-1.0, 3.0), rng.uniform(-4.0, 4.0), 0.0])
    share = rng.uniform(0.005, 0.012)
    noise = rng.normal(0.0, share, (3, 3))
    noise[2] *= 0.15  # keeps the ground level within some decimetres over the whole range
    lidar[:3, :3] = lidar[:3, :3] @ (np.eye(3) + noise)
    return RoadsideRig(intrinsic, lidar, camera, size)
