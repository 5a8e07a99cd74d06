"""Coarse point clouds by casting rays at the boxes of agents and buildings and at the ground."""

from __future__ import annotations

import numpy as np

from ...common.geometry import transform_points
from .agents import Agent
from .layout import Layout

MAX_RANGE = 110.0
NOISE_M = 0.015
VEHICLE_RAYS = (np.radians(np.linspace(-24.0, 6.0, 32)), np.radians(np.arange(-180.0, 180.0, 0.5)))
ROADSIDE_RAYS = (np.radians(np.linspace(-40.0, 2.0, 48)), np.radians(np.arange(-60.0, 60.0, 0.35)))
SWEEP_S = 0.1


def _directions(rays, yaw: float) -> np.ndarray:
    """Return unit vectors (R, 3) in the scene of a fan of elevations and azimuths."""
    elevation, azimuth = (a.ravel() for a in np.meshgrid(rays[0], rays[1] + yaw, indexing='ij'))
    return np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1)


def _boxes(layout: Layout, agents: list[Agent], t: float, skip: int) -> np.ndarray:
    """Return rows x, y, yaw, half length, half width, height, intensity of everything that stops a ray."""
    rows = [[*b.centre, 0.0, *b.half, b.height, 0.35] for b in layout.buildings]
    for agent in agents:
        if agent.number != skip and agent.alive(t):
            rows.append([*agent.pose(t), agent.size[0] / 2, agent.size[1] / 2, agent.size[2],
                         0.2 + 0.5 * agent.colours[0].mean() / 255])
    rows += [[x, y, 0.0, 0.1, 0.1, height, 0.4] for x, y, height in layout.lamps]
    return np.array(rows).reshape(-1, 7)


def cast(layout: Layout, agents: list[Agent], t: float, origin: np.ndarray, directions: np.ndarray,
         skip: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Cast rays from ``origin`` (3,) in the scene at time ``t``.

    :returns: distances (R,) (infinite for no return), intensities (R,) in 0..1, and what was hit (R,): the row of
        buildings, agents and posts, or -1 for the ground.
    """
    with np.errstate(divide='ignore'):
        distance = np.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], np.inf)
    intensity = np.full(len(directions), 0.12)
    hit = np.full(len(directions), -1)
    for k, (x, y, yaw, half_length, half_width, height, shine) in enumerate(_boxes(layout, agents, t, skip)):
        c, s = np.cos(yaw), np.sin(yaw)
        dx, dy = origin[0] - x, origin[1] - y
        reach = np.hypot(half_length, half_width)
        if np.hypot(dx, dy) - reach > MAX_RANGE:
            continue
        # Only rays that pass the box's vertical cylinder can hit it.
        near = np.flatnonzero((np.abs(directions[:, 0] * dy - directions[:, 1] * dx) <= reach)
                              & ((directions[:, 0] * -dx + directions[:, 1] * -dy > 0) | (np.hypot(dx, dy) < reach)))
        d = directions[near]
        local = np.stack([c * d[:, 0] + s * d[:, 1], -s * d[:, 0] + c * d[:, 1], d[:, 2]], axis=1)
        local = np.where(np.abs(local) < 1e-9, 1e-9, local)
        start = np.array([c * dx + s * dy, -s * dx + c * dy, origin[2]])
        t1 = (np.array([-half_length, -half_width, 0.0]) - start) / local
        t2 = (np.array([half_length, half_width, height]) - start) / local
        enter, leave = np.minimum(t1, t2).max(1), np.maximum(t1, t2).min(1)
        better = (enter < leave) & (enter > 0.3) & (enter < distance[near])
        chosen = near[better]
        distance[chosen], intensity[chosen], hit[chosen] = enter[better], shine, k
    distance[distance > MAX_RANGE] = np.inf
    return distance, intensity, hit


def _points(layout, agents, t, origin, directions, scene_from_lidar, rng, skip):
    distance, intensity, _ = cast(layout, agents, t, origin, directions, skip)
    kept = np.isfinite(distance)
    distance = distance[kept] + rng.normal(0.0, NOISE_M, int(kept.sum()))
    points = origin + directions[kept] * distance[:, None]
    return transform_points(np.linalg.inv(scene_from_lidar), points), intensity[kept], np.flatnonzero(kept)


def vehicle_cloud(layout: Layout, agents: list[Agent], ego: int, t: float, scene_from_lidar: np.ndarray, stamp_s: float,
                  rng: np.random.Generator) -> np.ndarray:
    """Return a structured array x, y, z, intensity (0..255), timestamp (seconds) in the vehicle lidar frame."""
    yaw = float(np.arctan2(scene_from_lidar[1, 0], scene_from_lidar[0, 0]))
    points, intensity, ray = _points(layout, agents, t, scene_from_lidar[:3, 3], _directions(VEHICLE_RAYS, yaw),
                                     scene_from_lidar, rng, ego)
    out = np.zeros(len(points), [('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', 'u1'), ('timestamp', '<f8')])
    out['x'], out['y'], out['z'] = points.T
    out['intensity'] = np.round(255 * intensity)
    # One turn of the sensor; the scene stands still meanwhile (coarse).
    turns = len(VEHICLE_RAYS[1])
    out['timestamp'] = stamp_s + SWEEP_S * (ray % turns) / turns
    return out


def roadside_cloud(layout: Layout, agents: list[Agent], t: float, origin: np.ndarray, scene_from_lidar: np.ndarray,
                   rng: np.random.Generator) -> np.ndarray:
    """Return a structured array x, y, z, intensity (0..1) in the virtual lidar frame; no point has x < 0."""
    yaw = float(np.arctan2(scene_from_lidar[1, 0], scene_from_lidar[0, 0]))
    points, intensity, _ = _points(layout, agents, t, origin, _directions(ROADSIDE_RAYS, yaw), scene_from_lidar, rng,
                                   -1)
    front = points[:, 0] >= 0
    out = np.zeros(int(front.sum()), [('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', '<f4')])
    out['x'], out['y'], out['z'] = points[front].T
    out['intensity'] = intensity[front]
    return out
