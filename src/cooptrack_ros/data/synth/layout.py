"""Layout of one intersection: arms, lanes, buildings, trees and parking places, in scene coordinates (metres)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LANE_WIDTH = 3.4
BIKE_WIDTH = 1.8
PARKING_WIDTH = 2.4
CORNER_RADIUS = 4.0
ZEBRA_START = CORNER_RADIUS + 0.5
ZEBRA_LENGTH = 3.0
STOP_OFFSET = ZEBRA_START + ZEBRA_LENGTH + 1.0
ARM_LENGTH = 120.0
LAMP_HALF = 0.08
TRUNK_HALF, TRUNK_SHARE = 0.12, 0.5
"""Half width of a trunk, and its height as a share of that of the tree."""
CROWN_RINGS = ((0.42, 0.45), (0.58, 1.0), (0.8, 0.85), (1.0, 0.25))
"""Height and radius of the rings of a crown, as shares of those of the tree."""


@dataclass(frozen=True)
class Building:
    """An axis-parallel block: centre (x, y), half sizes (x, y), height and facade look."""

    centre: tuple[float, float]
    half: tuple[float, float]
    height: float
    seed: int


@dataclass(frozen=True)
class Layout:
    """
    One intersection at the origin; arm ``a`` leaves it in the direction ``a * 90`` degrees.

    ``lanes`` and ``edge`` (half width of the carriageway) are given for the road along x (arms 0 and 2) and
    the road along y (arms 1 and 3). Traffic keeps to the right. The ground is the plane z = 0.
    """

    arms: tuple[int, ...]
    lanes: tuple[int, int]
    edge: tuple[float, float]
    sidewalk: float
    buildings: tuple[Building, ...]
    trees: np.ndarray
    """(T, 4): x, y, height and crown radius."""
    lamps: np.ndarray
    """(P, 3): x, y and height of plain posts."""
    parking: np.ndarray
    """(Q, 3): x, y and yaw of occupied parking places."""
    sun: np.ndarray
    """(3,) unit vector towards the sun."""
    ambient: float
    diffuse: float
    palette_seed: int

    def stop_distance(self, arm: int) -> float:
        """Return the distance of the stop line of ``arm`` from the centre."""
        return self.edge[1 - arm % 2] + STOP_OFFSET

    def zebra_distance(self, arm: int) -> float:
        """Return the distance of the middle of the zebra crossing of ``arm`` from the centre."""
        return self.edge[1 - arm % 2] + ZEBRA_START + ZEBRA_LENGTH / 2

    def place(self, arm: int, distance, offset):
        """
        Return scene points (..., 2) at ``distance`` along ``arm``.

        ``offset`` is to the right of somebody who drives towards the centre.
        """
        along, right = arm_axes(arm)
        return np.asarray(distance)[..., None] * along + np.asarray(offset)[..., None] * right


def arm_axes(arm: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors: outwards along the arm, and to the right of incoming traffic."""
    angle = arm * np.pi / 2
    along = np.array([np.cos(angle), np.sin(angle)]).round(12)
    # Incoming traffic drives along -along; its right is (d_y, -d_x) of the driving direction d.
    return along, np.array([-along[1], along[0]])


def make_layout(rng: np.random.Generator) -> Layout:
    """Return a random scene."""
    arms = tuple(range(4)) if rng.random() < 0.65 else tuple(np.delete(np.arange(4), rng.integers(4)).tolist())
    lanes = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    edge = tuple(float(n * LANE_WIDTH + BIKE_WIDTH + PARKING_WIDTH) for n in lanes)
    sidewalk = float(rng.uniform(3.0, 4.5))
    buildings = _make_buildings(rng, arms, edge, sidewalk)
    elevation, azimuth = rng.uniform(0.45, 1.2), rng.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    diffuse = float(rng.choice([rng.uniform(0.1, 0.25), rng.uniform(0.4, 0.65)], p=[0.3, 0.7]))
    layout = Layout(arms, lanes, edge, sidewalk, buildings, np.zeros((0, 4)), np.zeros((0, 3)), np.zeros((0, 3)), sun,
                float(rng.uniform(0.85, 1.05) - diffuse * 0.85), diffuse, int(rng.integers(1 << 31)))
    places = {'trees': _make_trees(rng, layout), 'lamps': _make_lamps(rng, layout),
              'parking': _make_parking(rng, layout)}
    return Layout(**{**layout.__dict__, **places})


def _make_buildings(rng, arms, edge, sidewalk) -> tuple[Building, ...]:
    """Fill the four quadrants: a corner block close to the junction, then rows along both arms."""
    out = []
    for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        if rng.random() < 0.12:
            continue  # an open corner
        setback = rng.uniform(0.3, 5.0, 2)
        x0, y0 = edge[1] + sidewalk + setback[0], edge[0] + sidewalk + setback[1]
        size = rng.uniform(10.0, 24.0, 2)
        out.append(_block(rng, sx, sy, x0, y0, *size))
        x = x0 + size[0] + rng.uniform(2.0, 12.0)
        while x < 105.0:
            length = rng.uniform(12.0, 28.0)
            out.append(_block(rng, sx, sy, x, y0 + rng.uniform(0.0, 5.0), length, rng.uniform(8.0, 16.0)))
            x += length + rng.uniform(2.0, 14.0)
        y = y0 + size[1] + rng.uniform(2.0, 12.0)
        while y < 105.0:
            length = rng.uniform(12.0, 28.0)
            out.append(_block(rng, sx, sy, x0 + rng.uniform(0.0, 5.0), y, rng.uniform(8.0, 16.0), length))
            y += length + rng.uniform(2.0, 14.0)
    for arm in set(range(4)) - set(arms):
        along, _ = arm_axes(arm)
        depth = edge[1 - arm % 2] + sidewalk + rng.uniform(2.0, 8.0)
        half_width = edge[arm % 2] + sidewalk - 0.5
        centre = along * (depth + 8.0)
        half = np.abs(along) * 8.0 + (1.0 - np.abs(along)) * half_width
        out.append(Building(tuple(centre.tolist()), tuple(half.tolist()), float(rng.uniform(7.0, 20.0)),
                            int(rng.integers(1 << 31))))
    return tuple(out)


def _block(rng, sx, sy, x0, y0, dx, dy) -> Building:
    return Building((float(sx * (x0 + dx / 2)), float(sy * (y0 + dy / 2))), (float(dx / 2), float(dy / 2)),
                    float(rng.uniform(6.0, 22.0)), int(rng.integers(1 << 31)))


def _sides(layout: Layout):
    """Yield (arm, sign) of every road side; sign +1 is the right side of incoming traffic."""
    for arm in layout.arms:
        yield from ((arm, 1.0), (arm, -1.0))


def _make_trees(rng, layout: Layout) -> np.ndarray:
    rows = []
    share = rng.uniform(0.05, 0.35)
    for arm, sign in _sides(layout):
        for distance in np.arange(layout.stop_distance(arm) + 14.0, 100.0, 9.0):
            if rng.random() < share:
                xy = layout.place(arm, distance + rng.uniform(-2, 2), sign * (layout.edge[arm % 2] + 0.6))
                rows.append([*xy, rng.uniform(4.5, 7.5), rng.uniform(1.1, 1.9)])
    return np.array(rows).reshape(-1, 4)


def _make_lamps(rng, layout: Layout) -> np.ndarray:
    rows = []
    for arm, sign in _sides(layout):
        for distance in np.arange(layout.stop_distance(arm) + 1.0, 100.0, 31.0):
            xy = layout.place(arm, distance, sign * (layout.edge[arm % 2] + 0.4))
            rows.append([*xy, rng.uniform(6.0, 8.0)])
    return np.array(rows).reshape(-1, 3)


def _make_parking(rng, layout: Layout) -> np.ndarray:
    rows = []
    share = rng.uniform(0.08, 0.35)
    for arm, sign in _sides(layout):
        for distance in np.arange(layout.stop_distance(arm) + 9.0, 85.0, 7.0):
            if rng.random() < share * np.exp(-(distance - 20.0) / 80.0):
                offset = sign * (layout.edge[arm % 2] - PARKING_WIDTH / 2 + rng.uniform(-0.05, 0.1))
                # Right of incoming traffic one parks facing the centre, on the left side facing outwards.
                yaw = arm * np.pi / 2 + (np.pi if sign > 0 else 0.0) + rng.normal(0.0, 0.015)
                rows.append([*layout.place(arm, distance + rng.uniform(-0.3, 0.3), offset), yaw])
    return np.array(rows).reshape(-1, 3)


def blocked_by_buildings(layout: Layout, start: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return (N,) bool: whether a building cuts the segment from ``start`` (3,) to ``ends`` (N, 3)."""
    ends = np.atleast_2d(ends)
    blocked = np.zeros(len(ends), bool)
    delta = ends - start
    delta = np.where(np.abs(delta) < 1e-9, 1e-9, delta)
    if not layout.buildings:
        return blocked
    centre = np.array([b.centre for b in layout.buildings])
    half = np.array([b.half for b in layout.buildings])
    low = np.c_[centre - half, np.zeros(len(half))]
    high = np.c_[centre + half, [b.height for b in layout.buildings]]
    t1, t2 = (low - start) / delta[:, None], (high - start) / delta[:, None]
    enter, leave = np.minimum(t1, t2).max(2), np.maximum(t1, t2).min(2)
    return ((enter < leave) & (leave > 0.0) & (enter < 1.0)).any(1)
