"""Point clouds by casting the beams of a sensor at all that stands in a scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...common.geometry import make_pose, rotation_xyz, rotation_z, transform_points
from .solids import Solids, SolidScene

SWEEP_S = 0.1
_LEAST_M = 0.3
_SPECKLE = 0.1
_USUAL = 0.1
"""Reflectivity for which the range of a sensor is stated."""
_EDGE = -1e-6


@dataclass(frozen=True)
class Lidar:
    """
    Beams of a sensor: ``elevation`` and ``azimuth`` in degrees, both rising, the latter in equal steps.

    ``reach_m`` is where a surface that returns a tenth of the light and faces the sensor is seen every other time.
    """

    elevation: np.ndarray
    azimuth: np.ndarray
    reach_m: float
    noise_m: float

    @cached_property
    def directions(self) -> np.ndarray:
        """Unit vectors (E * A, 3) in the frame of the sensor, row by row."""
        elevation, azimuth = (a.ravel() for a in np.meshgrid(
            np.radians(self.elevation), np.radians(self.azimuth), indexing='ij'))
        return np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)],
                        axis=1)


VEHICLE = Lidar(np.concatenate([np.arange(-16.0, -6.0), np.linspace(-6.0, 2.0, 25), np.arange(3.0, 8.0)]),
                np.arange(-180.0, 180.0, 0.2), 200.0, 0.02)
"""40 beams all around, a third of a degree apart near the horizon."""
ROADSIDE = Lidar(np.linspace(-20.0, 20.0, 160), np.arange(-50.0, 50.0, 0.2), 280.0, 0.02)
"""A dense sector of 100 by 40 degrees, which a pole tilts down."""
ROADSIDE_TILT = np.radians(16.0)
_BELOW_CAMERA_M = 0.6


@dataclass(frozen=True)
class Returns:
    """
    What came back: ``points`` (N, 3) in the scene, ``intensity`` (N,) 0 to 1, the ``beam`` (N,) of each.

    ``face`` (N,) is the face that was hit, -1 for the ground.
    """

    points: np.ndarray
    intensity: np.ndarray
    beam: np.ndarray
    face: np.ndarray


def cast(directions: np.ndarray, lidar: Lidar, solids: Solids, scene_from_sensor: np.ndarray,
         ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return what the beams meet first, surfaces or the ground z = 0.

    :param directions: (R, 3) of ``lidar``; :param scene_from_sensor: rigid pose, 4x4.
    :returns: distances (R,) (infinite for nothing), faces (R,) or -1, cosines of incidence (R,).
    """
    up, height = scene_from_sensor[2, :3], scene_from_sensor[2, 3]
    fall = directions @ up
    with np.errstate(divide='ignore'):
        distance = np.where(fall < 0, -height / fall, np.inf)
    hit, cosine = np.full(len(directions), -1), np.abs(fall)
    corners = (solids.corners - scene_from_sensor[:3, 3]) @ scene_from_sensor[:3, :3]
    normals = solids.normals @ scene_from_sensor[:3, :3]
    depth = -(normals * corners[:, 0]).sum(1)
    facing = np.flatnonzero(depth > 1e-6)
    face, beam = _pairs(corners[facing], lidar)
    inside = _inside(corners[facing], directions, face, beam)
    face, beam = facing[face[inside]], beam[inside]
    slant = -np.einsum('pc,pc->p', normals[face], directions[beam])
    with np.errstate(divide='ignore'):
        reach = np.where(slant > 0, depth[face] / slant, np.inf)
    # Written from the farthest to the nearest, the nearest face of each beam stays.
    nearer = np.flatnonzero((reach > _LEAST_M) & (reach < distance[beam]))
    nearer = nearer[np.argsort(-reach[nearer], kind='stable')]
    distance[beam[nearer]], hit[beam[nearer]], cosine[beam[nearer]] = reach[nearer], face[nearer], slant[nearer]
    return distance, hit, cosine


def _pairs(corners: np.ndarray, lidar: Lidar) -> tuple[np.ndarray, np.ndarray]:
    """Return faces and beams (P,) that may meet: each face (F, 8, 3) with the beams of a window around it."""
    low, high = _elevations(corners)
    elevation = np.radians(lidar.elevation)
    rows = np.searchsorted(elevation, low, 'left'), np.searchsorted(elevation, high, 'right')
    left, right = _azimuths(corners)
    count = len(lidar.azimuth)
    start, step = np.radians(lidar.azimuth[0]), np.radians(lidar.azimuth[1] - lidar.azimuth[0])
    columns = np.ceil((left - start) / step).astype(np.int64), np.floor((right - start) / step).astype(np.int64) + 1
    if count * step < 2 * np.pi - step / 2:
        columns = tuple(np.clip(c, 0, count) for c in columns)
    wide, tall = (np.maximum(b - a, 0) for a, b in (columns, rows))
    wide = np.minimum(wide, count)
    sizes = wide * tall
    face = np.repeat(np.arange(len(corners)), sizes)
    place = np.arange(len(face)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = rows[0][face] + place // wide[face], columns[0][face] + place % wide[face]
    return face, row * count + column % count


def _elevations(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds (F,) of the elevation of faces: that of their heights at their least and greatest distance."""
    begin, way = corners[..., :2], np.roll(corners[..., :2], -1, axis=1) - corners[..., :2]
    along = np.clip(-(begin * way).sum(-1) / np.maximum((way ** 2).sum(-1), 1e-12), 0.0, 1.0)
    near = np.linalg.norm(begin + along[..., None] * way, axis=-1).min(1)
    far = np.linalg.norm(begin, axis=-1).max(1)
    low, high = corners[..., 2].min(1), corners[..., 2].max(1)
    # What reaches around the axis of the sensor may come as near to it as can be.
    near = np.where(_spans(corners) >= np.pi - 1e-3, 0.0, near)
    return (np.arctan2(low, np.where(low < 0, near, far)), np.arctan2(high, np.where(high > 0, near, far)))


def _relative(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    azimuth = np.arctan2(corners[..., 1], corners[..., 0])
    return azimuth[:, 0], np.mod(azimuth - azimuth[:, :1] + np.pi, 2 * np.pi) - np.pi


def _spans(corners: np.ndarray) -> np.ndarray:
    return np.ptp(_relative(corners)[1], axis=1)


def _azimuths(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds (F,) of the azimuth of faces; their middle lies between -pi and pi."""
    first, relative = _relative(corners)
    whole = np.ptp(relative, axis=1) >= np.pi - 1e-3
    low, high = first + relative.min(1), first + relative.max(1)
    shift = 2 * np.pi * np.round((low + high) / (4 * np.pi))
    return np.where(whole, -np.pi, low - shift), np.where(whole, np.pi, high - shift)


def _inside(corners: np.ndarray, directions: np.ndarray, face: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Return the pairs whose beam passes through the face: on one side of the planes through all of its edges."""
    edges = np.cross(corners, np.roll(corners, -1, axis=1))
    turn = np.sign(np.einsum('fkc,fc->f', edges, corners.mean(1)))
    edges = (edges * turn[:, None, None]).astype(np.float32)
    slack = _EDGE * np.linalg.norm(edges, axis=-1)
    directions, kept = directions.astype(np.float32), np.arange(len(face))
    for k in range(edges.shape[1]):
        of = face[kept]
        kept = kept[np.einsum('pc,pc->p', edges[of, k], directions[beam[kept]]) >= slack[of, k]]
    return kept


def sweep(scene: SolidScene, lidar: Lidar, t: float, scene_from_sensor: np.ndarray, rng: np.random.Generator,
          skip: int = -1) -> Returns:
    """
    Return what comes back to a sensor at a time in seconds; the scene stands still during the sweep.

    The less light returns (dark, far, or at a grazing angle), the more rarely is a point seen.

    :param skip: number of the agent that carries the sensor.
    """
    solids = scene.at(t, skip)
    distance, hit, cosine = cast(lidar.directions, lidar, solids, scene_from_sensor)
    met = np.flatnonzero(np.isfinite(distance))
    ways = lidar.directions[met] @ scene_from_sensor[:3, :3].T
    points = scene_from_sensor[:3, 3] + ways * distance[met, None]
    shine = np.empty(len(met))
    ground = hit[met] < 0
    shine[ground] = scene.ground(points[ground, :2])
    shine[~ground] = solids.reflectivity[hit[met[~ground]]]
    signal = shine / _USUAL * cosine[met] * (lidar.reach_m / distance[met]) ** 2
    seen = rng.random(len(met)) < 0.5 ** (1.0 / np.maximum(signal, 1e-3))
    points, met, shine = points[seen], met[seen], shine[seen]
    points += ways[seen] * rng.normal(0.0, lidar.noise_m, (len(met), 1))
    intensity = np.clip(shine * rng.normal(1.0, _SPECKLE, len(met)), 0.0, 1.0)
    return Returns(points, intensity, met, hit[met])


def vehicle_cloud(scene: SolidScene, ego: int, t: float, scene_from_lidar: np.ndarray, stamp_s: float,
                  rng: np.random.Generator) -> np.ndarray:
    """Return a structured array x, y, z, intensity (0..255), timestamp (seconds) in the vehicle lidar frame."""
    found = sweep(scene, VEHICLE, t, scene_from_lidar, rng, ego)
    fields = [('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', 'u1'), ('timestamp', '<f8')]
    out = np.zeros(len(found.points), fields)
    out['x'], out['y'], out['z'] = transform_points(np.linalg.inv(scene_from_lidar), found.points).T
    out['intensity'] = np.round(255 * found.intensity)
    # One turn of the sensor.
    turns = len(VEHICLE.azimuth)
    out['timestamp'] = stamp_s + SWEEP_S * (found.beam % turns) / turns
    return out


def roadside_sensor(camera_position: np.ndarray, scene_from_lidar: np.ndarray) -> np.ndarray:
    """Return the pose of the sensor below a camera (3,); it looks where the virtual lidar does, and down."""
    yaw = float(np.arctan2(scene_from_lidar[1, 0], scene_from_lidar[0, 0]))
    return make_pose(rotation_z(yaw) @ rotation_xyz(0.0, ROADSIDE_TILT, 0.0),
                     camera_position - [0.0, 0.0, _BELOW_CAMERA_M])


def roadside_cloud(scene: SolidScene, t: float, camera_position: np.ndarray, scene_from_lidar: np.ndarray,
                   rng: np.random.Generator) -> np.ndarray:
    """Return a structured array x, y, z, intensity (0..1) in the virtual lidar frame; no point has x < 0."""
    found = sweep(scene, ROADSIDE, t, roadside_sensor(camera_position, scene_from_lidar), rng)
    points = transform_points(np.linalg.inv(scene_from_lidar), found.points)
    front = points[:, 0] >= 0
    out = np.zeros(int(front.sum()), [('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('intensity', '<f4')])
    out['x'], out['y'], out['z'] = points[front].T
    out['intensity'] = found.intensity[front]
    return out
