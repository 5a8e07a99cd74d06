"""What units said of the rows of a frame, and what becomes of it where cooperation adds to the vehicle's network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.cooperation.additions import Opinion
from ..model.instances.boxes import Range, normalize, points_of
from ..model.network import CoopTrackNetwork
from .fusion import Received, RowSources
from .lifecycle import Instances, Rows

_LEAST = 1e-4
"""Probability of the classes that a unit does not name, and how sure of the named one it can be."""


@dataclass(frozen=True)
class Said(Rows):
    """What units said of N rows; numbers of rows that nobody spoke of are any."""

    logits: Tensor
    """(N, K) of the classes."""
    codes: Tensor
    """(N, 10) in the ego frame."""
    merged: Tensor
    """(N,) bool, rows of the vehicle that took something in."""
    taken: Tensor
    """(N,) bool, rows that are as the unit sent them."""


def said_logits(received: Received, classes: int) -> Tensor:
    """Return (M, K) log odds of the classes of what was received."""
    boxes = received.message.instances.boxes
    odds = torch.full((len(received.indices), classes), _LEAST, dtype=torch.float64)
    odds.scatter_(1, torch.from_numpy(boxes.label[received.indices])[:, None],
                  received.scores.double().clamp(_LEAST, 1 - _LEAST)[:, None])
    return odds.logit().to(received.aligned.codes)


def said_of(sources: RowSources, received: Sequence[Received], classes: int) -> Said:
    """Return what was said of the rows of a frame; :param received: the units in the order of ``sources.unit``."""
    count, codes = len(sources.unit), sources.own_points.new_zeros(len(sources.unit), 10)
    logits = codes.new_zeros(count, classes)
    for number, unit in enumerate(received):
        rows = torch.nonzero(sources.unit == number).flatten()
        places = torch.searchsorted(torch.from_numpy(unit.indices).to(rows.device), sources.index[rows])
        codes[rows], logits[rows] = unit.aligned.codes[places], said_logits(unit, classes)[places]
    taken = sources.own_points.isnan().any(-1)
    return Said(logits, codes, (sources.unit >= 0) & ~taken, taken)


def weigh(network: CoopTrackNetwork, rows: Instances, said: Said, pc_range: Range) -> Instances:
    """
    Return refined rows as they are after what units said; those of which nobody spoke stay to the last bit.

    What was taken over passes as the unit said it; differentiable.
    """
    own, told = Opinion(rows.logits, rows.codes), Opinion(said.logits, said.codes)
    both = network.aggregation.weigh(own, told, rows.semantic, rows.motion)

    def column(name: str) -> Tensor:
        alone = torch.where(said.taken[:, None], getattr(told, name), getattr(own, name))
        return torch.where(said.merged[:, None], getattr(both, name), alone)
    logits, codes = column('logits'), column('codes')
    points = torch.where((said.merged | said.taken)[:, None], normalize(points_of(codes), pc_range), rows.ref_points)
    scores, labels = logits.sigmoid().max(-1)
    return rows.with_(ref_points=points, codes=codes, logits=logits, scores=scores, labels=labels)
