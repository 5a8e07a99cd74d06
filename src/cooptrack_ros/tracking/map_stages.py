"""A tracker of the vehicle whose decoder reads BEV features that units' features are fused into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.errors import UserError
from ..common.types import Frame, FrameOutput
from ..cooperation.bev_cells import BevCells
from ..model.cooperation.bev_fusion import BevFusion
from .fixed_shape.tracker import StepTracker
from .frame_records import Past, TrackerInput
from .frame_stages import FrameStages, Mark
from .fusion import StageObserver
from .tracker import AgentTracker, TrackerState


@dataclass(frozen=True)
class PlacedCells:
    """Cells of a unit, and ``ego_from_infra`` (4, 4) at the time of the frame that uses them."""

    cells: BevCells
    pose: np.ndarray


@dataclass(frozen=True)
class MapInput(TrackerInput):
    """A frame with what units sent; its own BEV features may be known already, then its images are not needed."""

    received: tuple[PlacedCells, ...] = ()
    known_bev: Tensor | None = None
    """(1, cells, C)."""


class MapStages(FrameStages):
    """The stages of a frame with ``MapInput``. The next frame starts from the vehicle's own features alone."""

    fusion: BevFusion | None = None

    def encode(self, inputs: MapInput, past: Past | None, observe: StageObserver,
               mark: Mark) -> tuple[Tensor | None, Tensor]:
        """Return the vehicle's own features."""
        if inputs.known_bev is not None:
            return None, inputs.known_bev
        return super().encode(inputs, past, observe, mark)

    def join(self, camera_bev: Tensor, inputs: MapInput, observe: StageObserver, mark: Mark) -> Tensor:
        """Return them with those of the units, one after another."""
        bev = super().join(camera_bev, inputs, observe, mark)
        for placed in inputs.received:
            infra = torch.from_numpy(placed.cells.dense())[None].to(self.device)
            bev = self.fusion(bev, infra, [placed.pose])
        mark('bev_fusion')
        return bev


class MapTracker:
    """Runs a tracker of the vehicle with BEV features of units; without any it is that tracker."""

    def __init__(self, tracker: AgentTracker, fusion: BevFusion):
        """
        Take a tracker, whose stages are replaced.

        :raises UserError: for one whose frame is a step of fixed shapes.
        """
        if isinstance(tracker, StepTracker):
            raise UserError("BEV fusion needs the stages of a frame one by one, which execution 'graph' does not have")
        old = tracker.stages
        tracker.stages = MapStages(old.network, old.config, old.side, old.device, old.flow, old.lidar)
        tracker.stages.fusion, tracker.stages.remembers_camera = fusion.to(old.device).eval(), True
        self._tracker = tracker

    def initial(self) -> TrackerState:
        """Return the state before the first frame."""
        return self._tracker.initial()

    def step(self, state: TrackerState, frame: Frame,
             received: Sequence[PlacedCells] = ()) -> tuple[TrackerState, FrameOutput]:
        """Process one frame; :param received: in the order of units' names."""
        inputs = self._tracker.prepare(frame)
        return self._tracker.advance(state, MapInput(**vars(inputs), received=tuple(received)))
