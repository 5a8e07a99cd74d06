"""
The cooperative frame in two parts, before and after the host has assigned received instances (method.md 8 to 10).

U units with M slots each give K = U * M candidates; slots without an instance hold zeros and are never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...model.bev.geometry import BevGeometry
from ...model.cooperation.alignment import AlignedInstances
from ...model.cooperation.association import FusedPairs
from ..frame_stages import reported_alone
from ..fusion import adapt, taken_over
from ..lifecycle import COLUMNS, REPORTED
from ..opinions import Said
from .step import FrameStep, StepInput, StepResult, StepState


class Slots(NamedTuple):
    """Received instances with points and codes in the ego range and frame, features as they were sent."""

    semantic: Tensor
    """(U, M, C)."""
    motion: Tensor
    """(U, M, C)."""
    embedding: Tensor
    """(U, M, C)."""
    ref_points: Tensor
    """(U, M, 3)."""
    codes: Tensor
    """(U, M, 10)."""
    logits: Tensor
    """(U, M, K) log odds of the classes, see ``tracking.opinions``."""
    poses: Tensor
    """(U, 4, 4) that the latent alignment of a unit is made of."""


_ROW_FIELDS = tuple(name for name in COLUMNS if name not in REPORTED)
Perceived = NamedTuple('Perceived', [(name, Tensor) for name in (
    *_ROW_FIELDS, 'bev', 'slot_semantic', 'slot_motion', 'slot_embedding', 'decoder_scores', 'reported', 'logits')])
"""
What the first part leaves: N rows after reasoning (columns of ``Instances``), K candidates, and who may be who.

``bev`` is (1, cells, C), the ``slot_`` features (K, C) are aligned, ``decoder_scores`` is (N,), ``reported`` (N,) bool
tells which rows would be reported without any message, and ``logits`` (N, K) are of the affinity of every row with
every candidate.
"""


class Layout(NamedTuple):
    """How the N rows of the result are put together; indices int64."""

    pair_rows: Tensor
    """(K,) rows of the pairs that merge, then anything."""
    pair_slots: Tensor
    """(K,) candidates of these pairs."""
    sources: Tensor
    """(N,) row, or N + candidate for one that is taken over: its history, identity and box."""
    features: Tensor
    """(N,) the same, or N + K + pair for rows that merge: its features and point."""


class CooperativeStep(nn.Module):
    """The frame of a vehicle that fuses what roadside units sent."""

    def __init__(self, step: FrameStep):
        """Extend the step of a cooperative network."""
        super().__init__()
        self.step = step

    def first(self, state: StepState, inputs: StepInput, slots: Slots, geometry: BevGeometry) -> Perceived:
        """Do everything up to the affinities."""
        network = self.step.network
        rows, decoder_scores, bev = self.step.perceive(state, inputs, geometry)
        aligned, logits = [], [decoder_scores.new_zeros(len(decoder_scores), 0)]
        for unit in range(len(slots.semantic)):
            features = network.align_features(*(x[unit] for x in slots[:3]), slots.poses[unit])
            candidates = _candidates(features, slots.ref_points[unit], slots.codes[unit])
            logits.append(network.association_logits(rows.semantic, rows.motion, rows.ref_points, candidates))
            aligned.append(torch.cat(features, dim=-1))
        width = rows.semantic.shape[1]
        features = torch.cat([*aligned, rows.semantic.new_zeros(0, 3 * width)]).split(width, dim=-1)
        return Perceived(*(getattr(rows, name) for name in _ROW_FIELDS), bev, *features, decoder_scores,
                         reported_alone(network, rows), torch.cat(logits, dim=-1))

    def second(self, perceived: Perceived, slots: Slots, layout: Layout, next_id: Tensor) -> StepResult:
        """Merge, take over and reorder as the layout says, and do the rest of the frame."""
        network, slot_points = self.step.network, slots.ref_points.flatten(0, 1)
        features = (perceived.slot_semantic, perceived.slot_motion, perceived.slot_embedding)
        new = taken_over(_candidates(features, slot_points, slots.codes.flatten(0, 1)), perceived.hist_padding.shape[1],
                         len(network.config.class_names))
        pairs = network.aggregation.fuse(
            FusedPairs(*(getattr(perceived, n).index_select(0, layout.pair_rows) for n in FusedPairs._fields)),
            FusedPairs(*(x.index_select(0, layout.pair_slots) for x in (*features, slot_points))))

        def column(name: str) -> Tensor:
            parts = [getattr(perceived, name), getattr(new, name)]
            if name in FusedPairs._fields:
                return torch.cat([*parts, getattr(pairs, name)]).index_select(0, layout.features)
            return torch.cat(parts).index_select(0, layout.sources)
        rows = self.step.blank().with_(**{name: column(name) for name in _ROW_FIELDS})
        position_points = torch.cat([perceived.ref_points, torch.full_like(slot_points, torch.nan)])
        adds = network.config.adds(network.side) and len(slots.poses)
        said = self._said(slots, layout) if adds else None
        return self.step.finish(adapt(network, rows), position_points.index_select(0, layout.sources), perceived.bev,
                                next_id, said)

    def _said(self, slots: Slots, layout: Layout) -> Said:
        """Return what units said of the rows of the result."""
        count, candidates = len(layout.sources), len(layout.pair_slots)
        taken, merged = layout.sources >= count, layout.features >= count + candidates
        pair = (layout.features - count - candidates).clamp(min=0)
        slot = torch.where(merged, layout.pair_slots.index_select(0, pair), (layout.sources - count).clamp(min=0))
        return Said(slots.logits.flatten(0, 1).index_select(0, slot), slots.codes.flatten(0, 1).index_select(0, slot),
                    merged, taken)


def _candidates(features: Sequence[Tensor], ref_points: Tensor, codes: Tensor) -> AlignedInstances:
    return AlignedInstances(*features, ref_points, codes, torch.ones_like(ref_points[:, 0], dtype=torch.bool))
