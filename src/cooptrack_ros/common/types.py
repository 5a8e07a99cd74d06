"""Frozen values that every layer exchanges; N, C and V below are numbers of objects, channels and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum, IntEnum

import numpy as np

from .uncertainty import TrackUncertainty


class Side(str, Enum):
    """Which network runs: on the vehicle alone, on the roadside unit, or on the vehicle with received messages."""

    VEHICLE = 'vehicle'
    ROADSIDE = 'roadside'
    COOPERATIVE = 'cooperative'


class Sensors(str, Enum):
    """What an agent looks with."""

    CAMERA = 'camera'
    LIDAR = 'lidar'
    BOTH = 'camera+lidar'

    @property
    def has_camera(self) -> bool:
        """Whether images are used."""
        return self is not Sensors.LIDAR

    @property
    def has_lidar(self) -> bool:
        """Whether point clouds are used."""
        return self is not Sensors.CAMERA


SENSORS = tuple(sensors.value for sensors in Sensors)
"""Their names, the usual one first."""


class Provenance(IntEnum):
    """Who contributed to a track in a frame; lower-case names stand in results, ``wire.tracks`` has the constants."""

    EGO = 0
    ROADSIDE = 1
    FUSED = 2


@dataclass(frozen=True)
class Boxes:
    """
    A set of N oriented boxes in one frame (x forward, y left, z up, metres).

    ``centre`` is the geometric centre (N, 3), ``size`` is length, width, height (N, 3), ``yaw`` is
    counter-clockwise about +z with 0 along +x (N,), ``velocity`` is vx, vy in m/s (N, 2; NaN where
    unknown), ``label`` indexes the class names of the model or of the data set (N,), ``score`` is 0..1
    (N,), ``track_id`` is an identity or -1 (N,).
    """

    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    velocity: np.ndarray
    label: np.ndarray
    score: np.ndarray
    track_id: np.ndarray

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.centre)

    def __getitem__(self, index) -> Boxes:
        """Return the boxes selected by a mask, slice or integer array."""
        return Boxes(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def empty() -> Boxes:
        """Return a set of no boxes."""
        return Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros((0, 2)),
                     np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))

    @staticmethod
    def concatenate(sets: list[Boxes]) -> Boxes:
        """Return all boxes of ``sets``, in order."""
        if not sets:
            return Boxes.empty()
        return Boxes(**{f.name: np.concatenate([getattr(s, f.name) for s in sets]) for f in fields(Boxes)})

    def with_(self, **changes) -> Boxes:
        """Return a copy with some arrays replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class InstanceSet:
    """
    What one agent knows of N live instances and sends to another (method.md 7).

    ``boxes`` are in the sender's lidar frame; ``ref_points`` (N, 3) float32 are the refined reference
    points normalised to the sender's range; ``semantic``, ``motion`` and ``position_embedding`` are (N, C)
    float32; ``previous_position`` (N, 3) float32 is the box centre ``previous_age_s`` (N,) seconds
    before, in the same frame (age 0: no earlier position). ``position_points`` (N, 3) float32, normalised
    like the reference points, are those before the last refinement, which the roadside embeddings stand for.
    """

    boxes: Boxes
    ref_points: np.ndarray
    semantic: np.ndarray
    motion: np.ndarray
    position_embedding: np.ndarray
    previous_position: np.ndarray
    previous_age_s: np.ndarray
    position_points: np.ndarray

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self.boxes)

    def __getitem__(self, index) -> InstanceSet:
        """Return the instances selected by a mask, slice or integer array."""
        return InstanceSet(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def empty(feature_dim: int) -> InstanceSet:
        """Return a set of no instances with ``feature_dim`` channels."""
        return InstanceSet.of_boxes(Boxes.empty(), feature_dim)

    @staticmethod
    def of_boxes(boxes: Boxes, feature_dim: int = 0) -> InstanceSet:
        """Return instances of which nothing but N boxes is known: points, earlier positions and features are 0."""
        rows, feature = np.zeros((len(boxes), 3), np.float32), np.zeros((len(boxes), feature_dim), np.float32)
        return InstanceSet(boxes, rows, feature, feature, feature, rows, np.zeros(len(boxes), np.float32), rows)


@dataclass(frozen=True)
class Frame:
    """
    Everything one agent's tracker needs for one time step.

    ``images`` are V uint8 BGR images (H, W, 3); ``img_from_lidar`` (V, 4, 4) float64 projects
    homogeneous lidar points to pixels of these images (not necessarily a rotation inside);
    ``ego_from_lidar`` and ``global_from_ego`` are 4x4 float64. ``stamp_ns`` is the network's time. ``cloud`` (N, 4)
    float32 is x, y, z in the lidar frame and intensity 0 to 1, None without one; with it there may be no image.
    """

    sequence: str
    stamp_ns: int
    images: tuple[np.ndarray, ...]
    img_from_lidar: np.ndarray
    ego_from_lidar: np.ndarray
    global_from_ego: np.ndarray
    cloud: np.ndarray | None = None

    @property
    def global_from_lidar(self) -> np.ndarray:
        """Pose of the lidar in the world, 4x4."""
        return self.global_from_ego @ self.ego_from_lidar


@dataclass(frozen=True)
class RoadsideMessage:
    """One received set of roadside instances with the exact pose of its unit in the ego lidar frame."""

    unit_id: str
    stamp_ns: int
    instances: InstanceSet
    ego_from_infra: np.ndarray
    """4x4 float64: ego lidar point = ego_from_infra @ roadside lidar point (not always rigid)."""
    earlier: tuple[RoadsideMessage, ...] = ()
    """What is known of its messages of the second before, oldest first; only stamps and instances count."""
    may_create: bool = True
    """Whether the unit may add objects; otherwise it only takes part in what the vehicle sees itself."""
    motion: tuple[np.ndarray, np.ndarray] | None = None
    """What ``compensation.fitted_velocities`` says of the message, where that is known already."""
    looked_at: np.ndarray | None = None
    """(N,) bool, the instances that count where units send more than a frame can take; None: all."""
    session: int = 0
    """Of the unit, drawn when it starts: the identities of its objects hold within one."""
    uncertainty: TrackUncertainty | None = None
    """What the unit states of its boxes, in its lidar frame at its stamp; None: nothing."""


@dataclass(frozen=True)
class Match:
    """
    One association: reported track, roadside unit, index and track id of its instance, affinity in 0..1.

    ``ego_score`` is what the ego vehicle gave the object when it last saw it without the help of messages, 0 if that
    was too long ago or never (``tracking.sight``).
    """

    track_id: int
    unit_id: str
    infra_index: int
    infra_track_id: int
    affinity: float
    ego_score: float = 0.0


@dataclass(frozen=True)
class EgoOnlyDetections:
    """Detections of an agent alone: ``points`` (N, 3) m in its lidar frame, decoder ``scores`` (N,) 0..1."""

    points: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class FrameOutput:
    """
    Result of one tracker step, in the agent's lidar frame.

    ``tracks`` are the reported boxes (score at or above the report threshold, the published rule);
    ``live`` (N,) bool marks those that carry on to the next frame; ``detections`` are the 300 best of all
    queries without threshold; ``instances`` is the message content; ``matches`` are this frame's fusions
    of live tracks; ``unseen`` are the identities of those that messages spoke of and that the agent does not see by
    itself; ``left_out`` counts by unit and reason what units sent and the frame had no room or time for; ``reset`` says
    whether the step started from an empty state.
    """

    stamp_ns: int
    tracks: Boxes
    live: np.ndarray
    detections: Boxes
    instances: InstanceSet
    matches: tuple[Match, ...] = ()
    reset: bool = False
    stage_seconds: dict[str, float] = field(default_factory=dict)
    unseen: frozenset[int] = frozenset()
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
