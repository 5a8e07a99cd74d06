"""Training frames as tensors."""

from __future__ import annotations

import numpy as np
import torch

from ..common.config import ModelConfig
from ..common.ego_motion import can_bus
from ..common.timeline import StampedPose
from ..common.types import Boxes, Frame, Side
from ..model.image.preprocess import fit_image, normalize_image
from ..model.image.view import network_views
from ..model.instances.boxes import codes_from_boxes
from ..tracking.frame_records import TrackerInput
from .augment import grid_mask, photometric
from .matching import Targets
from .recipe import AugmentConfig


def tracker_input(frame: Frame, side: Side, model: ModelConfig, augment: AugmentConfig,
                  rng: np.random.Generator) -> TrackerInput:
    """Return a frame as the network of ``side`` takes it, its images cut, scaled, recoloured, normalised and masked."""
    seen, projections = network_views(frame, model, side)
    images = [normalize_image(photometric(fit_image(i, model), rng, augment.photometric_probability), model)
              for i in seen]
    stacked = np.stack(images) if images else np.zeros(0, np.float32)
    if rng.random() < augment.grid_mask_probability and images:
        stacked *= grid_mask(*stacked.shape[-2:], rng)
    stamped_pose = StampedPose(frame.sequence, frame.stamp_ns, frame.global_from_lidar, can_bus(frame.global_from_ego))
    return TrackerInput(stamped_pose, torch.from_numpy(stacked), projections,
                        None if frame.cloud is None else torch.from_numpy(frame.cloud))


def targets_of(boxes: Boxes) -> Targets:
    """Return the objects as tensors; an unknown velocity stays NaN."""
    return Targets(codes_from_boxes(boxes), torch.from_numpy(boxes.label.astype(np.int64)),
                   torch.from_numpy(boxes.track_id.astype(np.int64)))
