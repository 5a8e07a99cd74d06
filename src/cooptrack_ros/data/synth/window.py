"""Which seconds of a scene are recorded: from its beginning, or where more happens than on the approach."""

from __future__ import annotations

import numpy as np

from ...common.geometry import wrap_angle
from .agents import Agent
from .layout import make_layout
from .traffic import simulate

LATEST_START_S = 15.0
"""Scenes with a start later than 0 are cuts from one and the same course of events, which goes on for so long."""
_NEAR_M = 45.0
_MOVING_MPS = 2.0
_STEP_S = 0.5


def simulated_seconds(start: float, seconds: float) -> float:
    """Return how long the traffic of a recording goes on."""
    return (LATEST_START_S if start else 0.0) + seconds


def eventful_start(seed: int, seconds: float) -> float:
    """
    Return the time (s, more than 0) from which on most happens in a scene: a turn of the ego, traffic across its way.

    A vehicle approaches the junction at first, so that recordings from the beginning hold few of either.
    """
    layout = make_layout(np.random.default_rng([seed, 1]))
    agents, ego = simulate(layout, seed, simulated_seconds(_STEP_S, seconds))
    starts = np.arange(_STEP_S, LATEST_START_S, _STEP_S)
    noise = np.random.default_rng([seed, 11]).uniform(0.0, 0.3, len(starts))
    return float(starts[np.argmax([_events(agents, ego, t, seconds) for t in starts] + noise)])


def _events(agents: list[Agent], ego: int, start: float, seconds: float) -> float:
    """Return the ego's turn in right angles plus half the mean number of road users that move across, near to it."""
    times = np.arange(start, start + seconds + 1e-6, _STEP_S)
    poses = np.array([agents[ego].pose(t) for t in times])
    turn = np.abs(wrap_angle(np.diff(poses[:, 2]))).sum() / (np.pi / 2)
    across = [_moves_across(agent, t, own) for agent in agents if agent.path is not None and agent.number != ego
              and agent.path.kind == 'vehicle' for t, own in zip(times, poses) if agent.alive(t)]
    return float(turn + 0.5 * sum(across) / len(times))


def _moves_across(agent: Agent, t: float, own: np.ndarray) -> bool:
    x, y, yaw = agent.pose(t)
    if np.hypot(x - own[0], y - own[1]) > _NEAR_M or agent.arc(t + 0.1) - agent.arc(t - 0.1) < 0.2 * _MOVING_MPS:
        return False
    return bool(abs(np.sin(yaw - own[2])) > np.sin(np.radians(30)))
