"""What one frame is taught: losses of stage 1 (one agent) and stage 2 (with received messages) (method.md 13.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from ..common.config import ModelConfig
from ..common.types import Side
from ..tracking.frame_records import DecodedFrame, TrackedFrame, TrackerInput
from ..tracking.fusion import StageObserver
from .dense_heads import (
    BEV_MOTIONS,
    BEV_VALUES,
    IMAGE_MOTIONS,
    IMAGE_VALUES,
    DenseHead,
    bev_targets,
    image_targets,
)
from .losses import Term, association_loss, refined_output, spreads, supervised_output
from .matching import Assignment, Targets, assign, association_labels
from .recipe import TrainConfig
from .syncl.criterion import SynclCriterion


class Supervision(NamedTuple):
    """The losses of a frame, and which object each of its rows stands for."""

    losses: dict[str, Term]
    assignment: Assignment
    """Of the rows of the whole frame where there is one, else of the queries."""


class Criterion:
    """
    Reads the record of a frame and says how far it is from the truth; holds the heads that exist only in training.

    ``modules`` has a dense head for each of the two heat maps whose loss has a weight.
    """

    def __init__(self, config: ModelConfig, side: Side, train_config: TrainConfig):
        """Create the heads."""
        self.config, self.side, self.weights = config, side, train_config.losses
        size = config.embed_dims, len(config.class_names)
        self.modules = nn.ModuleDict()
        self._adds = config.adds(side)
        if self._adds:
            # The features that these heads would train are the vehicle's, which stay as they are.
            self.weights = replace(self.weights, bev_heatmap_weight=0.0, image_heatmap_weight=0.0)
        if self.weights.bev_heatmap_weight:
            self.modules['bev_head'] = DenseHead(*size, BEV_VALUES, BEV_MOTIONS, spreads(self.weights))
        self._syncl = SynclCriterion(train_config.syncl, self.weights, config.embed_dims)
        if train_config.syncl.twin:
            self.modules.update(self._syncl.modules)
        if self.weights.image_heatmap_weight:
            self.modules['image_head'] = DenseHead(*size, IMAGE_VALUES, IMAGE_MOTIONS, spreads(self.weights))

    @property
    def figures(self) -> dict[str, float]:
        """Figures of the last frame that are no losses."""
        return self._syncl.figures

    def __call__(self, seen: DecodedFrame, frame: TrackedFrame | None, inputs: TrackerInput, targets: Targets,
                 observe: StageObserver) -> Supervision:
        """
        Return what a frame costs.

        :param frame: the rest of it, None where only the decoder is trained.
        """
        ids, out = seen.queries.instances.ids, seen.decoded
        assignments = [assign(out.logits[i, 0], out.boxes[i, 0], ids, targets, self.weights)
                       for i in range(len(out.logits))]
        losses = self._dense(seen, inputs, targets) | self._syncl(seen, targets, observe)
        if self.side is not Side.COOPERATIVE or (self.config.method.aux_losses_stage2 and not self._adds):
            for i, assignment in enumerate(assignments):
                losses |= supervised_output(
                    f'layer{i}', out.logits[i, 0], out.boxes[i, 0], assignment, targets, self.weights)
        if frame is None:
            return Supervision(losses, assignments[-1])
        losses |= self._association(frame, targets, observe)
        return self._refined(frame, assignments[-1], targets, losses)

    def _association(self, frame: TrackedFrame, targets: Targets, observe: StageObserver) -> dict[str, Term]:
        """Return the loss of the affinities of those rows that the decoder is sure of, with the last unit."""
        losses = {}
        for unit, found in zip(frame.seen.received, frame.associations, strict=False):
            sure = frame.seen.decoder_scores > self.weights.association_min_score
            label = association_labels(
                frame.reasoned.codes[sure], unit.aligned.codes, targets, self.weights.association_gate_m)
            observe('association_label', label)
            observe('sure', sure)
            losses['association'] = Term(association_loss(found.logits[sure], label, self.weights), 1)
        return losses

    def _refined(self, frame: TrackedFrame, assignment: Assignment, targets: Targets,
                 losses: dict[str, Term]) -> Supervision:
        """Add the losses of what the refinement heads say."""
        rows = frame.rows
        if self.side is Side.COOPERATIVE:
            assignment = assign(rows.logits, rows.codes, rows.ids, targets, self.weights)
            losses |= supervised_output('fused', rows.logits, rows.codes, assignment, targets, self.weights)
        if self._adds:
            # What was taken over passes as it was said, but must also be something that the vehicle's heads can read.
            spoken = frame.fusion.sources.unit >= 0
            losses |= refined_output(frame.refined.logits[spoken], frame.refined.codes[spoken],
                                     assignment.gt_index[spoken], targets, self.weights)
        if self.side is not Side.COOPERATIVE or self.config.method.dup_ref_loss:
            losses |= refined_output(rows.logits, rows.codes, assignment.gt_index, targets, self.weights)
        return Supervision(losses, assignment)

    def _dense(self, seen: DecodedFrame, inputs: TrackerInput, targets: Targets) -> dict[str, Term]:
        """Return the losses of the heads that exist only in training."""
        config, classes = self.config, len(self.config.class_names)
        boxes, losses = targets.boxes(), {}
        if 'bev_head' in self.modules:
            target = bev_targets(boxes, config.range_of(self.side).pc_range, config.bev_size, classes)
            maps = seen.bev.transpose(1, 2).unflatten(2, config.bev_size)
            losses['bev_heatmap'] = self._heatmap('bev_head', maps, [target], self.weights.bev_heatmap_weight)
        if 'image_head' in self.modules and seen.features is None:
            losses['image_heatmap'] = Term(seen.bev.sum() * 0, 0)
        elif 'image_head' in self.modules:
            truth = [image_targets(boxes, p, config.input_size, seen.features.shape[-2:], classes)
                     for p in inputs.img_from_lidar]
            losses['image_heatmap'] = self._heatmap(
                'image_head', seen.features[0], truth, self.weights.image_heatmap_weight)
        return losses

    def _heatmap(self, head: str, maps: Tensor, targets: list, weight: float) -> Term:
        return Term(weight * self.modules[head].loss(maps, targets), 1)
