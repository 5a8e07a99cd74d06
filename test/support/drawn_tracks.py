"""Drawn rows of published tracks whose errors have a known spread."""

import numpy as np

from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.eval.track_errors import TrackErrors


def drawn(sigma, scenes=5, tracks=50, frames=8, seed=1, tails=None, exists=None, source='ego', across=0.5):
    """
    Return rows of cars at 6 to 48 m whose errors are independent.

    :param sigma: of facts (N, 5) -> standard deviation (N,) along the line of sight; across it is ``across`` times it.
    :param tails: degrees of freedom of Student's t, None: normal; :param exists: of facts -> probability.
    """
    rng = np.random.default_rng(seed)
    count = scenes * tracks * frames
    number = np.repeat(np.arange(scenes * tracks), frames)
    facts = np.column_stack([rng.uniform(6, 48, count), rng.uniform(0.2, 0.9, count),
                             np.tile(np.arange(frames) / 10, scenes * tracks), rng.uniform(0, 10, count),
                             np.zeros(count)])
    sight, yaw = (rng.uniform(-np.pi, np.pi, count) for _ in range(2))

    def noise(spread):
        unit = rng.normal(size=count) if tails is None else rng.standard_t(tails, count)
        return unit * spread
    spread = sigma(facts)
    radial, tangential = noise(spread), noise(across * spread)
    centre = np.column_stack([np.cos(sight) * radial - np.sin(sight) * tangential,
                              np.sin(sight) * radial + np.cos(sight) * tangential, noise(0.1)])
    there = np.ones(count, bool) if exists is None else rng.uniform(size=count) < exists(facts)
    unknown = np.where(there, 1.0, np.nan)
    return TrackErrors(
        np.zeros(count, np.int64), np.full(count, source, object), facts,
        np.array([f's{n // tracks}' for n in number], object), np.array([str(n) for n in number], object), sight, yaw,
        there, centre * unknown[:, None], noise(0.1) * unknown, np.zeros(count) * unknown,
        np.column_stack([noise(s) for s in (0.4, 0.1, 0.2)]) * unknown[:, None],
        np.column_stack([noise(1.0), noise(1.0)]) * unknown[:, None], TrackUncertainty.unknown(count))
