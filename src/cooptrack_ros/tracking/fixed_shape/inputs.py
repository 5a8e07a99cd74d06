"""What the host works out for a frame before the device starts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...common.config import ModelConfig
from ...common.ego_motion import row_vector_pose
from ...common.timeline import StampedPose
from ...common.types import Side
from ...model.bev.geometry import bev_motion
from ..lifecycle import FrameTransform, frame_transform
from .step import StepInput


def step_input(config: ModelConfig, side: Side, images: Tensor, now: StampedPose, previous: StampedPose | None,
               take: Tensor, next_id: int) -> StepInput:
    """
    Return the input of a frame on the CPU.

    :param images: see ``StepInput``; :param previous: the pose of the last frame, None for a fresh start.
    :param take: see ``StepInput``; :param next_id: the next free identity.
    """
    motion = bev_motion(config, side, now, previous)
    dt_s = 0.0 if previous is None else now.seconds_since(previous)
    return StepInput(images, motion.vector, motion.shift, motion.grid, torch.tensor([previous is None]), take,
                     torch.tensor([dt_s], dtype=torch.float32), _frame_transform(config, now, previous or now),
                     torch.tensor([next_id]))


def _frame_transform(config: ModelConfig, now: StampedPose, previous: StampedPose) -> FrameTransform:
    """
    Return the way from one frame to the next, float32.

    Published: by way of the world (method.md Q24). Else the relative pose, worked out in float64, so that the device
    needs no more than float32.
    """
    if config.method.ego_motion_input == 'published':
        poses = (row_vector_pose(m.global_from_lidar) for m in (previous, now))
        return frame_transform(*(tuple(torch.from_numpy(x) for x in pose) for pose in poses))
    now_from_before = np.linalg.inv(now.global_from_lidar) @ previous.global_from_lidar
    return FrameTransform(torch.from_numpy(now_from_before[:3, :3].T.astype(np.float32)),
                   torch.from_numpy(now_from_before[:3, 3].astype(np.float32)), torch.zeros(3), torch.eye(3))


def rows_to_take(count: int, live: Tensor, order: Tensor) -> Tensor:
    """
    Return where the rows of a frame come from, see ``StepInput.take``: new queries first, then live tracks.

    See method.md 5.1.

    :param live: (n,) int64 live rows of the state; :param order: (count,) permutation of the queries, used if n > 0.
    """
    if not len(live):
        return torch.arange(count)
    return torch.cat([order[:max(count - len(live), 0)], live + count])
