"""Fusion of received instances with the vehicle's own (model.md 8 to 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..model.alignment import AlignedInstances
from ..model.association import FusedPairs
from ..model.boxes import codes_from_boxes, denormalize
from ..model.network import CoopTrackNetwork
from ..model.reasoning import replace_newest, shift_padding
from .compensation import compensate
from .config import BehaviourConfig
from .duplicates import distinct
from .flow import FeatureFlow, carry_on
from .geometry import transform_points
from .host import is_host
from .lifecycle import Instances
from .types import RoadsideMessage

Observer = Callable[[str, object], None]
"""Called with the name and value of intermediate results."""

RULE_GATE_M = 3.5
"""Largest distance of a pair that is associated by distance (9.2)."""
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


@dataclass(frozen=True)
class Fusion:
    """All N rows after fusion, their scores for ordering (decoder), and what was fused into each row."""

    instances: Instances
    decoder_scores: Tensor
    unit: Tensor
    """(N,) index of the last message that contributed to the row, -1 for none."""
    index: Tensor
    """(N,) place of the contributing instance in that message."""
    affinity: Tensor
    """(N,) of that contribution."""
    own_points: Tensor
    """(N, 3) reference points before anything was fused; NaN for rows that were taken over."""

    def __getitem__(self, rows: Tensor) -> Fusion:
        """Return the rows selected by an index tensor."""
        return Fusion(self.instances[rows], self.decoder_scores[rows], self.unit[rows], self.index[rows],
                      self.affinity[rows], self.own_points[rows])

    @staticmethod
    def start(instances: Instances, decoder_scores: Tensor) -> Fusion:
        """Return the state before the first message."""
        none = torch.full_like(instances.ids, -1)
        return Fusion(instances, decoder_scores, none, none, torch.zeros_like(decoder_scores), instances.ref_points)


def receive(network: CoopTrackNetwork, messages: Sequence[RoadsideMessage], align: Align,
            observe: Observer) -> list[Received]:
    """
    Align messages in ascending unit id, without the host vehicle and instances that two units contribute.

    :param align: see ``Align``.
    """
    ordered = sorted(messages, key=lambda m: m.unit_id)
    received = []
    for message, keep in zip(ordered, distinct(ordered), strict=True):
        indices = np.flatnonzero(keep & usable(network, message))
        if len(indices):
            aligned = align(message, indices)
            observe('aligned', aligned)
            indices = indices[aligned.kept.cpu().numpy()]
            if len(indices):
                received.append(Received(message, aligned, indices))
    return received


def up_to_date(network: CoopTrackNetwork, message: RoadsideMessage, stamp_ns: int,
               flow: FeatureFlow | None = None) -> RoadsideMessage:
    """
    Return a message as it would be now, as far as the configuration wants that.

    :param flow: of the units' model; without one, ``flow`` does what ``geometry`` does.
    """
    wanted, pc_range = network.config.behaviour.compensation, network.config.infra_range.pc_range
    if wanted == 'none':
        return message
    if wanted == 'flow' and flow is not None:
        return carry_on(flow, message, stamp_ns, pc_range)
    return compensate(message, stamp_ns, pc_range)


def usable(network: CoopTrackNetwork, message: RoadsideMessage) -> np.ndarray:
    """Tell (M,) which instances of a message the configuration lets in."""
    if not network.config.behaviour.drop_host:
        return np.ones(len(message.instances), bool)
    return ~is_host(transform_points(message.ego_from_infra, message.instances.boxes.centre))


def align_message(network: CoopTrackNetwork, message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
    """Return the chosen instances of a message in the ego frame (8); differentiable in the weights."""
    device = network.query_points.weight.device
    chosen = message.instances[indices]
    features = (float32(f, device) for f in (chosen.semantic, chosen.motion, chosen.position_embedding))
    return network.align(*features, float32(chosen.ref_points, device), codes_from_boxes(chosen.boxes).to(device),
                         float32(message.ego_from_infra, device))


def float32(values: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)


def match_by_affinity(logits: Tensor, distance_m: Tensor, min_affinity: float,
                      max_distance_m: float) -> tuple[Tensor, Tensor]:
    """
    Assign every received instance to a vehicle row (9.1) within reach, then drop pairs beyond the limits (Q1).

    :param logits: (N, M); :param distance_m: (N, M) between their points.
    :returns: vehicle rows ascending and instance indices.
    """
    affinity = logits.sigmoid()
    cost = (1 - affinity).masked_fill(distance_m > max_distance_m, _OUT_OF_REACH)
    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    rows, columns = torch.from_numpy(rows).to(logits.device), torch.from_numpy(columns).to(logits.device)
    good = (affinity[rows, columns] >= min_affinity) & (distance_m[rows, columns] <= max_distance_m)
    return rows[good], columns[good]


def match_by_distance(points: Tensor, others: Tensor, gate_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return index pairs of the minimum-distance assignment of (N, D) to (M, D) points within a gate, metres (9.2)."""
    if not len(points) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    cost = torch.cdist(points.detach().float(), others.detach().float()).cpu().numpy()
    cost[cost > gate_m] = 1e6
    rows, columns = linear_sum_assignment(cost)
    keep = cost[rows, columns] < 1e5
    return rows[keep], columns[keep]


def aggregate(network: CoopTrackNetwork, fusion: Fusion, aligned: AlignedInstances, rows: Tensor, columns: Tensor,
              affinity: Tensor, unit: int, indices: Tensor, injects: bool = True) -> Fusion:
    """
    Merge matched pairs and add unmatched received instances (10).

    The new order is: merged pairs, unmatched received instances, other rows by descending decoder score (those
    that earlier messages contributed to first); the number of rows stays. Differentiable.

    :param rows: (P,) vehicle rows; :param columns: (P,) instances; :param affinity: (P,);
    :param unit: number of the message; :param indices: (M,) places of the instances in it.
    :param injects: whether unmatched instances are added; otherwise they are left out.
    """
    old = fusion.instances
    pairs = network.aggregation.fuse(
        FusedPairs(old.semantic[rows], old.motion[rows], old.embedding[rows], old.ref_points[rows]),
        FusedPairs(aligned.semantic[columns], aligned.motion[columns], aligned.embedding[columns],
                   aligned.ref_points[columns]))
    merged = replace(fusion[rows], instances=old[rows].with_(**pairs._asdict()), affinity=affinity.detach(),
                     unit=torch.full_like(rows, unit), index=indices[columns])
    others = torch.full((len(aligned.codes),), injects, device=rows.device)
    others[columns] = False
    # More instances than rows: the number of rows stays, and the first ones take the places.
    others &= others.cumsum(0) <= len(old) - len(rows)
    injected = _inject(aligned, others, fusion, unit, indices)
    free = torch.ones(len(old), dtype=torch.bool, device=rows.device)
    free[rows] = False
    rest = torch.nonzero(free).flatten()
    # What an earlier unit contributed must not be pushed out by a later one.
    priority = fusion.decoder_scores[rest] + (fusion.unit[rest] >= 0)
    order = torch.argsort(priority, descending=True, stable=True)
    rest = fusion[rest[order[:len(old) - len(rows) - int(others.sum())]]]
    parts = [merged, injected, rest]
    return Fusion(Instances.concatenate([p.instances for p in parts]),
                  *(torch.cat([getattr(p, name) for p in parts])
                    for name in ('decoder_scores', 'unit', 'index', 'affinity', 'own_points')))


def _inject(aligned: AlignedInstances, chosen: Tensor, fusion: Fusion, unit: int, indices: Tensor) -> Fusion:
    """Return received instances as new rows."""
    slots, classes = fusion.instances.hist_padding.shape[1], fusion.instances.logits.shape[1]
    new = taken_over(AlignedInstances(*(x[chosen] for x in aligned[:-1]), aligned.kept), slots, classes)
    zeros = torch.zeros_like(new.scores)
    return Fusion(new, zeros, torch.full_like(new.ids, unit), indices[chosen], zeros,
                  torch.full_like(new.ref_points, torch.nan))


def taken_over(aligned: AlignedInstances, slots: int, classes: int) -> Instances:
    """Return received instances as rows whose history of ``slots`` frames holds only themselves."""
    new = Instances.new(aligned.ref_points, aligned.semantic, aligned.embedding, slots, classes)
    return new.with_(motion=aligned.motion, codes=aligned.codes, hist_padding=shift_padding(new.hist_padding),
                     hist_semantic=replace_newest(new.hist_semantic, new.semantic),
                     hist_motion=replace_newest(new.hist_motion, aligned.motion))


def match_instances(behaviour: BehaviourConfig, logits: Tensor, own: Tensor,
                    received: Tensor) -> tuple[Tensor, Tensor]:
    """Return pairs of own (N, 3) and received (M, 3) points, metres, as the configuration wants."""
    if behaviour.association == 'rule':
        gate_m = min(behaviour.max_match_distance_m, RULE_GATE_M)
        rows, columns = (torch.from_numpy(i).to(logits.device) for i in match_by_distance(own, received, gate_m))
        return rows, columns
    return match_by_affinity(logits, torch.cdist(own, received), behaviour.min_affinity,
                             behaviour.max_match_distance_m)


def fuse(network: CoopTrackNetwork, fusion: Fusion, received: Sequence[Received], observe: Observer) -> Fusion:
    """Fuse all messages one after another into the decoded rows."""
    behaviour, pc_range = network.config.behaviour, network.config.ego_range.pc_range
    for number, unit in enumerate(received):
        aligned = unit.aligned
        own, others = (denormalize(p, pc_range) for p in (fusion.instances.ref_points, aligned.ref_points))
        # Units never share an object here (duplicates were dropped), so a row takes one instance per frame. Rows out
        # of reach of all instances need no affinity.
        near = (torch.cdist(own, others) <= behaviour.max_match_distance_m).any(-1)
        open_rows = torch.nonzero((fusion.unit < 0) & near & confirmable(network, fusion, unit.message)).flatten()
        rows_now = fusion.instances[open_rows]
        logits = network.association_logits(rows_now.semantic, rows_now.motion, rows_now.ref_points, aligned)
        rows, columns = match_instances(behaviour, logits, own[open_rows], others)
        observe('affinity_logits', logits)
        observe('matches', (rows, columns))
        indices = torch.from_numpy(unit.indices).to(rows.device)
        fusion = aggregate(network, fusion, aligned, open_rows[rows], columns, logits.sigmoid()[rows, columns], number,
                           indices, unit.message.may_create)
    return fusion


def confirmable(network: CoopTrackNetwork, fusion: Fusion, message: RoadsideMessage) -> Tensor:
    """Return the rows (N,) bool that a message may take part in: without trust, what the vehicle sees itself."""
    if message.may_create:
        return torch.ones_like(fusion.unit, dtype=torch.bool)
    return fusion.decoder_scores >= network.config.tracker_cooperative.output_threshold


def adapt(network: CoopTrackNetwork, rows: Instances) -> Instances:
    """Bring the features of all rows into the domain of the cooperative heads, with or without received ones (10)."""
    semantic, motion = network.aggregation.adapt(rows.semantic, rows.motion, rows.embedding)
    return rows.with_(semantic=semantic, motion=motion)
