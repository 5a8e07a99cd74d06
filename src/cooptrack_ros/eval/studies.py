"""Edits of what a network is given that only measurements make: lost features, two poses, BEV features from before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.errors import UserError
from ..common.types import EgoOnlyDetections, Frame, FrameOutput, InstanceSet, RoadsideMessage
from ..model.cooperation.alignment import AlignedInstances
from ..tracking.fixed_shape.tracker import StepTracker
from ..tracking.frame_records import Past, TrackerInput
from ..tracking.frame_stages import FrameStages, Mark
from ..tracking.fusion import StageObserver, float32
from ..tracking.tracker import AgentTracker


def without_features(message: RoadsideMessage) -> RoadsideMessage:
    """Return a message whose features were lost on the way, 0: shows what they are worth. Boxes, points, pose stay."""
    return replace(message, instances=_featureless(message.instances),
                   earlier=tuple(replace(m, instances=_featureless(m.instances)) for m in message.earlier))


def _featureless(instances: InstanceSet) -> InstanceSet:
    names = ('semantic', 'motion', 'position_embedding')
    return replace(instances, **{name: np.zeros_like(getattr(instances, name)) for name in names})


@dataclass(frozen=True)
class TwoPoseMessage(RoadsideMessage):
    """A message that is placed by one pose and whose features are aligned by another, for studies of wrong poses."""

    alignment_pose: np.ndarray | None = None
    """(4, 4) float64 that takes the place of ``ego_from_infra`` in the latent alignment."""


@dataclass(frozen=True)
class SeenInput(TrackerInput):
    """A frame whose BEV features are known from an earlier run, so that its images are not needed."""

    bev: Tensor | None = None
    """(1, cells, C)."""


class StudyStages(FrameStages):
    """The stages of a frame with the edits of studies; without one they are the same."""

    @staticmethod
    def put_into(tracker: AgentTracker) -> None:
        """
        Let a tracker run with these stages.

        :raises UserError: for one whose frame is a step of fixed shapes.
        """
        if isinstance(tracker, StepTracker):
            raise UserError("studies need the stages of a frame one by one, which execution 'graph' does not have")
        old = tracker.stages
        tracker.stages = StudyStages(old.network, old.config, old.side, old.device, old.flow, old.lidar)

    def encode(self, inputs: TrackerInput, past: Past | None, observe: StageObserver,
               mark: Mark) -> tuple[Tensor | None, Tensor]:
        """Return the features of a frame; those of an earlier run where they are known."""
        known = isinstance(inputs, SeenInput)
        return (None, inputs.bev) if known else super().encode(inputs, past, observe, mark)

    def join(self, camera_bev: Tensor, inputs: TrackerInput, observe: StageObserver, mark: Mark) -> Tensor:
        """Return them with the point cloud; known ones have it."""
        return camera_bev if isinstance(inputs, SeenInput) else super().join(camera_bev, inputs, observe, mark)

    def align(self, message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
        """Return chosen instances in the ego frame, their features aligned by the second pose if there is one."""
        aligned = super().align(message, indices)
        if not isinstance(message, TwoPoseMessage):
            return aligned
        sent = message.instances[indices[aligned.kept.cpu().numpy()]]
        values = (float32(v, self.device) for v in (sent.semantic, sent.motion, sent.position_embedding,
                                                    message.alignment_pose))
        return AlignedInstances(*self.network.alignment.features(*values), *aligned[3:])


class RememberingTracker:
    """A tracker that knows the BEV features of all frames that it ever saw: they do not depend on messages."""

    def __init__(self, tracker: AgentTracker, known: dict[tuple[str, int], SeenInput]):
        """
        Wrap a tracker with ``StudyStages``.

        :param known: by sequence and stamp, of one network and data set; grows.
        """
        self._tracker, self._known = tracker, known

    def initial(self) -> Any:
        """Return the state before the first frame."""
        return self._tracker.initial()

    def step(self, state: Any, frame: Frame, messages: Sequence[RoadsideMessage] = ()) -> tuple[Any, FrameOutput]:
        """Process one frame, see ``AgentTracker.step``."""
        key = frame.sequence, frame.stamp_ns
        inputs = self._known.get(key) or self._tracker.prepare(frame)
        state, output = self._tracker.advance(state, inputs, messages)
        self._known[key] = SeenInput(inputs.stamped_pose, torch.empty(0), inputs.img_from_lidar, bev=state.bev)
        return state, output

    def look(self, state: Any) -> EgoOnlyDetections:
        """Return what the agent finds in the BEV features of its last frame, see ``AgentTracker.look``."""
        return self._tracker.look(state)
