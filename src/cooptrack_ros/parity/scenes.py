"""The synthetic images, poses and calibrations that the recorded outputs were made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..common.timeline import StampedPose
from ..tracking.frame_records import TrackerInput
from .fill import SEED_OFFSET, generator, named_generator

FULL_WIDTH_PX = 1920.0


@dataclass(frozen=True)
class Motion:
    """Pose, time and calibration of one frame in the published form."""

    l2g_r_mat: np.ndarray
    l2g_t: np.ndarray
    timestamp: float
    can_bus: np.ndarray
    lidar2img: np.ndarray
    veh2inf_rt: np.ndarray


def make_image(seed: int, frame: int, size: tuple[int, int], side: str) -> np.ndarray:
    """Return a normalised image (1, 3, rows, columns): drifting waves and moving blobs."""
    g = generator(seed, 77, SEED_OFFSET['inf' if side == 'inf' else 'veh'])
    waves, blobs = 10, 8
    frequency = g.uniform(1.0, 14.0, (waves, 2)) * np.sign(g.uniform(-1, 1, (waves, 2)))
    phase = g.uniform(0, 2 * np.pi, (waves, 3))
    drift = g.uniform(-0.35, 0.35, waves)
    amplitude = g.uniform(0.15, 0.45, (waves, 3))
    position = g.uniform(0.05, 0.95, (blobs, 2))
    velocity = g.uniform(-0.015, 0.015, (blobs, 2))
    radius = g.uniform(0.02, 0.10, blobs)
    colour = g.uniform(-1.5, 1.5, (blobs, 3))
    rows, columns = size
    y = ((np.arange(rows) + 0.5) / rows)[:, None]
    x = ((np.arange(columns) + 0.5) / columns)[None, :]
    image = np.zeros((3, rows, columns))
    for i in range(waves):
        argument = 2 * np.pi * (frequency[i, 0] * x + frequency[i, 1] * y) + drift[i] * frame
        for c in range(3):
            image[c] += amplitude[i, c] * np.sin(argument + phase[i, c])
    for j in range(blobs):
        cx, cy = position[j] + velocity[j] * frame
        bump = np.exp(-(((x - cx) * columns / rows) ** 2 + (y - cy) ** 2) / (2 * radius[j] ** 2))
        image += colour[j][:, None, None] * bump
    return image[None].astype(np.float32)


def _pose(rotation: np.ndarray, translation) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = translation
    return pose


def _rotation_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _rotation_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


_CAMERA_AXES = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], dtype=float)


def _projection(position, pitch_down: float, focal_px: float, columns: int) -> np.ndarray:
    """Return the projection of a camera that looks along +x of the lidar frame, tilted down."""
    scale = columns / FULL_WIDTH_PX
    rotation = _CAMERA_AXES @ _rotation_y(pitch_down).T
    intrinsic = np.eye(4)
    intrinsic[0, 0] = intrinsic[1, 1] = focal_px * scale
    intrinsic[0, 2], intrinsic[1, 2] = 960.0 * scale, 540.0 * scale
    return intrinsic @ _pose(rotation, -rotation @ np.asarray(position))


def _vehicle_pose(seed: int, frame: int) -> tuple[np.ndarray, float]:
    """Return pose and yaw of a vehicle at about 8 m/s in a gentle left turn."""
    g = generator(seed, 99)
    speed = 8.0 + g.uniform(-0.5, 0.5)
    yaw = np.deg2rad(40.0) + g.uniform(-0.2, 0.2)
    rate = 0.12 + g.uniform(-0.03, 0.03)
    position = np.array([300.0, -120.0, 12.0]) + g.uniform(-5, 5, 3) * [1, 1, 0.1]
    steps = 10
    for _ in range(frame * steps):
        position = position + np.array([np.cos(yaw), np.sin(yaw), 0.01]) * speed * 0.1 / steps
        yaw = yaw + rate * 0.1 / steps
    return _pose(_rotation_z(yaw), position), yaw


def _roadside_pose(seed: int) -> np.ndarray:
    """Return the pose of a unit 45 m ahead of where the vehicle starts, looking back."""
    vehicle, yaw = _vehicle_pose(seed, 0)
    rotation = _rotation_z(yaw + np.deg2rad(165.0) + generator(seed, 98).uniform(-0.1, 0.1))
    return _pose(rotation, vehicle[:3, 3] + vehicle[:3, :3] @ np.array([45.0, 6.0, 0.0]))


def make_motion(seed: int, frame: int, side: str, size: tuple[int, int] = (544, 960)) -> Motion:
    """Return everything of a frame besides the image."""
    vehicle, yaw = _vehicle_pose(seed, frame)
    roadside = _roadside_pose(seed)
    ego_from_vehicle_lidar = _pose(np.eye(3), [0, 0, 1.8])
    base_from_roadside_lidar = _pose(np.eye(3), [0, 0, 3.0])
    if side == 'inf':
        pose, from_lidar = roadside, base_from_roadside_lidar
        yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
        projection = _projection([0, 0, 3.0], np.deg2rad(10.0), 2000.0, size[1])
    else:
        pose, from_lidar = vehicle, ego_from_vehicle_lidar
        projection = _projection([1.2, 0, -0.2], np.deg2rad(2.0), 1150.0, size[1])
    degrees = np.rad2deg(np.arctan2(np.sin(yaw), np.cos(yaw)))
    degrees += 360.0 if degrees < 0 else 0.0
    can_bus = np.zeros(18)
    can_bus[:3] = pose[:3, 3]
    can_bus[3:7] = np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
    can_bus[16], can_bus[17] = np.deg2rad(degrees), degrees
    infra_from_ego = np.eye(4)
    if side == 'coop':
        infra_from_ego = np.linalg.inv(roadside @ base_from_roadside_lidar) @ (vehicle @ ego_from_vehicle_lidar)
    return Motion(
        (from_lidar[:3, :3].T @ pose[:3, :3].T).astype(np.float32),
        (from_lidar[:3, 3] @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32),
        1626155123.0 + 0.1 * frame, can_bus, projection, infra_from_ego.T.astype(np.float32))


def tracker_input(seed: int, frame: int, side: str, size: tuple[int, int]) -> TrackerInput:
    """Return a frame as the tracker takes it."""
    motion = make_motion(seed, frame, side, size)
    stamped_pose = StampedPose(f'scene_{seed}', round(motion.timestamp * 1e9),
                    _pose(motion.l2g_r_mat.T.astype(np.float64), motion.l2g_t), motion.can_bus)
    return TrackerInput(stamped_pose, torch.from_numpy(make_image(seed, frame, size, side)), motion.lidar2img[None])


def ego_from_infra(motion: Motion) -> np.ndarray:
    """Return the pose of the roadside unit in the vehicle's lidar frame, inverted in float32 as published."""
    return np.linalg.inv(motion.veh2inf_rt.T)


def query_order(count: int, seed: int, frame: int, mode: str) -> torch.Tensor:
    """Return the order in which new queries are taken: ``identity`` or ``pseudo`` (random by frame)."""
    if mode == 'identity':
        return torch.arange(count)
    return torch.from_numpy(generator(seed, 55, frame).permutation(count))


def make_truth(seed: int, frame: int, side: str, count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return objects for the losses: decoded boxes (count, 9), labels and identities from 1."""
    g = generator(seed, 33, SEED_OFFSET['inf' if side == 'inf' else 'veh'])
    low, high = (5.0, 95.0) if side == 'inf' else (-45.0, 45.0)
    xy = np.stack([g.uniform(low, high, count), g.uniform(-45, 45, count)], 1)
    velocity = g.uniform(-6, 6, (count, 2))
    labels = g.integers(0, 3, count)
    size = np.array([[1.9, 4.5, 1.6], [0.7, 1.8, 1.6], [0.6, 0.7, 1.7]])[labels] * g.uniform(0.9, 1.1, (count, 3))
    z = g.uniform(-2.0, -1.5, count)
    yaw = g.uniform(-np.pi, np.pi, count)
    boxes = np.concatenate([xy + velocity * 0.1 * frame, z[:, None], size, yaw[:, None], velocity], 1)
    return boxes.astype(np.float32), labels.astype(np.int64), np.arange(1, count + 1)


def small_input(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return the float32 standard normal input of a module recording."""
    return named_generator('input/' + name, seed).standard_normal(shape).astype(np.float32)
