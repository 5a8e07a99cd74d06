"""Birth, identity, motion and death of tracks (method.md 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..common.method_config import TrackerConfig
from ..model.instances.boxes import Range, denormalize, normalize, points_of, turn_codes, with_points

if TYPE_CHECKING:
    from typing_extensions import Self

NO_ID = -1


class Rows:
    """A frozen dataclass of tensors that have one entry for each of N rows."""

    def __getitem__(self, index) -> Self:
        """Return the rows selected by a mask or an index tensor."""
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def with_(self, **changes) -> Self:
        """Return a copy with some columns replaced."""
        return replace(self, **changes)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return all rows of ``parts``, in order."""
        return cls(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)})


@dataclass(frozen=True)
class Instances(Rows):
    """
    N instances of one agent: live tracks between frames, or all queries within one.

    Rows of new queries have id -1, empty histories and no previous centre (age 0).
    """

    ref_points: Tensor
    """(N, 3) in 0..1 of the agent's range."""
    semantic: Tensor
    """(N, C) query features; S of method.md 6."""
    motion: Tensor
    """(N, C)."""
    embedding: Tensor
    """(N, C) positional embeddings, of the points before refinement (method.md Q18)."""
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
    """(N,) int64, frames in a row below the score threshold; milliseconds where lives are counted in seconds."""
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

    def detach(self) -> Instances:
        """Return a copy cut off from the gradient."""
        return Instances(**{f.name: getattr(self, f.name).detach() for f in fields(self)})

    @staticmethod
    def new(ref_points: Tensor, semantic: Tensor, embedding: Tensor, hist_len: int, classes: int) -> Instances:
        """Return instances without a past."""
        n, width = semantic.shape
        zeros, whole = semantic.new_zeros, ref_points.new_zeros(n, dtype=torch.int64)
        return Instances(
            ref_points, semantic, zeros(n, width), embedding, zeros(n, 10), zeros(n, classes), zeros(n), whole,
            whole + NO_ID, whole, whole.bool(), zeros(n, hist_len, width), zeros(n, hist_len, width),
            torch.ones(n, hist_len, dtype=torch.bool, device=semantic.device), zeros(n, 3), zeros(n))


CARRIED = ('ref_points', 'semantic', 'codes', 'ids', 'missed', 'established', 'hist_semantic', 'hist_motion',
           'hist_padding')
"""The columns of ``Instances`` that a frame takes over from the last one; it makes the others anew."""
REPORTED = ('logits', 'scores', 'labels')
"""The columns that only the refinement heads fill."""
COLUMNS = tuple(f.name for f in fields(Instances))

RowPose = tuple[Tensor, Tensor]
"""Pose in row-vector form: p_global = p_lidar @ A + b, see ``common.ego_motion.row_vector_pose``."""


class FrameTransform(NamedTuple):
    """The way of points from one lidar frame to another: ((points @ turn + place) - origin) @ back."""

    turn: Tensor
    """(3, 3)."""
    place: Tensor
    """(3,) m."""
    origin: Tensor
    """(3,) m."""
    back: Tensor
    """(3, 3)."""

    def __call__(self, points: Tensor) -> Tensor:
        """
        Return points (..., 3) in metres in the other frame; computed in the precision of the transform.

        See method.md 11.2.
        """
        world = points.to(self.turn.dtype) @ self.turn + self.place
        return ((world - self.origin) @ self.back).to(points.dtype)


def frame_transform(source: RowPose, target: RowPose) -> FrameTransform:
    """Return the way between two poses; the order of operations is the published one."""
    return FrameTransform(*source, target[1], torch.linalg.inv(target[0]))


def move_by_velocity(ref_points: Tensor, codes: Tensor, dt_s: float | Tensor, pc_range: Range) -> Tensor:
    """Return points (N, 3) in 0..1 moved by the velocity of their boxes in x and y (method.md 11.2)."""
    step, limits = (x if isinstance(x, Tensor) else ref_points.new_tensor(x) for x in (dt_s, pc_range))
    extent = limits[3:5] - limits[:2]
    return torch.cat([ref_points[:, :2] + codes[:, 8:10] * step / extent, ref_points[:, 2:]], dim=-1)


def move_to_frame(points: Tensor, source: RowPose, target: RowPose) -> Tensor:
    """Return points (..., 3) in metres, float32, in the lidar frame of another time (method.md 11.2)."""
    return frame_transform(source, target)(points)


def propagate(tracks: Instances, dt_s: float, source: RowPose, target: RowPose,
              pc_range: tuple[float, ...], turns: bool) -> Instances:
    """
    Carry live tracks over to the next frame: velocity, then the motion of the lidar.

    Features stay as they are; the positional embedding must be derived anew from the points.

    :param turns: yaw and velocity get the axes of the next frame; in the published method nobody reads them there.
    """
    step, limits = (tracks.ref_points.new_tensor(x) for x in (dt_s, pc_range))
    return carry_over(tracks, step, frame_transform(source, target), limits, turns)


def carry_over(tracks: Instances, dt_s: Tensor, move: FrameTransform, pc_range: Tensor, turns: bool) -> Instances:
    """Do what ``propagate`` does, with time (one element), transform and range (6,) as tensors on the device."""
    predicted = move_by_velocity(tracks.ref_points, tracks.codes, dt_s, pc_range)
    points = move(denormalize(predicted, pc_range))
    half_height = torch.nn.functional.pad(tracks.codes[:, 5:6].exp() / 2, (2, 0))
    codes = turn_codes(tracks.codes, (move.turn @ move.back).to(points.dtype)) if turns else tracks.codes
    return tracks.with_(
        ref_points=normalize(points, pc_range), codes=with_points(codes, points),
        previous_centre=move(points_of(tracks.codes) + half_height),
        previous_age=dt_s.to(tracks.previous_age.dtype).expand_as(tracks.previous_age))


def assign_ids(instances: Instances, next_id: int, threshold: float) -> tuple[Instances, int]:
    """Give a fresh identity to every row without one, in order (method.md 11.3); return the next free one too."""
    numbered, count = number(instances, next_id, threshold)
    return numbered, next_id + int(count)


def number(instances: Instances, next_id: int | Tensor, threshold: float) -> tuple[Instances, Tensor]:
    """Do what ``assign_ids`` does without waiting for a device; return how many identities were given."""
    fresh = instances.ids < 0
    ids = torch.where(fresh, torch.cumsum(fresh, 0) - 1 + next_id, instances.ids)
    established = instances.established | (fresh & (instances.scores > threshold))
    return instances.with_(ids=ids, established=established), fresh.sum()


def survive(instances: Instances, config: TrackerConfig) -> tuple[Instances, Tensor]:
    """
    Count what was missed and return the instances with the mask (N,) of those that live on (method.md 11.4).

    In seconds, a frame counts as much as has passed since the one before.
    """
    seen, established = instances.scores > config.score_threshold, instances.established
    step = torch.round(1e3 * instances.previous_age).long() if config.max_age_s else torch.ones_like(instances.missed)
    missed = (instances.missed + established.long() * step).masked_fill(seen, 0)
    within = missed <= round(1e3 * config.max_age_s) if config.max_age_s else missed < config.max_age
    return instances.with_(missed=missed), seen | (established & within)
