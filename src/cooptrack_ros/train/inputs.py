"""Training frames as tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..core.config import ModelConfig
from ..core.ego_motion import can_bus
from ..core.timeline import Moment
from ..core.types import Boxes, Frame
from ..model.boxes import codes_from_boxes
from ..model.preprocess import fit_image, normalize_image, prepare_projection
from .augment import photometric
from .matching import Targets


def image_tensor(frame: Frame, config: ModelConfig, rng: np.random.Generator, photometric_probability: float) -> Tensor:
    """Return the pictures as (V, 3, H, W), scaled, with random colours, normalised and padded."""
    images = [normalize_image(photometric(fit_image(i, config), rng, photometric_probability), config)
              for i in frame.images]
    return torch.from_numpy(np.stack(images))


def moment_of(frame: Frame) -> Moment:
    """Return time and place of a frame."""
    return Moment(frame.sequence, frame.stamp_ns, frame.global_from_lidar, can_bus(frame.global_from_ego))


def projections(frame: Frame, config: ModelConfig) -> np.ndarray:
    """Return (V, 4, 4) projections to pixels of the network input."""
    return np.stack([prepare_projection(p, i.shape, config)
                     for p, i in zip(frame.img_from_lidar, frame.images, strict=True)])


def targets_of(boxes: Boxes) -> Targets:
    """Return the objects as tensors; an unknown velocity counts as 0."""
    return Targets(torch.nan_to_num(codes_from_boxes(boxes)), torch.from_numpy(boxes.label.astype(np.int64)),
                   torch.from_numpy(boxes.track_id.astype(np.int64)))
