"""How sure a tracker is of its tracks: covariances, and the probability that there is an object at all."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class TrackUncertainty:
    """
    What is stated of N boxes, in the frame that the boxes are in; NaN where nothing is known.

    ``existence`` (N,) is the probability of an object of that class there, ``position`` (N, 3, 3) the covariance of the
    centre, m^2. ``heading`` (N,) is the variance of the yaw, rad^2, where an opposite one counts as right; ``flip``
    (N,) the probability that it is opposite. ``size`` (N, 3) are variances of length, width and height, m^2,
    ``velocity`` (N, 2, 2) is the covariance of vx, vy, (m/s)^2. All are about the stated values: a bias is in them too.
    """

    existence: np.ndarray
    position: np.ndarray
    heading: np.ndarray
    flip: np.ndarray
    size: np.ndarray
    velocity: np.ndarray

    @staticmethod
    def unknown(count: int) -> TrackUncertainty:
        """Return that nothing is known of some boxes."""
        def nothing(*shape: int) -> np.ndarray:
            return np.full((count, *shape), np.nan)
        return TrackUncertainty(nothing(), nothing(3, 3), nothing(), nothing(), nothing(3), nothing(2, 2))

    @staticmethod
    def concatenate(parts: list[TrackUncertainty]) -> TrackUncertainty:
        """Return what is stated of all boxes of one part or more, in order."""
        return TrackUncertainty(**{f.name: np.concatenate([getattr(p, f.name) for p in parts])
                                   for f in fields(TrackUncertainty)})

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.existence)

    def __getitem__(self, index) -> TrackUncertainty:
        """Return what is stated of boxes selected by a mask, slice or integer array."""
        return TrackUncertainty(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @property
    def known(self) -> np.ndarray:
        """Tell (N,) of which boxes anything is stated."""
        return np.isfinite(self.existence)

    def with_rows(self, index, other: TrackUncertainty) -> TrackUncertainty:
        """Return a copy with some rows replaced by all of another."""
        changed = {}
        for f in fields(self):
            changed[f.name] = getattr(self, f.name).copy()
            changed[f.name][index] = getattr(other, f.name)
        return TrackUncertainty(**changed)

    def rotated(self, rotation: np.ndarray) -> TrackUncertainty:
        """Return the same for the boxes in another frame; :param rotation: 3x3, of directions into that frame."""
        flat = rotation[:2, :2]
        return replace(self, position=rotation @ self.position @ rotation.T, velocity=flat @ self.velocity @ flat.T)

    def moved(self, seconds: float | np.ndarray) -> TrackUncertainty:
        """Return the same for boxes moved on by their velocity, whose error moves them too; one time or (N,)."""
        position = self.position.copy()
        position[:, :2, :2] += np.broadcast_to(seconds, len(self))[:, None, None] ** 2 * self.velocity
        return replace(self, position=position)
