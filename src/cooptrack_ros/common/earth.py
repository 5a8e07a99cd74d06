"""Where a map is on the Earth: between its frame and latitude, longitude and height (WGS 84)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import make_pose, rotation_z

_EQUATOR_M, _FLATTENING = 6378137.0, 1 / 298.257223563
_ECCENTRICITY_2 = _FLATTENING * (2 - _FLATTENING)
_ROUNDS = 6
"""Of the iteration for the latitude, which gains three digits in each near the ground."""


@dataclass(frozen=True)
class Geodetic:
    """A place: ``latitude`` and ``longitude`` in degrees, ``height_m`` above the ellipsoid."""

    latitude: float
    longitude: float
    height_m: float


@dataclass(frozen=True)
class MapPlace:
    """
    Where the origin of the map is, and how it is turned.

    ``yaw_rad`` is the angle from east, counter-clockwise, to the x axis of the map, whose z axis points up there.
    """

    origin: Geodetic
    yaw_rad: float = 0.0

    def map_from_enu(self, place: Geodetic) -> np.ndarray:
        """Return the pose (4, 4) in the map of the frame at a place whose axes point to east, north and up."""
        enu_from_map = make_pose(rotation_z(self.yaw_rad), np.zeros(3))
        return np.linalg.inv(_earth_from_enu(self.origin) @ enu_from_map) @ _earth_from_enu(place)

    def geodetic(self, point: np.ndarray) -> Geodetic:
        """Return where a point (3,) of the map is."""
        enu = rotation_z(self.yaw_rad) @ point
        return _geodetic((_earth_from_enu(self.origin) @ [*enu, 1.0])[:3])


def _earth_from_enu(place: Geodetic) -> np.ndarray:
    """Return the pose (4, 4) of the local frame in the one that turns with the Earth."""
    lat, lon = np.radians(place.latitude), np.radians(place.longitude)
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    normal_m = _EQUATOR_M / np.sqrt(1 - _ECCENTRICITY_2 * np.sin(lat) ** 2)
    position = up * (normal_m + place.height_m) - [0.0, 0.0, _ECCENTRICITY_2 * normal_m * up[2]]
    return make_pose(np.column_stack([east, np.cross(up, east), up]), position)


def _geodetic(position: np.ndarray) -> Geodetic:
    x, y, z = position.tolist()
    across = np.hypot(x, y)
    lat = np.arctan2(z, across * (1 - _ECCENTRICITY_2))
    for _ in range(_ROUNDS):
        normal_m = _EQUATOR_M / np.sqrt(1 - _ECCENTRICITY_2 * np.sin(lat) ** 2)
        lat = np.arctan2(z + _ECCENTRICITY_2 * normal_m * np.sin(lat), across)
    normal_m = _EQUATOR_M / np.sqrt(1 - _ECCENTRICITY_2 * np.sin(lat) ** 2)
    # At the poles the distance from the axis says nothing about the height, at the equator that from its plane.
    height_m = across * np.cos(lat) + z * np.sin(lat) - normal_m * (1 - _ECCENTRICITY_2 * np.sin(lat) ** 2)
    return Geodetic(float(np.degrees(lat)), float(np.degrees(np.arctan2(y, x))), float(height_m))
