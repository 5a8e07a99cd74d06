"""The host's part of fusion: received instances into slots, and who goes with whom (method.md 8 to 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...common.config import ModelConfig
from ...common.types import RoadsideMessage
from ...cooperation.limits import Limits, best
from ...model.cooperation.alignment import AlignedInstances
from ...model.fast.network import FastNetwork
from ...model.instances.boxes import codes_from_boxes, denormalize
from ..fusion import (
    Association,
    Fusion,
    Reach,
    Received,
    associate,
    float32,
    not_added,
    open_rows,
    order_rows,
    receive,
    rooms,
)
from ..lifecycle import NO_ID
from ..opinions import said_logits
from .cooperative import Layout, Slots


def place(network: FastNetwork, messages: Sequence[RoadsideMessage], slots: int) -> list[Received]:
    """
    Return what ``tracking.fusion.receive`` returns, on the CPU and with features as they were sent.

    :param slots: how many instances of a unit there is room for; those with the highest scores stay.
    """
    def align(message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
        chosen, host = message.instances[indices], torch.device('cpu')
        points, codes, kept = network.alignment.place(
            float32(chosen.ref_points, host), codes_from_boxes(chosen.boxes), float32(message.ego_from_infra, host))
        features = (float32(f, host)[kept] for f in (chosen.semantic, chosen.motion, chosen.position_embedding))
        return AlignedInstances(*features, points, codes, kept)
    return [_best(r, slots) for r in receive(network, messages, align, lambda name, value: None)]


def _best(received: Received, slots: int) -> Received:
    if len(received.indices) <= slots:
        return received
    chosen = best(received.message.instances.boxes.score[received.indices], slots)
    aligned = received.aligned
    return replace(received, indices=received.indices[chosen], aligned=AlignedInstances(
        *(x[torch.from_numpy(chosen)] for x in aligned[:-1]), aligned.kept))


def fill_slots(received: Sequence[Received], slots: int, width: int, classes: int) -> Slots:
    """Return the placed instances of all units, of ``width`` channels, in ``slots`` places each."""
    units = len(received)
    widths = (width, width, width, 3, 10, classes)
    filled = [torch.zeros(units, slots, w) for w in widths]
    poses = torch.zeros(units, 4, 4)
    for unit, one in enumerate(received):
        for column, values in zip(filled, (*one.aligned[:-1], said_logits(one, classes)), strict=True):
            column[unit, :len(values)] = values
        poses[unit] = torch.from_numpy(one.message.ego_from_infra)
    return Slots(*filled, poses)


def arrange(config: ModelConfig, received: Sequence[Received], slots: int, start: Fusion, logits: Tensor,
            has_time: Callable[[], bool] = lambda: True) -> tuple[Fusion, Layout]:
    """
    Associate all units, one after another, and say how the rows are put together, as ``tracking.fusion`` does it.

    :param start: N rows after reasoning, of which only points and identities count; :param logits: (N, K); all on the
        CPU.
    :param has_time: whether there is still time for a unit.
    :returns: what was fused into which row of the result (its instances are those of the start), and the result as
        indices.
    """
    (count, candidates), method, pc_range = logits.shape, config.method, config.ego_range.pc_range
    fusion, sources, points, ids = start, start.sources, start.instances.ref_points, start.instances.ids
    # Row or N + candidate that each row comes from, and the candidate that it is merged with, -1 for none.
    origin, partner = torch.arange(count), torch.full((count,), -1)
    for number, (unit, room) in enumerate(zip(received, rooms(Limits.of(config), sources, received), strict=True)):
        if not has_time():
            fusion = fusion.without(unit, 'no_time', len(unit.indices))
            continue
        numbers, there = number * slots + torch.arange(len(unit.indices)), unit.aligned.ref_points
        own, others = (denormalize(p, pc_range) for p in (points, there))
        reach = Reach.of(method, unit, ids)
        chosen = open_rows(reach.near(own, others), sources, unit.message)
        known = logits[origin[chosen][:, None], numbers]
        near, columns = associate(own[chosen], others, known, method, reach[chosen])
        order = order_rows(sources, Association(known, chosen[near], columns, known.sigmoid()[near, columns]),
                           unit.scores, room)
        fusion = fusion.without(unit, 'no_room', not_added(unit, order))
        sources = sources.after(order, number, torch.from_numpy(unit.indices))
        new = torch.full_like(order.injected, -1)
        pairs = points[order.rows]
        if method.cooperation == 'whole':
            pairs = (pairs + there[columns]) / 2
        points = torch.cat([pairs, there[order.injected], points[order.rest]])
        ids = torch.cat([ids[order.rows], torch.full_like(order.injected, NO_ID), ids[order.rest]])
        origin = torch.cat([origin[order.rows], count + numbers[order.injected], origin[order.rest]])
        partner = torch.cat([numbers[columns], new, partner[order.rest]])
    merged = torch.nonzero(partner >= 0).flatten()
    pair_rows, pair_slots = (torch.zeros(candidates, dtype=torch.int64) for _ in range(2))
    pair_rows[:len(merged)], pair_slots[:len(merged)] = origin[merged], partner[merged]
    features = origin.clone()
    features[merged] = count + candidates + torch.arange(len(merged))
    return replace(fusion, sources=sources), Layout(pair_rows, pair_slots, origin, features)
