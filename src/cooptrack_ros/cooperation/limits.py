"""How much of a frame what units send may take: instances, rows, and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.config import ModelConfig

_UNIT_SHARE = 0.2


@dataclass(frozen=True)
class Limits:
    """What units may take of a frame of ``queries`` rows."""

    queries: int
    learned: int
    """
    Queries that enter every frame as they were learned, whatever units say.

    Every one of them finds something: 60 % of those of ``mini`` find three quarters of what all find at first sight
    (validation scenes 10101 to 10103). What is found goes on as a track, which no unit displaces either.
    """
    received: int
    """Instances of all units together that are looked at."""
    added: int
    """Objects of all units together that the vehicle does not see itself."""
    added_per_unit: int
    seconds: float
    """After so long in fusion, units that are not fused yet are left out."""

    @staticmethod
    def of(config: ModelConfig) -> Limits:
        """Return the limits of a configuration."""
        method, queries = config.method, config.num_queries
        return Limits(queries, round(method.learned_floor * queries), method.max_received or queries,
                      method.max_added or queries, method.max_added_per_unit or round(_UNIT_SHARE * queries),
                      method.fusion_time_s)

    def rooms(self, wanted: Sequence[int], own: int) -> list[int]:
        """
        Return how many rows each unit may have for objects that the vehicle does not see.

        :param wanted: by each unit; :param own: rows that are the vehicle's.
        """
        free = self.queries - self.learned - own
        return shares(wanted, self.added_per_unit, max(min(self.added, free), 0))


def shares(wanted: Sequence[int], each: int, total: int) -> list[int]:
    """Return what each of several gets that want something: not more than ``each``, alike where ``total`` is short."""
    given, left = [0] * len(wanted), total
    for served, place in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        given[place] = min(wanted[place], each, left // (len(wanted) - served))
        left -= given[place]
    return given


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Tell (N,) which ``count`` have the highest scores; among equals the first ones."""
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind='stable')[:count]] = True
    return chosen
