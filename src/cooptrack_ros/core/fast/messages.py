"""The host's part of fusion: received instances into slots, and who goes with whom (model.md 8 to 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...model.alignment import AlignedInstances
from ...model.association import FusedPairs
from ...model.boxes import codes_from_boxes
from ...model.fast.network import FastNetwork
from ..config import ModelConfig
from ..fusion import Fusion, Received, float32, fuse, receive
from ..lifecycle import Instances
from ..types import RoadsideMessage
from .cooperative import Layout, Slots


def place(network: FastNetwork, messages: Sequence[RoadsideMessage], slots: int) -> list[Received]:
    """
    Return what ``core.fusion.receive`` returns, on the CPU and with features as they were sent.

    :param slots: how many instances of a unit there is room for; those with the highest scores stay.
    """
    def align(message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
        chosen, host = message.instances[indices], torch.device('cpu')
        points, codes, kept = network.alignment.place(
            float32(chosen.ref_points, host), codes_from_boxes(chosen.boxes), float32(message.ego_from_infra, host))
        features = (float32(f, host)[kept] for f in (chosen.semantic, chosen.motion, chosen.embedding))
        return AlignedInstances(*features, points, codes, kept)
    return [_best(r, slots) for r in receive(network, messages, align, lambda name, value: None)]


def _best(received: Received, slots: int) -> Received:
    if len(received.indices) <= slots:
        return received
    scores = received.message.instances.boxes.score[received.indices]
    best = np.sort(np.argsort(-scores, kind='stable')[:slots])
    aligned = received.aligned
    return replace(received, indices=received.indices[best], aligned=AlignedInstances(
        *(x[torch.from_numpy(best)] for x in aligned[:-1]), aligned.kept))


def fill_slots(received: Sequence[Received], slots: int, width: int) -> Slots:
    """Return the placed instances of all units, of ``width`` channels, in ``slots`` places each."""
    units = len(received)
    widths = (width, width, width, 3, 10)
    filled = [torch.zeros(units, slots, w) for w in widths]
    poses = torch.zeros(units, 4, 4)
    for unit, one in enumerate(received):
        for column, values in zip(filled, one.aligned[:-1], strict=True):
            column[unit, :len(values)] = values
        poses[unit] = torch.from_numpy(one.message.ego_from_infra)
    return Slots(*filled, poses)


class _Places:
    """Stands for the network where rows and candidates are mere numbers, so that fusion runs on the host."""

    def __init__(self, config: ModelConfig, logits: Tensor):
        self.config, self.aggregation, self._logits = config, self, logits

    def association_logits(self, semantic: Tensor, motion: Tensor, ref_points: Tensor,
                           infra: AlignedInstances) -> Tensor:
        rows, columns = semantic[:, 0].long(), infra.semantic[:, 0].long() - len(self._logits)
        return self._logits[rows[:, None], columns]

    def fuse(self, vehicle: FusedPairs, infra: FusedPairs) -> FusedPairs:
        return vehicle._replace(motion=infra.semantic)


def arrange(config: ModelConfig, received: Sequence[Received], slots: int, ref_points: Tensor,
            decoder_scores: Tensor, logits: Tensor) -> tuple[Fusion, Layout]:
    """
    Fuse all units by the rules of ``core.fusion.fuse``, with numbers in place of features.

    :param ref_points: (N, 3) after reasoning; :param decoder_scores: (N,); :param logits: (N, K); on the CPU.
    :returns: what was fused into which row (its features mean nothing), and the same as indices.
    """
    count, candidates = logits.shape
    numbers = torch.arange(count + candidates, dtype=torch.float32)[:, None]
    blank = numbers.new_zeros(count, 0)
    rows = Instances.new(ref_points, numbers[:count], blank, hist_len=0, classes=0).with_(
        codes=blank, motion=torch.full_like(numbers[:count], -1))
    numbered = []
    for unit, one in enumerate(received):
        here = numbers[count + unit * slots:][:len(one.indices)]
        blank = here.new_zeros(len(here), 0)
        numbered.append(replace(one, aligned=AlignedInstances(
            here, torch.full_like(here, -1), blank, one.aligned.ref_points, blank, one.aligned.kept)))
    fusion = fuse(_Places(config, logits), Fusion.start(rows, decoder_scores), numbered, lambda name, value: None)
    origin, partner = (x[:, 0].long() for x in (fusion.instances.semantic, fusion.instances.motion))
    merged = torch.nonzero(partner >= 0).flatten()
    pair_rows, pair_slots = (torch.zeros(candidates, dtype=torch.int64) for _ in range(2))
    pair_rows[:len(merged)], pair_slots[:len(merged)] = origin[merged], partner[merged] - count
    features = origin.clone()
    features[merged] = count + candidates + torch.arange(len(merged))
    return fusion, Layout(pair_rows, pair_slots, origin, features)
