"""Fusion before the decoder, the pipeline that CoopTrack's Table 4 compares with (method.md 17.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..cooperation.limits import Limits
from ..cooperation.matching import match_by_distance
from ..model.cooperation.alignment import AlignedInstances
from ..model.instances.boxes import denormalize
from ..model.network import CoopTrackNetwork
from .fusion import DISTANCE_GATE_M, Fusion, Received, best_first
from .lifecycle import Instances


def fuse_queries(network: CoopTrackNetwork, rows: Instances, received: Sequence[Received], limits: Limits) -> Fusion:
    """
    Bring all messages into the queries of a frame, one after another; the number of rows stays.

    :param rows: (N,) new queries, then tracks carried over; decoder scores of the result are 0, and it is in the
        order of ``rows``.
    """
    fusion = Fusion.start(rows, torch.zeros_like(rows.scores))
    for number, (unit, room) in enumerate(zip(received, limits.rooms(
            [len(r.indices) for r in received], int((rows.previous_age > 0).sum())), strict=True)):
        indices = torch.from_numpy(unit.indices).to(rows.ids.device)
        fusion = join_queries(network, fusion, unit.aligned, number, indices, unit.scores.to(indices.device), room)
        fusion = fusion.without(unit, 'no_room', len(indices) - int((fusion.sources.unit == number).sum()))
    return fusion


def join_queries(network: CoopTrackNetwork, fusion: Fusion, aligned: AlignedInstances, unit: int,
                 indices: Tensor, scores: Tensor, room: int) -> Fusion:
    """
    Add each instance to the track within 3.5 m, or put it in place of one of the last new queries; differentiable.

    :param indices: (M,) places of the instances in the message; :param scores: (M,) of them; :param room: see
        ``tracking.fusion.order_rows``.
    """
    rows, sources, pc_range = fusion.instances, fusion.sources, network.config.ego_range.pc_range
    taken = sources.unit >= 0
    tracks = ((rows.previous_age > 0) & ~taken).nonzero().flatten()
    near, matched = (torch.from_numpy(i).to(tracks.device) for i in match_by_distance(
        denormalize(rows.ref_points[tracks], pc_range), denormalize(aligned.ref_points, pc_range), DISTANCE_GATE_M))
    others = torch.ones(len(indices), dtype=torch.bool, device=tracks.device)
    others[matched] = False
    alone = others.nonzero().flatten()
    free = ((rows.previous_age == 0) & ~taken).nonzero().flatten()
    if len(alone) > min(room, len(free)):
        alone = best_first(alone, scores)[:min(room, len(free))].sort().values
    places = torch.cat([tracks[near], free[len(free) - len(alone):]])
    semantic = rows.semantic[tracks[near]] + network.query_fusion(aligned.semantic[matched])

    def put(column: Tensor, index: Tensor, values: Tensor) -> Tensor:
        return column.index_copy(0, index, values.to(column.dtype))
    new = places[len(matched):]
    rows = rows.with_(
        semantic=put(rows.semantic, places, torch.cat([semantic, aligned.semantic[alone]])),
        embedding=put(rows.embedding, new, aligned.embedding[alone]),
        ref_points=put(rows.ref_points, new, aligned.ref_points[alone]))
    return replace(fusion, instances=rows, sources=sources.with_(
        unit=put(sources.unit, places, torch.full_like(places, unit)),
        index=put(sources.index, places, indices[torch.cat([matched, alone])]),
        affinity=put(sources.affinity, places, torch.ones_like(places))))
