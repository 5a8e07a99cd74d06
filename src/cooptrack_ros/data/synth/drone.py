"""The flight of a drone that follows the ego vehicle, and the cameras that look all around from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...common.geometry import make_pose, rotation_xyz
from .agents import Agent
from .raster import Camera
from .sensors import CAM_FROM_FORWARD

_WINDOW_S, _SAMPLES = 1.5, 13
"""The drone is where the vehicle is on average from so long before to so long after."""
_CLIMB_M = 2.0
"""Up and down from its altitude."""
_PITCH_PER_MPS, _BANK = np.radians(0.4), np.radians(5.0)
_TURNS = {'front': 0.0, 'back': np.pi, 'left': np.pi / 2, 'right': -np.pi / 2, 'bottom': 0.0}
_LOOK_DOWN, _STRAIGHT_DOWN = np.radians(35.0), np.pi / 2
"""Pitch of the cameras of the drone, and of its lowest."""


@dataclass(frozen=True)
class Flight:
    """How the drone moves; ``phases`` (5,) of its swaying, radians, ``ahead_m`` of the vehicle on average."""

    vehicle: Agent
    altitude: float
    ahead_m: float
    turn: float
    phases: np.ndarray

    def scene_from_ego(self, t: float) -> np.ndarray:
        """Return the pose of the drone in the scene, 4x4, at ``t`` seconds; it rolls and pitches as it flies."""
        x, y, yaw, speed = self._vehicle(t)
        sway = np.sin(t * np.array([0.5, 0.7, 0.9, 0.6, 0.4]) + self.phases)
        forward, left = self.ahead_m + 3.0 * sway[0], 4.0 * sway[1]
        place = [x + forward * np.cos(yaw) - left * np.sin(yaw), y + forward * np.sin(yaw) + left * np.cos(yaw),
                 self.altitude + _CLIMB_M * sway[2]]
        pitch = _PITCH_PER_MPS * speed + 0.3 * _BANK * sway[3]
        return make_pose(rotation_xyz(_BANK * sway[4], pitch, yaw + self.turn), np.array(place))

    def _vehicle(self, t: float) -> tuple[float, float, float, float]:
        """Return x, y, yaw and speed of the vehicle on average around a time."""
        times = np.clip(t + np.linspace(-_WINDOW_S, _WINDOW_S, _SAMPLES), *self.vehicle.times[[0, -1]])
        poses = np.array([self.vehicle.pose(time) for time in times])
        x, y = poses[:, :2].mean(0)
        way = self.vehicle.arc(times[-1]) - self.vehicle.arc(times[0])
        yaw = np.arctan2(np.sin(poses[:, 2]).mean(), np.cos(poses[:, 2]).mean())
        return float(x), float(y), float(yaw), float(way / max(times[-1] - times[0], 0.1))


@dataclass(frozen=True)
class MountedCamera:
    """An ideal pinhole camera: ``intrinsic`` (3, 3), and where it is on its agent, ``ego_from_camera`` (4, 4)."""

    name: str
    intrinsic: np.ndarray
    ego_from_camera: np.ndarray
    size: tuple[int, int]

    def at(self, scene_from_ego: np.ndarray) -> Camera:
        """Return the camera in the scene when its agent is at a pose."""
        return Camera(self.intrinsic, np.linalg.inv(scene_from_ego @ self.ego_from_camera), self.size)


def make_flight(rng: np.random.Generator, vehicle: Agent, altitude: float) -> Flight:
    """Return a random flight over a vehicle."""
    return Flight(vehicle, altitude, rng.uniform(-4.0, 10.0), rng.normal(0.0, 0.15), rng.uniform(0, 2 * np.pi, 5))


def scene_from_vehicle(vehicle: Agent, t: float) -> np.ndarray:
    """Return the pose of the vehicle's ego frame, whose origin is the middle of its body."""
    x, y, yaw = vehicle.pose(t)
    return make_pose(rotation_xyz(0.0, 0.0, yaw), np.array([x, y, vehicle.size[2] / 2]))


def vehicle_cameras(vehicle: Agent, size: tuple[int, int]) -> tuple[MountedCamera, ...]:
    """Return four cameras at the edges of the roof, level, which together see all around."""
    length, width, height = vehicle.size
    places = {'front': (0.25 * length, 0.0), 'back': (-0.25 * length, 0.0), 'left': (0.0, 0.45 * width),
              'right': (0.0, -0.45 * width)}
    return tuple(_camera(name, 0.0, (*place, height / 2 + 0.15), size) for name, place in places.items())


def drone_cameras(size: tuple[int, int]) -> tuple[MountedCamera, ...]:
    """Return five cameras: four that look down to all sides, and one that looks straight down."""
    return tuple(_camera(name, _STRAIGHT_DOWN if name == 'bottom' else _LOOK_DOWN, (0.0, 0.0, -0.1), size)
                 for name in _TURNS)


def _camera(name: str, pitch: float, place: tuple[float, float, float], size: tuple[int, int]) -> MountedCamera:
    """Return a camera that sees a quarter of the horizon."""
    rotation = rotation_xyz(0.0, pitch, _TURNS[name]) @ CAM_FROM_FORWARD.T
    width, height = size
    intrinsic = np.array([[width / 2, 0.0, (width - 1) / 2], [0.0, width / 2, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return MountedCamera(name, intrinsic, make_pose(rotation, np.array(place)), size)
