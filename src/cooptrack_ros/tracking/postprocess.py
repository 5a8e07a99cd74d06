"""What a frame reports: tracks, detections and the message (method.md 7, 12)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import Boxes, InstanceSet, Side
from ..model.instances.boxes import POINT_DIMS, boxes_from_codes
from .lifecycle import Instances


def report(instances: Instances, config: ModelConfig, side: Side, chosen: Tensor) -> tuple[Boxes, Tensor]:
    """Return the best of the chosen instances (N,) inside the reported range, highest score first, and their rows."""
    rows = torch.nonzero(chosen).flatten()
    order = torch.argsort(instances.scores[rows], descending=True, stable=True)
    rows = rows[order[:config.tracker_of(side).max_detections]]
    x0, y0, z0, x1, y1, z1 = config.range_of(side).post_center_range
    points = instances.codes[rows][:, POINT_DIMS]
    inside = ((points >= points.new_tensor([x0, y0, z0])) & (points <= points.new_tensor([x1, y1, z1]))).all(-1)
    rows = rows[inside]
    return boxes_of(instances, rows), rows


def boxes_of(instances: Instances, rows: Tensor) -> Boxes:
    """Return the boxes of some rows, in order."""
    return boxes_from_codes(*(values[rows] for values in (
        instances.codes, instances.labels, instances.scores, instances.ids)))


def message_of(instances: Instances, live: Tensor, position_points: Tensor) -> InstanceSet:
    """Return the message content of the live rows; all embeddings stand for points (N, 3) in 0..1."""
    def array(values: Tensor) -> np.ndarray:
        return values[live].detach().cpu().numpy()
    return InstanceSet(
        boxes_of(instances, live), array(instances.ref_points), array(instances.semantic), array(instances.motion),
        array(instances.embedding), array(instances.previous_centre), array(instances.previous_age),
        array(position_points))
