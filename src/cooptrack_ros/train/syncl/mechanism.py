"""Figures that tell whether the parts of SynCL do what they are meant to, beside what they are worth."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ...model.instances.decoder import DecoderOutput
from ...tracking.frame_records import DecodedFrame
from ..matching import Targets
from .matching import HybridMatch, Pairs

SYNCL_FIGURES = ('syncl_threshold', 'syncl_retrieval', 'syncl_candidates', 'syncl_cosine')
"""
In the log of a run: the dearest cost of a pair that counts, which should fall; the share of object queries whose
highest kernel value is the right track; see ``candidates_per_object`` and ``closeness``.
"""
_NEAR_M, _SURE = 2.0, 0.3


@torch.no_grad()
def mechanisms(seen: DecodedFrame, targets: Targets, match: HybridMatch, pairs: Pairs | None) -> dict[str, float]:
    """Return the figures of a frame that was decoded twice, without the retrieval, which needs the contrast head."""
    found = {'syncl_candidates': candidates_per_object(seen.twin, ~is_track(seen), targets)}
    if match.threshold is not None:
        found['syncl_threshold'] = match.threshold
    return found if pairs is None else {**found, 'syncl_cosine': closeness(seen.decoded, pairs)}


def is_track(seen: DecodedFrame) -> torch.Tensor:
    """Return which rows (N,) were carried over from the last frame."""
    return seen.queries.instances.previous_age > 0


def candidates_per_object(output: DecoderOutput, rows: torch.Tensor, targets: Targets) -> float:
    """Return how many of some rows (N,) bool are sure of an object within 2 m, per object; one stands for one."""
    points, sure = output.boxes[-1, 0, :, :2], output.logits[-1, 0].sigmoid().amax(-1) > _SURE
    nearest = torch.cdist(points[rows & sure], targets.codes[:, :2]).amin(1)
    return float((nearest < _NEAR_M).sum() / len(targets))


def closeness(output: DecoderOutput, pairs: Pairs) -> float:
    """Return by how much embeddings of one object are closer (cosine) than those of two."""
    feats = F.normalize(output.feats[-1, 0], dim=-1)
    cosine = feats[pairs.objects] @ feats[pairs.tracks].T
    same = F.one_hot(pairs.positive, len(pairs.tracks)).bool()
    return float(cosine[same].mean() - cosine[~same].mean())
