"""The two kinds of queries of one object are pulled together (SynCL, instance-aware contrastive learning, eq. 14)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .settings import SynclConfig

_BOUND = 10.0


class ContrastHead(nn.Module):
    """A learned kernel between object and track queries; training only, never exported."""

    def __init__(self, dims: int):
        """Create the layers; the kernel starts at 0, so that the loss starts at the log of the number of tracks."""
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(dims, dims), nn.ReLU(), nn.Linear(dims, dims))
        self.norm = nn.LayerNorm(dims)
        self.kernel = nn.Sequential(nn.Linear(dims, dims), nn.ReLU(), nn.Linear(dims, 1))
        nn.init.zeros_(self.kernel[-1].weight)
        nn.init.zeros_(self.kernel[-1].bias)

    def forward(self, objects: Tensor, tracks: Tensor) -> Tensor:
        """Return kernel values (P, T) of object queries (P, C) and track queries (T, C)."""
        projected = self.norm(objects + self.hidden(objects))
        return self.kernel(projected[:, None] * tracks[None])[..., 0]


def contrastive_loss(kernel: Tensor, positive: Tensor, temperature: float, includes_positive: bool) -> Tensor:
    """
    Return the mean over rows of -log(exp(K+ / tau) / sum exp(K / tau)).

    :param kernel: (P, T), T at least 2; :param positive: (P,) column of the right track.
    :param includes_positive: the sum holds the positive, too, so that the loss is bounded by 0.
    """
    scaled = kernel / temperature
    if includes_positive:
        return F.cross_entropy(scaled, positive)
    own = scaled.gather(1, positive[:, None])[:, 0]
    others = scaled.scatter(1, positive[:, None], -torch.inf)
    return (others.logsumexp(1) - own).mean()


def contrast(head: ContrastHead, objects: Tensor, tracks: Tensor, positive: Tensor, settings: SynclConfig) -> Tensor:
    """Return the contrastive loss of positive object queries (P, C) with the tracks (T, C) of a frame."""
    if settings.stop_gradient == 'object':
        objects = objects.detach()
    if settings.stop_gradient == 'track':
        tracks = tracks.detach()
    kernel, includes = head(objects, tracks), settings.denominator == 'include_positive'
    if not includes:
        kernel = _BOUND * torch.tanh(kernel / _BOUND)
    return contrastive_loss(kernel, positive, settings.temperature, includes)
