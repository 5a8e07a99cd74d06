"""
Heading and velocity as a state of a track: a filter with learned gains.

Not in the published method, which says both anew in every frame from the looks of an object. They are then as wrong as
a single image leaves them; how a track moved from frame to frame tells more, and what was known once is not lost in a
turn. The form is that of an alpha-beta filter (Kalata 1984) whose gains depend on the row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers import mlp
from .boxes import STATE

_START = (0.4, 0.05, 0.2, 0.3)
"""
Gains of a new network: towards the heading and the velocity that the decoder sees, the displacement, and the course.
"""
_HIDDEN = 32
_FASTEST_MPS = 40.0
"""A box that jumps farther was another object, or badly placed before."""
_SLOW_MPS = 2.0
"""At this speed the course counts half."""


class TrackMotion(nn.Module):
    """Carries heading and velocity of a track on and corrects them by what the decoder found in this frame."""

    def __init__(self, dims: int):
        """Create the layers; the gains start as constants."""
        super().__init__()
        self.gains = mlp(dims + 4, _HIDDEN, len(_START))
        nn.init.zeros_(self.gains[-1].weight)
        with torch.no_grad():
            self.gains[-1].bias.copy_(torch.tensor(_START).logit())

    def forward(self, carried: Tensor, previous_centre: Tensor, age: Tensor, filled: Tensor, found: Tensor,
                features: Tensor) -> Tensor:
        """
        Return codes (N, 10): those of the decoder with the filtered state; rows without a past keep what was found.

        :param carried: (N, 10) codes of the last frame in the axes of this one; :param previous_centre: (N, 3) m.
        :param age: (N,) seconds since the last frame, 0 for rows without a past.
        :param filled: (N,) share of the history that is filled; :param found: (N, 10) codes of the decoder.
        :param features: (N, C) of the decoder.
        """
        seen, before = found[:, STATE].detach(), carried[:, STATE].detach()
        moved = (found[:, :2].detach() - previous_centre[:, :2]) / age.clamp(min=1e-3)[:, None]
        moved = moved * (_FASTEST_MPS / moved.norm(dim=1, keepdim=True).clamp(min=_FASTEST_MPS))
        surprise = moved - before[:, 2:]
        about = torch.stack([filled, before[:, 2:].norm(dim=1).log1p(), surprise.norm(dim=1).log1p(),
                             (seen[:, :2] - before[:, :2]).norm(dim=1)], dim=1)
        looks, own_speed, displacement, course = self.gains(
            torch.cat([features.detach(), about], dim=1)).sigmoid().unsqueeze(-1).unbind(1)
        velocity = before[:, 2:] + own_speed * (seen[:, 2:] - before[:, 2:]) + displacement * surprise
        heading = before[:, :2] + looks * (seen[:, :2] - before[:, :2])
        # Road users go where they head; (sin psi, cos psi) is minus that direction.
        speed = velocity.norm(dim=1, keepdim=True)
        heading = heading + course * speed / (speed + _SLOW_MPS) * (-velocity / speed.clamp(min=1e-3) - heading)
        state = torch.cat([heading, velocity], dim=1)
        return torch.cat([found[:, :STATE.start], torch.where(age[:, None] > 0, state, seen)], dim=1)
