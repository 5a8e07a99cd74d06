"""What moves and stands in a scene: types, sizes, colours and poses over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .paths import Path

# Length, width, height: lowest and highest value of each type, metres.
SIZES = {
    'Car': ((4.1, 4.95), (1.75, 1.92), (1.42, 1.72)),
    'Van': ((4.7, 5.7), (1.9, 2.05), (1.9, 2.45)),
    'Truck': ((6.2, 9.0), (2.2, 2.5), (2.6, 3.4)),
    'Bus': ((9.5, 11.8), (2.45, 2.55), (2.95, 3.2)),
    'Cyclist': ((1.7, 1.9), (0.6, 0.8), (1.58, 1.78)),
    'Motorcyclist': ((1.9, 2.15), (0.7, 0.85), (1.5, 1.68)),
    'Tricyclist': ((2.4, 3.0), (1.0, 1.2), (1.55, 1.75)),
    'Pedestrian': ((0.5, 0.8), (0.5, 0.75), (1.55, 1.86)),
    'TrafficCone': ((0.35, 0.4), (0.35, 0.4), (0.65, 0.8)),
}
AXLE_SHARE = 0.6


@dataclass(frozen=True)
class Agent:
    """
    One object: type, size (l, w, h) and motion.

    ``times`` (T,) seconds, ``s`` (T,) arc length of the body's centre on ``path`` and ``v`` (T,) m/s describe
    the motion; a standing object has no path and keeps ``pose_fixed`` (x, y, yaw). ``colours`` (3, 3) are
    main, second and third colour (BGR, 0..255), drawn alike for all types.
    """

    number: int
    kind: str
    size: np.ndarray
    colours: np.ndarray
    look: int
    path: Path | None = None
    times: np.ndarray | None = None
    s: np.ndarray | None = None
    v: np.ndarray | None = None
    pose_fixed: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def alive(self, t: float) -> bool:
        """Return whether the object is in the scene at time ``t``, seconds."""
        return self.path is None or bool(self.times[0] <= t <= self.times[-1])

    def arc(self, t: float) -> float:
        """Return the arc length at ``t``, by cubic interpolation between the steps of the simulation."""
        k = int(min(max(np.searchsorted(self.times, t, 'right') - 1, 0), len(self.times) - 2))
        h = self.times[k + 1] - self.times[k]
        u = (t - self.times[k]) / h
        s0, s1, m0, m1 = self.s[k], self.s[k + 1], self.v[k] * h, self.v[k + 1] * h
        return float((1 + 2 * u) * (1 - u) ** 2 * s0 + u * (1 - u) ** 2 * m0 + u * u * (3 - 2 * u) * s1
                     + u * u * (u - 1) * m1)

    def pose(self, t: float) -> tuple[float, float, float]:
        """Return x, y, yaw in the scene at time ``t``, seconds."""
        if self.path is None:
            return self.pose_fixed
        x, y, yaw = self.path.pose(self.arc(t), max(self.size[0] * AXLE_SHARE, 0.4))
        return float(x), float(y), float(yaw)


def draw_size(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Return a random length, width, height of a type."""
    return np.array([rng.uniform(low, high) for low, high in SIZES[kind]]).round(3)


def draw_colours(rng: np.random.Generator) -> np.ndarray:
    """Return three random BGR colours (3, 3); the law is the same for all types, so colour tells nothing."""
    out = []
    for _ in range(3):
        value = rng.uniform(25, 245)
        tint = rng.normal(0.0, 1.0, 3)
        tint -= tint.mean()
        strength = rng.choice([0.06, 0.45], p=[0.5, 0.5]) * value
        out.append(np.clip(value + strength * tint, 12, 245))
    # Second and third colour lean towards the first: otherwise the mean colour of types with many small parts
    # would vary less than that of types with one large body.
    return np.array([out[0], 0.7 * out[0] + 0.3 * out[1], 0.7 * out[0] + 0.3 * out[2]])
