"""
Received features brought to the time of the ego frame by a learned rate of change (method.md 15.2).

A small network beside those of the model says how semantic and motion features, positional embeddings and positions
go on per second. Its output is multiplied by the age: at age 0 nothing changes, whatever its weights are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..common.types import RoadsideMessage
from .compensation import age_s, compensate, fitted_velocities, moved

_SPEED_MPS = 10.0
"""Velocities are divided by this."""
_STATE = 16
"""Inputs that are no features: reference point 3, size 3, heading 2, velocity 2 + 2, score, and what is known 3."""
_RECENT_S = 0.6
"""A message that came longer before tells nothing about how features change: one frame at 2 Hz and a little."""


class Rates(NamedTuple):
    """Change per second of N instances: features (N, C), and velocity (N, 2) m/s beside the geometric one."""

    semantic: Tensor
    motion: Tensor
    embedding: Tensor
    velocity: Tensor


class FeatureFlow(nn.Module):
    """A perceptron over what an instance is now, what it was in the message before, and the age to reach."""

    def __init__(self, width: int, hidden: int = 128):
        """
        Create the layers; the last one is zero, so that an untrained flow is pure geometry.

        :param width: channels of a feature.
        """
        super().__init__()
        self.width, self.hidden = width, hidden
        self.trunk = nn.Sequential(
            nn.Linear(5 * width + _STATE + 1, hidden), nn.LayerNorm(hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 3 * width + 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, state: Tensor, age: Tensor) -> Rates:
        """Return rates for states (N, 5 C + 16), see ``flow_state``, and ages (N,) in seconds."""
        rates = self.head(self.trunk(torch.cat([state, age[:, None]], dim=1)))
        return Rates(*rates.split([self.width] * 3 + [2], dim=1))


def flow_state(message: RoadsideMessage, fit: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """
    Return the input of a flow for a message and those before it, (N, 5 C + 16) float32.

    Instances are found in the message before by their track ids. One without a predecessor has its own features only.

    :param fit: what ``fitted_velocities`` returns for the message, where that is known already.
    """
    instances, boxes = message.instances, message.instances.boxes
    change = np.zeros((2, *instances.semantic.shape), np.float32)
    gaps = np.zeros(len(instances), np.float32)
    for earlier in message.earlier[-1:]:
        gap_s = (message.stamp_ns - earlier.stamp_ns) / 1e9
        _, rows, before = np.intersect1d(boxes.track_id, earlier.instances.boxes.track_id, return_indices=True)
        if gap_s <= _RECENT_S:
            gaps[rows] = gap_s
            for k, name in enumerate(('semantic', 'motion')):
                change[k, rows] = getattr(instances, name)[rows] - getattr(earlier.instances, name)[before]
    fitted, seen_s = fit or fitted_velocities(message)
    columns = [
        instances.semantic, instances.motion, instances.position_embedding, *change, instances.ref_points,
        np.log(boxes.size), np.cos(boxes.yaw), np.sin(boxes.yaw), np.nan_to_num(boxes.velocity) / _SPEED_MPS,
        fitted / _SPEED_MPS, boxes.score, gaps > 0, gaps, seen_s]
    return np.concatenate([np.reshape(c, (len(instances), -1)) for c in columns], axis=1, dtype=np.float32)


@torch.inference_mode()
def carry_on(flow: FeatureFlow, message: RoadsideMessage, stamp_ns: int,
             infra_range: tuple[float, ...]) -> RoadsideMessage:
    """
    Return a message as the flow expects it at a time; the message keeps its own stamp.

    Messages that are ahead (negative age) are moved by their velocities only: the flow knows nothing of the past.

    :param infra_range: x0, y0, z0, x1, y1, z1 (m), to which reference points are normalised.
    """
    age, instances = age_s(message, stamp_ns), message.instances
    if age <= 0 or not len(instances):
        return compensate(message, stamp_ns, infra_range)
    device = next(flow.parameters()).device
    fit = fitted_velocities(message)
    rates = flow(torch.from_numpy(flow_state(message, fit)).to(device),
                 torch.full((len(instances),), age, dtype=torch.float32, device=device))
    semantic, motion, embedding, velocity = (age * r.cpu().numpy() for r in rates)
    placed = moved(instances, age * fit[0] + velocity, infra_range)
    return replace(message, instances=replace(
        placed, semantic=instances.semantic + semantic, motion=instances.motion + motion,
        position_embedding=instances.position_embedding + embedding))
