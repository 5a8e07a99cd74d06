"""What a check found wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A problem, what shows it, and what to do about it."""

    problem: str
    evidence: str
    advice: str

    def __str__(self) -> str:
        """Return three lines for a terminal."""
        return f'{self.problem}\n    evidence: {self.evidence}\n    to do:    {self.advice}'
