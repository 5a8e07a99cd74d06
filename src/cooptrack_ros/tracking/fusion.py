"""
Fusion of received instances with the vehicle's own, block by block of the paper (method.md 8 to 10).

Alignment (CAA): ``align_message``; association (GBA): ``associate``; aggregation: ``aggregate`` and ``adapt``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..common.config import ModelConfig
from ..common.geometry import transform_points
from ..common.method_config import MethodConfig
from ..common.types import RoadsideMessage
from ..cooperation.association_memory import AFFINITY_BONUS, DISTANCE_BONUS_M, AssociationMemory, Remembered
from ..cooperation.compensation import compensate
from ..cooperation.feature_flow import FeatureFlow, carry_on
from ..cooperation.instance_filter import distinct, is_ego_vehicle
from ..cooperation.limits import Limits
from ..cooperation.matching import match_by_distance
from ..model.cooperation.alignment import AlignedInstances
from ..model.cooperation.association import FusedPairs
from ..model.instances.boxes import codes_from_boxes
from ..model.instances.reasoning import replace_newest, shift_padding
from ..model.network import CoopTrackNetwork
from .lifecycle import Instances, Rows

StageObserver = Callable[[str, object], None]
"""Called with the name and value of intermediate results."""

DISTANCE_GATE_M = 3.5
"""Largest distance of a pair that is associated by distance (method.md 9.2)."""
_OUT_OF_REACH = 1e5
"""Cost of a pair beyond the distance limit: worse than any affinity."""
Align = Callable[[RoadsideMessage, np.ndarray], AlignedInstances]
"""(message, which of its instances) -> these in the ego frame, see ``align_message``."""


@dataclass(frozen=True)
class Received:
    """Aligned instances of one unit; ``indices`` (M,) are their places in the message."""

    message: RoadsideMessage
    aligned: AlignedInstances
    indices: np.ndarray
    remembered: Remembered | None = None
    """What is known of these instances, None where nothing is remembered."""

    @property
    def scores(self) -> Tensor:
        """(M,) that the unit gave them."""
        return torch.from_numpy(self.message.instances.boxes.score[self.indices])


class Association(NamedTuple):
    """Which instances of one unit go with which of N rows."""

    logits: Tensor
    """(R, M) of the affinity of the rows that were open to the unit."""
    rows: Tensor
    """(P,) int64 of the N; with the next two, the pairs."""
    columns: Tensor
    """(P,) int64 of the M instances."""
    affinity: Tensor
    """(P,) in 0..1, detached."""


class RowOrder(NamedTuple):
    """How the N rows after a unit are put together: pairs, then instances taken over, then what is left."""

    rows: Tensor
    """(P,) int64, as in ``Association``, likewise the next two."""
    columns: Tensor
    affinity: Tensor
    injected: Tensor
    """(J,) int64 of the M instances, which no row goes with."""
    rest: Tensor
    """(N - P - J,) int64 of the N rows."""


@dataclass(frozen=True)
class RowSources(Rows):
    """What N rows are made of: the vehicle's own opinion, and what was fused into each."""

    decoder_scores: Tensor
    """(N,) for ordering; 0 for rows that were taken over."""
    unit: Tensor
    """(N,) index of the last message that contributed to the row, -1 for none."""
    index: Tensor
    """(N,) place of the contributing instance in that message."""
    affinity: Tensor
    """(N,) of that contribution."""
    own_points: Tensor
    """(N, 3) reference points before anything was fused; NaN for rows that were taken over."""
    protected: Tensor
    """(N,) bool, no instance takes the place of the row."""
    reported: Tensor
    """(N,) bool, it would be reported without any message; known where a unit may only confirm."""

    @staticmethod
    def start(ref_points: Tensor, decoder_scores: Tensor, protected: Tensor | None = None,
              reported: Tensor | None = None) -> RowSources:
        """Return those before the first message."""
        none = torch.full(decoder_scores.shape, -1, device=decoder_scores.device)
        no = torch.zeros_like(none, dtype=torch.bool)
        return RowSources(decoder_scores, none, none, torch.zeros_like(decoder_scores), ref_points,
                          no if protected is None else protected, no if reported is None else reported)

    def after(self, order: RowOrder, unit: int, indices: Tensor) -> RowSources:
        """Return those after a unit; :param unit: its number; :param indices: (M,) places of its instances."""
        merged = self[order.rows]
        merged = merged.with_(affinity=order.affinity, unit=torch.full_like(order.rows, unit),
                              index=indices[order.columns], protected=torch.ones_like(merged.protected))
        zeros = self.decoder_scores.new_zeros(len(order.injected))
        new = RowSources(zeros, torch.full_like(order.injected, unit), indices[order.injected], zeros,
                         self.own_points.new_full((len(zeros), 3), torch.nan), zeros == 0, zeros > 0)
        return RowSources.concatenate([merged, new, self[order.rest]])


@dataclass(frozen=True)
class Fusion:
    """All N rows, after some units or before the first one, and what they are made of."""

    instances: Instances
    sources: RowSources
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Instances by unit and reason for which there was no room or time, see ``FrameOutput``."""

    @staticmethod
    def start(instances: Instances, decoder_scores: Tensor) -> Fusion:
        """Return the state before the first message."""
        return Fusion(instances, RowSources.start(instances.ref_points, decoder_scores))

    def __getitem__(self, rows: Tensor) -> Fusion:
        """Return the rows selected by an index tensor."""
        return replace(self, instances=self.instances[rows], sources=self.sources[rows])

    def without(self, unit: Received, reason: str, count: int) -> Fusion:
        """Return the same with a count of what was left out of a unit."""
        if not count:
            return self
        return replace(self, left_out={**self.left_out, (unit.message.unit_id, reason): count})


def receive(network: CoopTrackNetwork, messages: Sequence[RoadsideMessage], align: Align, observe: StageObserver,
            keeps_empty: bool = False) -> list[Received]:
    """
    Align messages in ascending unit id, without the ego vehicle and instances that two units contribute.

    :param align: see ``Align``.
    :param keeps_empty: return also messages of which no instance is left.
    """
    ordered = sorted(messages, key=lambda m: m.unit_id)
    received = []
    for message, keep in zip(ordered, distinct(ordered), strict=True):
        indices = np.flatnonzero(keep & usable(network.config.method, message))
        if keeps_empty or len(indices):
            aligned = align(message, indices)
            observe('aligned', aligned)
            indices = indices[aligned.kept.cpu().numpy()]
            if keeps_empty or len(indices):
                received.append(Received(message, aligned, indices))
    return received


def up_to_date(config: ModelConfig, message: RoadsideMessage, stamp_ns: int,
               flow: FeatureFlow | None = None) -> RoadsideMessage:
    """
    Return a message as it would be now, as far as the configuration wants that.

    :param flow: of the units' model; without one, ``flow`` does what ``geometry`` does.
    """
    wanted, pc_range = config.method.compensation, config.infra_range.pc_range
    if wanted == 'none':
        return message
    if wanted == 'flow' and flow is not None:
        return carry_on(flow, message, stamp_ns, pc_range)
    return compensate(message, stamp_ns, pc_range)


def usable(method: MethodConfig, message: RoadsideMessage) -> np.ndarray:
    """Tell (M,) which instances of a message the configuration lets in."""
    if not method.exclude_ego:
        return np.ones(len(message.instances), bool)
    return ~is_ego_vehicle(transform_points(message.ego_from_infra, message.instances.boxes.centre))


def align_message(network: CoopTrackNetwork, message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
    """Return the chosen instances of a message in the ego frame (CAA; method.md 8); differentiable in the weights."""
    device = network.query_points.weight.device
    chosen = message.instances[indices]
    features = (float32(f, device) for f in (chosen.semantic, chosen.motion, chosen.position_embedding))
    return network.align(*features, float32(chosen.ref_points, device), codes_from_boxes(chosen.boxes).to(device),
                         float32(message.ego_from_infra, device))


def float32(values: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)


def with_memory(received: Sequence[Received], memory: AssociationMemory, method: MethodConfig,
                now_ns: int) -> list[Received]:
    """Return what was received with what is remembered of it, if the method wants that."""
    if not method.association_memory:
        return list(received)
    return [replace(r, remembered=memory.recall(r.message, now_ns)[r.indices]) for r in received]


class Reach(NamedTuple):
    """How far apart rows and instances of a pair may be, and how much a pair is preferred."""

    gates_m: Tensor
    """(N, M), or (1, 1) for all of them."""
    weight: Tensor
    """The same in 0..1: how much speaks for a pair that it was one lately."""

    @staticmethod
    def of(method: MethodConfig, unit: Received, ids: Tensor) -> Reach:
        """Return that of rows with identities (N,) and the instances of a unit."""
        reach = Reach.alike(method, unit.aligned.ref_points)
        if unit.remembered is None:
            return reach
        rows, gate_m = ids.cpu().numpy(), float(reach.gates_m)
        return Reach(*(reach.gates_m.new_tensor(x) for x in (
            unit.remembered.gates_m(rows, gate_m), unit.remembered.weights(rows))))

    @staticmethod
    def alike(method: MethodConfig, like: Tensor) -> Reach:
        """Return that of which nothing is remembered; :param like: a tensor of the type and on the device wanted."""
        gate_m = method.max_match_distance_m
        if method.association == 'distance':
            gate_m = min(gate_m, DISTANCE_GATE_M)
        return Reach(like.new_full((1, 1), gate_m), like.new_zeros(1, 1))

    def __getitem__(self, rows: Tensor) -> Reach:
        """Return that of some rows (R,)."""
        return self if len(self.weight) == 1 else Reach(self.gates_m[rows], self.weight[rows])

    def near(self, points: Tensor, received: Tensor) -> Tensor:
        """Tell (N, M) which pairs of points, metres, are within it."""
        return torch.cdist(points, received) <= self.gates_m


def open_rows(near: Tensor, sources: RowSources, message: RoadsideMessage) -> Tensor:
    """
    Return the rows (R,) int64 that a message may contribute to: free, and near one of its instances.

    Units never share an object here (duplicates were dropped), so a row takes one instance per frame. Rows out of
    reach of all instances need no affinity. Without trust, a message contributes to what is reported without it only.

    :param near: (N, M) bool, which rows are within reach of which instances.
    """
    open_to_it = (sources.unit < 0) & near.any(-1)
    return torch.nonzero(open_to_it if message.may_create else open_to_it & sources.reported).flatten()


def own_rows(rows: Instances, decoder_scores: Tensor, threshold: float) -> Tensor:
    """Tell (N,) which rows nothing received may displace: live tracks, and what the vehicle sees itself."""
    return (rows.ids >= 0) | (decoder_scores >= threshold)


def rooms(limits: Limits, sources: RowSources, received: Sequence[Received]) -> list[int]:
    """Return how many instances of each unit may become rows of their own."""
    wanted = [len(r.indices) if r.message.may_create else 0 for r in received]
    return limits.rooms(wanted, int(sources.protected.sum())) if any(wanted) else wanted


def associate(points: Tensor, received: Tensor, logits: Tensor, method: MethodConfig,
              reach: Reach) -> tuple[Tensor, Tensor]:
    """
    Return which rows and instances stand for the same object, as index pairs (GBA; method.md 9).

    :param points: (R, 3) of the rows, metres; :param received: (M, 3) of the instances;
    :param logits: (R, M) of their affinity; :param method: by affinity or by distance; :param reach: of these.
    :returns: rows ascending and instances, (P,) int64 each.
    """
    if method.association == 'distance':
        gates_m, bonus_m = (x.double().cpu().numpy() for x in (reach.gates_m, DISTANCE_BONUS_M * reach.weight))
        rows, columns = match_by_distance(points, received, gates_m, bonus_m)
        return torch.from_numpy(rows).to(logits.device), torch.from_numpy(columns).to(logits.device)
    return match_by_affinity(logits, reach.near(points, received), method.min_affinity, reach.weight)


def match_by_affinity(logits: Tensor, near: Tensor, min_affinity: float, weight: Tensor) -> tuple[Tensor, Tensor]:
    """
    Assign every received instance to a vehicle row within reach, then drop pairs beyond the limits (method.md Q1).

    See method.md 9.1.

    :param logits: (R, M); :param near: (R, M) bool; :param weight: see ``Reach``.
    :returns: vehicle rows ascending and instance indices.
    """
    affinity = logits.sigmoid()
    cost = (1 - affinity - AFFINITY_BONUS * weight).masked_fill(~near, _OUT_OF_REACH)
    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    rows, columns = torch.from_numpy(rows).to(logits.device), torch.from_numpy(columns).to(logits.device)
    good = (affinity[rows, columns] >= min_affinity) & near[rows, columns]
    return rows[good], columns[good]


def best_first(index: Tensor, scores: Tensor) -> Tensor:
    """Return some indices (K,) of instances with the highest scores (M,) first."""
    return index[torch.argsort(scores[index], descending=True, stable=True)]


def order_rows(sources: RowSources, association: Association, scores: Tensor, room: int) -> RowOrder:
    """
    Return what becomes of N rows and M instances (method.md 10); the number of rows stays.

    First merged pairs, then unmatched instances, then other rows by descending decoder score (those that earlier
    messages contributed to first). Instances take the places of the rows with the lowest scores that are not protected.

    :param scores: (M,) of the instances; :param room: so many of them are added at most, the best ones.
    """
    rows, columns, count = association.rows, association.columns, len(sources.unit)
    others = torch.ones(association.logits.shape[1:], dtype=torch.bool, device=rows.device)
    others[columns] = False
    injected = torch.nonzero(others).flatten()
    free = torch.ones(count, dtype=torch.bool, device=rows.device)
    free[rows] = False
    rest = torch.nonzero(free).flatten()
    room = min(room, len(rest) - int(sources.protected[rest].sum()))
    if len(injected) > room:
        injected = best_first(injected, scores)[:room].sort().values
    # What an earlier unit contributed must not be pushed out by a later one.
    priority = sources.decoder_scores[rest] + (sources.unit[rest] >= 0)
    kept = torch.zeros_like(rest, dtype=torch.bool)
    kept[torch.argsort(priority + 2.0 * sources.protected[rest], descending=True, stable=True)[
        :count - len(rows) - len(injected)]] = True
    order = torch.argsort(priority, descending=True, stable=True)
    return RowOrder(rows, columns, association.affinity, injected, rest[order[kept[order]]])


def aggregate(network: CoopTrackNetwork, fusion: Fusion, unit: Received, association: Association, number: int,
              room: int) -> Fusion:
    """
    Merge matched pairs and add unmatched received instances (method.md 10), see ``order_rows``; differentiable.

    :param number: of the unit in this frame; :param room: see ``order_rows``.
    """
    old, aligned = fusion.instances, unit.aligned
    order = order_rows(fusion.sources, association, unit.scores.to(old.ids.device), room)
    rows, columns = order.rows, order.columns
    pairs = network.aggregation.fuse(
        FusedPairs(old.semantic[rows], old.motion[rows], old.embedding[rows], old.ref_points[rows]),
        FusedPairs(aligned.semantic[columns], aligned.motion[columns], aligned.embedding[columns],
                   aligned.ref_points[columns]))
    new = taken_over(AlignedInstances(*(x[order.injected] for x in aligned[:-1]), aligned.kept),
                     old.hist_padding.shape[1], old.logits.shape[1])
    instances = Instances.concatenate([old[rows].with_(**pairs._asdict()), new, old[order.rest]])
    sources = fusion.sources.after(order, number, torch.from_numpy(unit.indices).to(rows.device))
    return replace(fusion, instances=instances, sources=sources).without(unit, 'no_room', not_added(unit, order))


def not_added(unit: Received, order: RowOrder) -> int:
    """Return how many instances of a unit would have become rows if there had been room for them."""
    return len(unit.indices) - len(order.columns) - len(order.injected) if unit.message.may_create else 0


def taken_over(aligned: AlignedInstances, slots: int, classes: int) -> Instances:
    """Return received instances as rows whose history of ``slots`` frames holds only themselves."""
    new = Instances.new(aligned.ref_points, aligned.semantic, aligned.embedding, slots, classes)
    return new.with_(motion=aligned.motion, codes=aligned.codes, hist_padding=shift_padding(new.hist_padding),
                     hist_semantic=replace_newest(new.hist_semantic, new.semantic),
                     hist_motion=replace_newest(new.hist_motion, aligned.motion))


def adapt(network: CoopTrackNetwork, rows: Instances) -> Instances:
    """
    Bring the features of all rows into the domain of the cooperative heads, with or without received ones.

    See method.md 10. Where cooperation adds to the vehicle's network, the heads are the vehicle's.
    """
    if network.config.adds(network.side):
        return rows
    semantic, motion = network.aggregation.adapt(rows.semantic, rows.motion, rows.embedding)
    return rows.with_(semantic=semantic, motion=motion)
