"""The painted ground of a scene seen from above: surfaces, markings and the shadows of what never moves."""

from __future__ import annotations

import cv2
import numpy as np

from .layout import (
    BIKE_WIDTH,
    CORNER_RADIUS,
    LANE_WIDTH,
    PARKING_WIDTH,
    STOP_OFFSET,
    ZEBRA_LENGTH,
    ZEBRA_START,
    Layout,
    arm_axes,
)

HALF_SIZE = 132.0
PX_PER_M = 12.0
WHITE = (205, 208, 208)


class GroundPainter:
    """Draws scene coordinates into a square top-down image of ``2 * HALF_SIZE`` metres."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.side = int(2 * HALF_SIZE * PX_PER_M)
        self.rng = np.random.default_rng(layout.palette_seed)

    def pixels(self, points) -> np.ndarray:
        """Return the fixed-point pixels (in sixteenths) of scene points, (..., 2); rows run along +y."""
        return np.round((np.asarray(points) + HALF_SIZE) * PX_PER_M * 16 - 8).astype(np.int32)

    def polygon(self, image, points, colour) -> None:
        """Fill a convex polygon of scene points (N, 2)."""
        cv2.fillConvexPoly(image, self.pixels(points), colour, cv2.LINE_AA, 4)

    def strip(self, image, arm, near, far, low, high, colour) -> None:
        """Fill a rectangle along an arm: distances ``near``..``far``, offsets ``low``..``high``."""
        corners = self.layout.place(arm, np.array([near, far, far, near]), np.array([low, low, high, high]))
        self.polygon(image, corners, colour)

    def paint(self) -> np.ndarray:
        """Return the sunlit ground (side, side, 3) uint8 BGR."""
        rng, layout = self.rng, self.layout
        base = rng.uniform(80, 135)
        grass = rng.uniform([40, 75, 60], [70, 120, 100])
        paving = np.array([1.0, 1.02, 1.04]) * (base + rng.uniform(20, 50))
        asphalt = np.array([1.0, 0.99, 0.97]) * base
        image = np.empty((self.side, self.side, 3), np.uint8)
        image[:] = grass.astype(np.uint8)
        self._surfaces(image, paving, asphalt)
        for arm in layout.arms:
            self._markings(image, arm)
        self._grain(image)
        return image

    def _surfaces(self, image, paving, asphalt) -> None:
        layout = self.layout
        far = HALF_SIZE
        court = paving * 0.93
        for b in layout.buildings:
            reach = np.array(b.half) + 5.0
            self.polygon(image, np.array(b.centre) + reach * [[-1, -1], [1, -1], [1, 1], [-1, 1]], court.tolist())
        for axis in (0, 1):
            half = layout.edge[axis] + layout.sidewalk
            for arm in (a for a in layout.arms if a % 2 == axis):
                self.strip(image, arm, 0.0, far, -half, half, paving.tolist())
        reach = np.array([layout.edge[1], layout.edge[0]]) + layout.sidewalk
        self.polygon(image, reach * [[-1, -1], [1, -1], [1, 1], [-1, 1]], paving.tolist())
        for arm in layout.arms:
            half = layout.edge[arm % 2]
            self.strip(image, arm, 0.0, far, -half - 0.15, half + 0.15, (paving * 1.12).clip(0, 230).tolist())
        for arm in layout.arms:
            half = layout.edge[arm % 2]
            self.strip(image, arm, 0.0, far, -half, half, asphalt.tolist())
        edge = np.array([layout.edge[1], layout.edge[0]])
        self.polygon(image, edge * [[-1, -1], [1, -1], [1, 1], [-1, 1]], asphalt.tolist())
        self._corners(image, paving, asphalt, edge)

    def _corners(self, image, paving, asphalt, edge) -> None:
        for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
            if a not in self.layout.arms or b not in self.layout.arms:
                continue
            sign = np.sign(arm_axes(a)[0] + arm_axes(b)[0])
            corner = sign * edge
            square = corner + sign * CORNER_RADIUS * [[0, 0], [1, 0], [1, 1], [0, 1]]
            self.polygon(image, square, asphalt.tolist())
            centre = self.pixels(corner + sign * CORNER_RADIUS)
            radius = int(CORNER_RADIUS * PX_PER_M * 16)
            cv2.circle(image, tuple(centre.tolist()), radius, (paving * 1.12).clip(0, 230).tolist(), -1, cv2.LINE_AA, 4)
            cv2.circle(image, tuple(centre.tolist()), int(radius - 0.15 * PX_PER_M * 16), paving.tolist(), -1,
                       cv2.LINE_AA, 4)

    def _markings(self, image, arm: int) -> None:
        layout = self.layout
        other = layout.edge[1 - arm % 2]
        stop, far = other + STOP_OFFSET, HALF_SIZE
        lanes = layout.lanes[arm % 2]
        kerb = lanes * LANE_WIDTH
        yellow = (90, 190, 215) if layout.palette_seed % 2 else WHITE
        for offset in (-0.18, 0.08):
            self.strip(image, arm, stop, far, offset, offset + 0.1, yellow)
        for side in (1, -1):
            for lane in range(1, lanes):
                for start in np.arange(stop, far, 6.0):
                    length = 6.0 if start < stop + 17.0 and side > 0 else 2.4
                    self.strip(image, arm, start, start + length, side * lane * LANE_WIDTH - 0.06,
                               side * lane * LANE_WIDTH + 0.06, WHITE)
            self.strip(image, arm, stop, far, side * kerb - 0.07, side * kerb + 0.07, WHITE)
            bay = kerb + BIKE_WIDTH
            for start in np.arange(stop + 5.5, 90.0, 7.0):
                self.strip(image, arm, start, start + 0.1, side * bay, side * (bay + PARKING_WIDTH), WHITE)
        self.strip(image, arm, stop, stop + 0.4, 0.1, kerb + BIKE_WIDTH, WHITE)
        near = other + ZEBRA_START
        half = layout.edge[arm % 2]
        for offset in np.arange(-half + 0.3, half - 0.3, 1.0):
            self.strip(image, arm, near, near + ZEBRA_LENGTH, offset, offset + 0.5, WHITE)

    def _grain(self, image) -> None:
        """Roughen the surface: large stains, fine grain and a few patches."""
        side = self.side
        stains = cv2.resize(self.rng.normal(0.0, 5.0, (90, 90)).astype(np.float32), (side, side),
                            interpolation=cv2.INTER_CUBIC)
        tile = cv2.resize(self.rng.normal(0.0, 7.0, (352, 352)).astype(np.float32), (704, 704))
        tile += self.rng.normal(0.0, 5.0, tile.shape).astype(np.float32)
        grain = stains + np.tile(tile, (side // 704 + 1,) * 2)[:side, :side]
        for k in range(3):
            image[..., k] = np.clip(image[..., k] + grain, 0, 255)

    def shade(self, hulls: list[np.ndarray]) -> np.ndarray:
        """Return a mask (side / 2, side / 2) uint8 that is 255 inside the given shadow hulls (N, 2), scene points."""
        mask = np.zeros((self.side // 2, self.side // 2), np.uint8)
        for hull in hulls:
            cv2.fillConvexPoly(mask, self.pixels(hull) // 2, 255, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(mask, (5, 5), 0)


def shadow_hull(corners: np.ndarray, sun: np.ndarray) -> np.ndarray:
    """Return the convex outline (N, 2) of the shadow that points (M, 3) throw on the ground."""
    ground = corners[:, :2] - corners[:, 2:] * sun[:2] / sun[2]
    return cv2.convexHull(ground.astype(np.float32))[:, 0]
