"""Comparison of training losses and gradient norms (``losses_seed*.npz``)."""

from __future__ import annotations

from typing import Any

from ..core.config import ModelConfig
from .compare import Comparison


def check(golden: Any, seed: int, config: ModelConfig, comparison: Comparison) -> None:
    """Report the recordings as not compared yet."""
    comparison.fail('all', 'training losses are not compared yet')
