"""What the second pass of the decoder is taught (SynCL, sections 3 to 5 of the method)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...model.instances.decoder import DecoderOutput
from ...tracking.frame_records import DecodedFrame
from ...tracking.fusion import StageObserver
from ..losses import Term, box_loss, focal_loss
from ..matching import Targets, matching_cost
from ..recipe import LossConfig
from .contrast import ContrastHead, contrast
from .matching import HybridMatch, Pairs, hybrid_match, pairs_of
from .mechanism import is_track, mechanisms
from .settings import SynclConfig


class _Frame(NamedTuple):
    twin: DecoderOutput
    is_track: Tensor
    own_object: Tensor
    targets: Targets


class SynclCriterion:
    """Losses of the second pass; ``modules`` has the contrast head, which exists only in training."""

    def __init__(self, settings: SynclConfig, losses: LossConfig, dims: int):
        """Create the head."""
        self.settings, self.losses = settings, losses
        self.modules = nn.ModuleDict({'syncl_head': ContrastHead(dims)} if settings.contrast_weight else {})
        self.figures: dict[str, float] = {}
        """Of the last frame, those of ``mechanism.SYNCL_FIGURES`` that it has."""

    def __call__(self, seen: DecodedFrame, targets: Targets, observe: StageObserver) -> dict[str, Term]:
        """Return the losses of a frame; none without a second pass or without an object that has a track."""
        self.figures = {}
        rows = seen.queries.instances
        same = (rows.ids[:, None] == targets.ids[None]) & (rows.ids >= 0)[:, None]
        if seen.twin is None or not len(targets) or not same.any():
            return {}
        own_object = torch.where(same.any(1), same.float().argmax(1), -1)
        frame = _Frame(seen.twin, is_track(seen), own_object, targets)
        count = len(seen.twin.logits)
        last = self._match(frame, count - 1, None)
        observe('syncl_match', last)
        pairs = pairs_of(frame.is_track, own_object, last)
        self.figures = mechanisms(seen, targets, last, pairs)
        limit = last.threshold if self.settings.filter_layer == 'last' else None
        layers = range(count) if self.settings.layers == 'all' else [count - 1]
        losses = {}
        for layer in layers:
            match = last if layer == count - 1 else self._match(frame, layer, limit)
            losses |= self._layer(frame, layer, match)
        if self.settings.contrast_weight:
            losses |= self._contrast(frame, pairs)
        return losses

    def _match(self, frame: _Frame, layer: int, limit: float | None) -> HybridMatch:
        costs = matching_cost(frame.twin.logits[layer, 0], frame.twin.boxes[layer, 0], frame.targets, self.losses)
        return hybrid_match(costs.detach(), frame.is_track, frame.own_object, self.settings, limit)

    def _layer(self, frame: _Frame, layer: int, match: HybridMatch) -> dict[str, Term]:
        index, counts, config = match.gt_index, ~match.ignored, self.losses
        positives = int((index >= 0).sum())
        classes = focal_loss(frame.twin.logits[layer, 0][counts], index[counts], frame.targets, config)
        boxes = box_loss(frame.twin.boxes[layer, 0], index, frame.targets, config)
        weight = self.settings.weight
        return {f'syncl{layer}_cls': Term(weight * config.cls_weight * classes, positives),
                f'syncl{layer}_box': Term(weight * config.box_weight * boxes, positives)}

    def _contrast(self, frame: _Frame, pairs: Pairs | None) -> dict[str, Term]:
        """Return the contrastive loss of the last layer; a loss of 0 where a frame has no pair or a single track."""
        head, feats = self.modules['syncl_head'], frame.twin.feats[-1, 0]
        if pairs is None:
            # Every parameter has a gradient in every process.
            return {'syncl_contrast': Term(sum(p.sum() for p in head.parameters()) * 0, 1)}
        objects, tracks = feats[pairs.objects], feats[pairs.tracks]
        with torch.no_grad():
            found = head(objects, tracks).argmax(1)
        self.figures['syncl_retrieval'] = float((found == pairs.positive).float().mean())
        loss = contrast(head, objects, tracks, pairs.positive, self.settings)
        return {'syncl_contrast': Term(self.settings.contrast_weight * loss, 1)}
