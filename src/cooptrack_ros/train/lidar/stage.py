"""Rebuilding the points of hidden cells: token, head, loss (CooPre)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...model.lidar.encoder import PillarEncoder, conv_norm
from ...model.lidar.pillars import Clouds
from ..losses import Term
from ..recipe import TrainConfig, precision_of
from .gather import Gathering
from .masking import MaskedCloud
from .settings import LidarPretrainingConfig

_HEAD_DIMS = 256


class Rebuilder(nn.Module):
    """What is thrown away after the pretraining: the token of hidden cells, and the head that says their points."""

    def __init__(self, encoder: PillarEncoder, config: LidarPretrainingConfig):
        """Create the layers for an encoder."""
        super().__init__()
        width = encoder.sizes.code_dims
        self.token = nn.Parameter(torch.zeros(encoder.sizes.point_dims))
        self.shared = conv_norm(width, min(width, _HEAD_DIMS), 3)
        self.points = nn.Linear(min(width, _HEAD_DIMS), 3 * config.points)
        nn.init.normal_(self.token, std=0.02)

    def with_tokens(self, pillars: Tensor, samples: Sequence[MaskedCloud]) -> Tensor:
        """Return a map of pillars (B, C, rows, columns) with the token in its places."""
        batch, _, rows, columns = pillars.shape
        places = np.concatenate([(b * rows + s.tokens[:, 0]) * columns + s.tokens[:, 1]
                                 for b, s in enumerate(samples)])
        flat = pillars.permute(0, 2, 3, 1).reshape(batch * rows * columns, -1)
        flat = flat.index_copy(0, torch.from_numpy(places).to(flat.device),
                               self.token.to(flat.dtype).expand(len(places), -1))
        return flat.view(batch, rows, columns, -1).permute(0, 3, 1, 2)

    def forward(self, codes: Tensor, samples: Sequence[MaskedCloud]) -> Tensor:
        """Return the points (M, points, 3) of all hidden cells, sample by sample, in shares of their cell."""
        features = self.shared(codes).permute(0, 2, 3, 1)
        found = torch.cat([features[b, s.cells[:, 0], s.cells[:, 1]] for b, s in enumerate(samples)])
        return self.points(found).unflatten(1, (-1, 3))


def chamfer(predicted: Tensor, real: Tensor, counts: Tensor, distance: str) -> Tensor:
    """
    Return the distance (M,) of sets of points: mean way from a predicted point to the nearest real one, and back.

    :param predicted: (M, P, 3); :param real: (M, K, 3), of which the first ``counts`` (M,), at least one, count.
    :param distance: ``l1`` or ``l2``.
    """
    apart = torch.cdist(predicted, real, p=1.0 if distance == 'l1' else 2.0)
    missing = torch.arange(real.shape[1], device=real.device) >= counts[:, None]
    to_real = apart.masked_fill(missing[:, None], float('inf')).amin(2).mean(1)
    to_predicted = apart.amin(1).masked_fill(missing, 0.0).sum(1) / counts
    return to_real + to_predicted


def padded(samples: Sequence[MaskedCloud], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Return the targets (M, K, 3) of all hidden cells, sample by sample, and how many count (M,)."""
    most = max(s.targets.shape[1] for s in samples)
    targets = np.concatenate([np.pad(s.targets, ((0, 0), (0, most - s.targets.shape[1]), (0, 0))) for s in samples])
    counts = np.concatenate([s.counts for s in samples])
    return torch.from_numpy(targets).to(device), torch.from_numpy(counts).to(device)


class LidarStage:
    """The encoder of a point cloud branch learns to rebuild what is hidden from it."""

    def __init__(self, encoder: PillarEncoder, config: TrainConfig, device: str = 'cpu',
                 held_out: Sequence[Gathering] = ()):
        """
        Take an encoder; the head is new.

        :param held_out: frames that tell what it is worth, see ``measure``.
        """
        self.held_out = held_out
        self._settings, self._device, self._precision = config.lidar, torch.device(device), precision_of(config)
        self.encoder, self.rebuilder = encoder, Rebuilder(encoder, config.lidar)
        self.modules = nn.ModuleDict({'encoder': encoder, 'rebuilder': self.rebuilder}).to(device)
        self.modules.train()

    def losses(self, slots: Sequence[int], samples: Sequence[MaskedCloud]) -> list[dict[str, Term]]:
        """Return the loss of one batch with the frame of each slot, a mean over hidden cells."""
        predicted = self.rebuild(samples)
        targets, counts = padded(samples, self._device)
        if not len(targets):
            return [{'chamfer': Term(sum(p.sum() for p in self.modules.parameters()) * 0, 0)}]
        return [{'chamfer': Term(chamfer(predicted, targets, counts, self._settings.distance).sum(), len(targets))}]

    def rebuild(self, samples: Sequence[MaskedCloud]) -> Tensor:
        """Return what the network says of all hidden cells, see ``Rebuilder.forward``; it sees visible points only."""
        clouds = Clouds.of([s.visible for s in samples], self._device)
        with torch.autocast(self._device.type, self._precision, enabled=self._precision is not torch.float32):
            pillars = self.rebuilder.with_tokens(self.encoder.pillars(clouds), samples)
            found = self.rebuilder(self.encoder.codes(pillars), samples)
        return found.float()

    def figures(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def cut(self) -> None:
        """Do nothing."""

    def memory(self) -> dict[int, dict]:
        """Return nothing: clouds have no past."""
        return {}

    def restore(self, memory: dict[int, dict]) -> None:
        """Do nothing."""
