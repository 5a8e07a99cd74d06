"""
One frame of one agent as a function of tensors of fixed shapes (method.md 2.1).

N is the number of queries throughout: live tracks and the queries that join them always add up to it. Nothing here
looks at a value on the host, so that a device runs through the whole frame, as one graph if wanted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...model.bev.geometry import BevGeometry, BevMotion
from ...model.fast.network import FastNetwork
from ..frame_stages import decode, reason, refine
from ..lifecycle import CARRIED, COLUMNS, NO_ID, FrameTransform, Instances, carry_over, number, survive
from ..opinions import Said, weigh

StepState = NamedTuple('StepState', [(name, Tensor) for name in (*CARRIED, 'bev')])
"""
What N rows (columns of ``Instances``) and the BEV features (1, cells, C) carry from frame to frame.

Which rows live on is in ``StepInput.take`` of the next frame.
"""


class StepInput(NamedTuple):
    """What a frame brings."""

    images: Tensor
    """(V, 3, rows, columns) normalised."""
    vector: Tensor
    """(1, 18) input of the motion MLP; this and the next two as in ``model.bev.geometry.BevMotion``."""
    shift: Tensor
    """(1, 2)."""
    grid: Tensor
    """(1, rows, columns, 2)."""
    fresh: Tensor
    """(1,) bool: nothing of the state counts, as at the start or after a gap."""
    take: Tensor
    """(N,) int64, where each row comes from: below N that learned query, else row ``take`` - N of the state."""
    dt_s: Tensor
    """(1,) seconds since the last frame."""
    frame_transform: FrameTransform
    """From the lidar frame of the last frame to this one's."""
    next_id: Tensor
    """(1,) int64, the next free identity."""


StepResult = NamedTuple('StepResult', [(name, Tensor) for name in (
    *(name for name in COLUMNS if name != 'logits'), 'position_points', 'live', 'next_id', 'bev')])
"""
What comes out: N rows (columns of ``Instances``), what the embeddings stand for, and the state of the agent.

``position_points`` (N, 3) are points in 0..1, NaN for instances taken over from a message; ``live`` (N,) bool says
which rows carry on; ``next_id`` (1,) is the next free identity; ``bev`` (1, cells, C).
"""


def state_of(result: StepResult) -> StepState:
    """Return what the next frame needs."""
    return StepState(*(getattr(result, name) for name in StepState._fields))


class FrameStep(nn.Module):
    """
    The frame of one agent; the cooperative one has its fusion in ``CooperativeStep``.

    ``geometry`` says what the cameras see. What follows from it is worked out once as long as it is the same object.
    """

    def __init__(self, network: FastNetwork):
        """Prepare for a network."""
        super().__init__()
        self.network = network
        config = network.config
        self._settings = config.tracker_of(network.side)
        # Without previous BEV features the published layers look at their own input, not at zeros.
        self._starts_alone = config.method.first_bev == 'none'
        points = network.query_points.weight
        self.register_buffer('query_points', points.detach())
        self.register_buffer('query_features', network.query_features.weight.detach())

    def initial(self) -> StepState:
        """Return a state for a fresh start; only its shapes count."""
        config, points = self.network.config, self.query_points
        blank = self.blank()
        rows, columns = config.bev_size
        return StepState(*(getattr(blank, name) for name in CARRIED),
                         points.new_zeros(1, rows * columns, config.embed_dims))

    def forward(self, state: StepState, inputs: StepInput, geometry: BevGeometry) -> StepResult:
        """Process a frame of an agent that takes no messages."""
        rows, _, bev = self.perceive(state, inputs, geometry)
        return self.finish(rows, rows.ref_points, bev, inputs.next_id)

    def perceive(self, state: StepState, inputs: StepInput,
                 geometry: BevGeometry) -> tuple[Instances, Tensor, Tensor]:
        """Return the rows after reasoning, their decoder scores (N,) and the BEV features (1, cells, C)."""
        features = self.network.image_features(inputs.images[None])
        motion = BevMotion(inputs.vector, inputs.shift, inputs.grid)
        previous = self.network.align_bev(state.bev, motion).masked_fill(inputs.fresh, 0)
        bev = self.network.encode_bev(
            features, geometry, motion, previous, inputs.fresh if self._starts_alone else None)
        rows, decoded = decode(self.network, self._enter(state, inputs), bev, _ignore)
        return reason(self.network, rows, _ignore), decoded.logits[-1, 0].sigmoid().amax(-1), bev

    def finish(self, rows: Instances, position_points: Tensor, bev: Tensor, next_id: Tensor,
               said: Said | None = None) -> StepResult:
        """Return the result of rows that are ready for the refinement heads; :param said: see ``opinions.weigh``."""
        rows = refine(self.network, rows)
        if said is not None:
            rows = weigh(self.network, rows, said, self.network.range)
        rows, count = number(rows, next_id, self._settings.score_threshold)
        rows, live = survive(rows, self._settings)
        others = {'position_points': position_points, 'live': live, 'next_id': next_id + count, 'bev': bev}
        return StepResult(*(others[n] if n in others else getattr(rows, n) for n in StepResult._fields))

    def _enter(self, state: StepState, inputs: StepInput) -> Instances:
        """Return the queries of the frame: new ones, and tracks carried over (method.md 5.1, 11.2)."""
        count = len(self.query_points)
        tracks = carry_over(self.blank().with_(ref_points=state.ref_points, codes=state.codes), inputs.dt_s,
                            inputs.frame_transform, self.network.range, self.network.config.method.carried_motion)
        old = inputs.take >= count
        row, query = (inputs.take - count).clamp(min=0), inputs.take.clamp(max=count - 1)

        def kept(column: Tensor, new: float = 0) -> Tensor:
            mask = ~old.view(-1, *(1,) * (column.dim() - 1))
            return column.index_select(0, row).masked_fill(mask, new)

        def joined(column: Tensor, queries: Tensor) -> Tensor:
            return torch.where(old[:, None], column.index_select(0, row), queries.index_select(0, query))
        points = joined(tracks.ref_points, self.query_points)
        return tracks.with_(
            ref_points=points, semantic=joined(state.semantic, self.query_features),
            embedding=self.network.embed_points(points), codes=kept(tracks.codes), ids=kept(state.ids, NO_ID),
            missed=kept(state.missed), established=state.established.index_select(0, row) & old,
            hist_semantic=kept(state.hist_semantic), hist_motion=kept(state.hist_motion),
            hist_padding=state.hist_padding.index_select(0, row) | ~old[:, None],
            previous_centre=kept(tracks.previous_centre), previous_age=kept(tracks.previous_age))

    def blank(self) -> Instances:
        """Return N rows without a past."""
        config = self.network.config
        return Instances.new(self.query_points, self.query_features, self.query_features, config.hist_len,
                             len(config.class_names))


def _ignore(name: str, value: object) -> None:
    """Observe nothing."""
