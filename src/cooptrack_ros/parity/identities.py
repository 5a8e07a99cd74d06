"""Identities up to a renumbering: rows in order of nearly equal scores may be numbered the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

NEAR_SCORES = 1e-6
"""Rows whose ordering scores are this close may stand in either order, and so have either number."""


class Renumbering:
    """Which of our numbers is which recorded one; they are the same but for near-ties."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._recorded: dict[int, int] = {}

    def learn(self, pairs: Iterable[tuple[int, int]], is_tie: Callable[[int, int], bool]) -> None:
        """
        Take over new pairs of our number and the recorded one of the same row.

        What is known of either number stays: an object that changes its number is no tie.

        :param is_tie: tells of two of our numbers of this frame whether their rows may have been exchanged.
        """
        for ours, recorded in pairs:
            known = ours in self._recorded or recorded in self._recorded.values()
            # Once the numbers differ, those that are given later may differ by as much.
            if not known and (ours == recorded or self.exchanged or is_tie(ours, recorded)):
                self._recorded[ours] = recorded

    @property
    def exchanged(self) -> dict[int, int]:
        """Our numbers that are another in the recording, with that."""
        return {ours: recorded for ours, recorded in self._recorded.items() if ours != recorded}

    def of(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return our numbers (N,) as recorded ones."""
        return np.array([self._recorded.get(int(n), int(n)) for n in numbers], np.int64)


def same_rows(ours: np.ndarray, recorded: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Return pairs of rows of (N, C) and (M, C) that agree within a limit, each with only one of the other."""
    near = np.abs(ours[:, None] - recorded[None]).max(axis=-1, initial=0) <= limit
    single = near & (near.sum(axis=0) == 1)[None] & (near.sum(axis=1) == 1)[:, None]
    return [(int(i), int(k)) for i, k in np.argwhere(single)]


def may_be_exchanged(ids: np.ndarray, scores: np.ndarray) -> Callable[[int, int], bool]:
    """
    Return a rule for two numbers of a frame: their rows are ordered by nearly equal scores.

    :param ids: (N,) numbers of all rows; :param scores: (N,) by which they are ordered, 0 for rows that are not.
    """
    score_of = {int(n): float(s) for n, s in zip(ids, scores, strict=True) if s > 0}

    def rule(one: int, other: int) -> bool:
        return one in score_of and other in score_of and abs(score_of[one] - score_of[other]) < NEAR_SCORES
    return rule
