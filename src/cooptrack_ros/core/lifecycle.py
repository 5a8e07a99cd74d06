"""Birth, identity, motion and death of tracks (model.md 11)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..model.boxes import denormalize, normalize
from .config import TrackerConfig

NO_ID = -1


@dataclass(frozen=True)
class Instances:
    """
    N instances of one agent: live tracks between frames, or all queries within one.

    Rows of new queries have id -1, empty histories and no previous centre (age 0).
    """

    ref_points: Tensor
    """(N, 3) in 0..1 of the agent's range."""
    semantic: Tensor
    """(N, C) query features; S of the specification."""
    motion: Tensor
    """(N, C)."""
    embedding: Tensor
    """(N, C) positional embeddings, of the points before refinement (Q18)."""
    codes: Tensor
    """(N, 10) box codes."""
    logits: Tensor
    """(N, K) of the last report."""
    scores: Tensor
    """(N,) highest class probability."""
    labels: Tensor
    """(N,) most probable class."""
    ids: Tensor
    """(N,) int64."""
    missed: Tensor
    """(N,) int64, frames in a row below the score threshold."""
    established: Tensor
    """(N,) bool, has been above the score threshold since birth."""
    hist_semantic: Tensor
    """(N, slots, C), newest last."""
    hist_motion: Tensor
    """(N, slots, C)."""
    hist_padding: Tensor
    """(N, slots) bool, True where empty."""
    previous_centre: Tensor
    """(N, 3) geometric box centre of the last frame, metres, in the current lidar frame."""
    previous_age: Tensor
    """(N,) seconds since then, 0 without."""

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self.ids)

    def __getitem__(self, index) -> Instances:
        """Return the rows selected by a mask or an index tensor."""
        return Instances(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def with_(self, **changes) -> Instances:
        """Return a copy with some columns replaced."""
        return replace(self, **changes)

    def detach(self) -> Instances:
        """Return a copy cut off from the gradient."""
        return Instances(**{f.name: getattr(self, f.name).detach() for f in fields(self)})

    @staticmethod
    def concatenate(parts: list[Instances]) -> Instances:
        """Return all rows of ``parts``, in order."""
        return Instances(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Instances)})

    @staticmethod
    def new(ref_points: Tensor, semantic: Tensor, embedding: Tensor, hist_len: int, classes: int) -> Instances:
        """Return instances without a past."""
        n, width = semantic.shape
        zeros, whole = semantic.new_zeros, ref_points.new_zeros(n, dtype=torch.int64)
        return Instances(
            ref_points, semantic, zeros(n, width), embedding, zeros(n, 10), zeros(n, classes), zeros(n), whole,
            whole + NO_ID, whole, whole.bool(), zeros(n, hist_len, width), zeros(n, hist_len, width),
            torch.ones(n, hist_len, dtype=torch.bool, device=semantic.device), zeros(n, 3), zeros(n))


RowPose = tuple[Tensor, Tensor]
"""Pose in row-vector form: p_global = p_lidar @ A + b, see ``core.ego_motion.row_vector_pose``."""


def move_by_velocity(ref_points: Tensor, codes: Tensor, dt_s: float, pc_range: tuple[float, ...]) -> Tensor:
    """Return points (N, 3) in 0..1 moved by the velocity of their boxes in x and y (11.2)."""
    step = ref_points.new_tensor(dt_s)
    extent = ref_points.new_tensor([pc_range[3] - pc_range[0], pc_range[4] - pc_range[1]])
    return torch.cat([ref_points[:, :2] + codes[:, 8:10] * step / extent, ref_points[:, 2:]], dim=-1)


def move_to_frame(points: Tensor, source: RowPose, target: RowPose) -> Tensor:
    """
    Return points (..., 3) in metres, float32, in the lidar frame of another time (11.2).

    Computed in the precision of the poses; the order of operations is the published one.
    """
    world = points.to(source[0].dtype) @ source[0] + source[1]
    return ((world - target[1]) @ torch.linalg.inv(target[0])).to(points.dtype)


def propagate(tracks: Instances, dt_s: float, source: RowPose, target: RowPose,
              pc_range: tuple[float, ...]) -> Instances:
    """
    Carry live tracks over to the next frame: velocity, then the motion of the lidar.

    Yaw, velocity and features stay as they are; the positional embedding must be derived anew from the points.
    The result is detached.
    """
    predicted = move_by_velocity(tracks.ref_points, tracks.codes, dt_s, pc_range)
    points = move_to_frame(denormalize(predicted, pc_range), source, target)
    half_height = torch.nn.functional.pad(tracks.codes[:, 5:6].exp() / 2, (2, 0))
    centre = tracks.codes[:, [0, 1, 4]] + half_height
    codes = torch.cat([points[:, :2], tracks.codes[:, 2:4], points[:, 2:], tracks.codes[:, 5:]], dim=-1)
    return tracks.with_(
        ref_points=normalize(points, pc_range), codes=codes, previous_centre=move_to_frame(centre, source, target),
        previous_age=torch.full_like(tracks.previous_age, dt_s)).detach()


def assign_ids(instances: Instances, next_id: int, threshold: float) -> tuple[Instances, int]:
    """Give a fresh identity to every row without one, in order (11.3); return the next free one too."""
    fresh = instances.ids < 0
    numbers = torch.cumsum(fresh, 0) - 1 + next_id
    ids = torch.where(fresh, numbers, instances.ids)
    established = instances.established | (fresh & (instances.scores > threshold))
    return instances.with_(ids=ids, established=established), next_id + int(fresh.sum())


def survive(instances: Instances, config: TrackerConfig) -> tuple[Instances, Tensor]:
    """Count missed frames and return the instances with the mask (N,) of those that live on (11.4)."""
    seen = instances.scores > config.score_threshold
    missed = torch.where(seen, 0, instances.missed + instances.established.long())
    live = seen | (instances.established & (missed < config.max_age))
    return instances.with_(missed=missed), live
