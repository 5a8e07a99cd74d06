"""Curves that vehicles, cyclists and pedestrians follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layout import ARM_LENGTH, BIKE_WIDTH, LANE_WIDTH, STOP_OFFSET, Layout

STEP = 0.25
LATERAL_ACCELERATION = 2.2
BRAKING = 1.5


@dataclass(frozen=True)
class Path:
    """
    A smooth curve sampled every ``STEP`` metres.

    ``stop`` and ``clear`` are the arc lengths of the stop line and of the point where the junction (with its
    zebra crossings) is left; both are infinite for a path that never enters it. ``limit`` (M,) is the speed
    that curvature allows, m/s. ``arms`` are the arms whose zebra crossings are driven over.
    """

    kind: str
    lane: tuple
    points: np.ndarray
    stop: float
    clear: float
    limit: np.ndarray
    arms: tuple[int, ...]
    turn: str = 'straight'

    @property
    def length(self) -> float:
        """Arc length, metres."""
        return (len(self.points) - 1) * STEP

    def at(self, s) -> np.ndarray:
        """Return points (..., 2) at arc lengths ``s``; the ends are extended in a straight line."""
        s = np.asarray(s, dtype=np.float64)
        k = np.clip(np.floor(s / STEP).astype(int), 0, len(self.points) - 2)
        return self.points[k] + (self.points[k + 1] - self.points[k]) * (s / STEP - k)[..., None]

    def pose(self, s, base: float):
        """Return x, y, yaw of a body whose axles, ``base`` apart, both run on the path."""
        front, rear = self.at(np.asarray(s) + base / 2), self.at(np.asarray(s) - base / 2)
        middle, chord = (front + rear) / 2, front - rear
        return middle[..., 0], middle[..., 1], np.arctan2(chord[..., 1], chord[..., 0])


def _resample(points: np.ndarray) -> np.ndarray:
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    grid = np.arange(0.0, s[-1], STEP)
    return np.stack([np.interp(grid, s, points[:, i]) for i in range(2)], axis=1)


def _speed_limit(points: np.ndarray) -> np.ndarray:
    """Return the speed for comfortable lateral acceleration, lowered ahead of curves by steady braking."""
    tangent = np.gradient(points, STEP, axis=0)
    angle = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
    curvature = np.abs(np.convolve(np.gradient(angle, STEP), np.ones(9) / 9, 'same'))
    limit = np.sqrt(LATERAL_ACCELERATION / np.maximum(curvature, 1e-3))
    for k in range(len(limit) - 2, -1, -1):
        limit[k] = min(limit[k], np.sqrt(limit[k + 1] ** 2 + 2 * BRAKING * STEP))
    return limit


def junction_path(layout: Layout, kind: str, entry: int, leave: int, lane: int) -> Path:
    """Return the path from arm ``entry`` (lane counted from the middle) through the junction out on ``leave``."""
    turn = {1: 'right', 2: 'straight', 3: 'left'}[(leave - entry) % 4]
    out_lanes = layout.lanes[leave % 2]
    if kind == 'bike':
        offset_in = layout.lanes[entry % 2] * LANE_WIDTH + BIKE_WIDTH / 2
        offset_out = out_lanes * LANE_WIDTH + BIKE_WIDTH / 2
    else:
        out_lane = {'left': 0, 'right': out_lanes - 1, 'straight': min(lane, out_lanes - 1)}[turn]
        offset_in, offset_out = (lane + 0.5) * LANE_WIDTH, (out_lane + 0.5) * LANE_WIDTH
    bend = 3.0 if turn == 'right' else 0.5
    d_in, d_out = (layout.edge[1 - arm % 2] + bend for arm in (entry, leave))
    begin = layout.place(entry, np.array([ARM_LENGTH, d_in]), np.full(2, offset_in))
    end = layout.place(leave, np.array([d_out, ARM_LENGTH]), np.full(2, -offset_out))
    points = _resample(np.concatenate([begin[:1], _bezier(begin, end), end[1:]]))
    inside_in = ARM_LENGTH - layout.edge[1 - entry % 2] - STOP_OFFSET
    inside_out = ARM_LENGTH - layout.edge[1 - leave % 2] - STOP_OFFSET
    total = (len(points) - 1) * STEP
    return Path(kind, (kind, entry, lane), points, inside_in, total - inside_out, _speed_limit(points),
                (entry, leave), turn)


def _bezier(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return a curve from ``begin[1]`` to ``end[0]`` that continues both straight pieces."""
    p0, p3 = begin[1], end[0]
    d0, d3 = begin[1] - begin[0], end[1] - end[0]
    d0, d3 = d0 / np.linalg.norm(d0), d3 / np.linalg.norm(d3)
    if abs(d0[0] * d3[1] - d0[1] * d3[0]) < 0.1:
        reach0 = reach3 = np.linalg.norm(p3 - p0) / 2
    else:
        reach0, reach3 = np.linalg.solve(np.stack([d0, d3], axis=1), p3 - p0)
    t = np.linspace(0.0, 1.0, 60)[:, None]
    c1, c2 = p0 + d0 * 0.5523 * reach0, p3 - d3 * 0.5523 * reach3
    return (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * c1 + 3 * (1 - t) * t ** 2 * c2 + t ** 3 * p3


def walking_path(corners: np.ndarray, stop: float = np.inf, clear: float = np.inf, arm: int | None = None) -> Path:
    """Return a pedestrian's path along ``corners`` (C, 2) with rounded corners."""
    points = _resample(np.asarray(corners, dtype=np.float64))
    pad = np.concatenate([np.repeat(points[:1], 2, 0), points, np.repeat(points[-1:], 2, 0)])
    points = np.stack([np.convolve(pad[:, i], np.ones(5) / 5, 'valid') for i in range(2)], axis=1)
    return Path('walk', ('walk',), points, stop, clear, np.full(len(points), 9.0),
                () if arm is None else (arm,))


def all_paths(layout: Layout, kind: str) -> list[Path]:
    """Return every allowed path: left from the inner lane, right from the outer lane, straight from any."""
    out = []
    for entry in layout.arms:
        for leave in layout.arms:
            if leave == entry:
                continue
            lanes = layout.lanes[entry % 2] if kind == 'vehicle' else 1
            for lane in range(lanes):
                path = junction_path(layout, kind, entry, leave, lane)
                wrong = (path.turn == 'left' and lane > 0) or (path.turn == 'right' and lane < lanes - 1)
                if not wrong and not (kind == 'bike' and path.turn == 'left'):
                    out.append(path)
    return out


def conflicts(paths: list[Path]) -> np.ndarray:
    """Return (P, P) bool: whether two bodies on these paths may touch inside the junction."""
    width = {'vehicle': 1.45, 'bike': 0.6}
    inside = [p.points[int(p.stop / STEP):int(p.clear / STEP):2] for p in paths]
    out = np.zeros((len(paths), len(paths)), bool)
    for i, a in enumerate(paths):
        for j, b in enumerate(paths[:i]):
            if a.lane == b.lane:
                continue  # one lane: they follow each other
            distance = np.linalg.norm(inside[i][:, None] - inside[j][None], axis=-1).min()
            out[i, j] = out[j, i] = distance < width[a.kind] + width[b.kind]
    return out
