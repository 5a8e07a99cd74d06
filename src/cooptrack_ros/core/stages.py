"""The stages of a frame between its queries and its result, on rows of instances (model.md 5, 6)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model.alignment import AlignedInstances
from ..model.bev_geometry import BevGeometry, bev_geometry, bev_motion
from ..model.network import CoopTrackNetwork
from ..model.reasoning import replace_newest, shift_history, shift_padding
from .config import ModelConfig
from .flow import FeatureFlow
from .fusion import Observer, Received, align_message, receive, up_to_date
from .lifecycle import Instances
from .timeline import Moment
from .types import RoadsideMessage, Side


@dataclass(frozen=True)
class TrackerInput:
    """A frame as the network takes it."""

    moment: Moment
    images: Tensor
    """(V, 3, rows, columns), normalised."""
    img_from_lidar: np.ndarray
    """(V, 4, 4) to pixels of ``images``."""


class StageClock:
    """Adds up the time between marks under their names."""

    def __init__(self, device: torch.device):
        """Start the clock."""
        self._synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        self._synchronize()
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


class FrameStages:
    """The stages of a frame that look at what comes in; studies replace single ones."""

    def __init__(self, network: CoopTrackNetwork, config: ModelConfig, side: Side, device: torch.device,
                 flow: FeatureFlow | None = None):
        """Take a network on its device; :param flow: see ``up_to_date``."""
        self.network, self.config, self.side, self.device, self.flow = network, config, side, device, flow
        self._geometry: tuple[bytes, BevGeometry] | None = None

    def encode(self, inputs: TrackerInput, previous: Moment | None, bev: Tensor | None, observe: Observer,
               clock: StageClock) -> Tensor:
        """
        Return what the agent sees: BEV features (1, cells, C).

        :param previous: moment of the last frame; :param bev: its BEV features; both None at a fresh start.
        """
        features = self.network.image_features(inputs.images[None].to(self.device))
        observe('features', features)
        clock.mark('image_features')
        bev = self._encode(features, inputs, previous, bev, observe)
        clock.mark('bev_encoder')
        return bev

    def receive(self, messages: Sequence[RoadsideMessage], stamp_ns: int, observe: Observer) -> list[Received]:
        """Return what units sent as it would be at a time, in the ego frame."""
        current = [up_to_date(self.network, m, stamp_ns, self.flow) for m in messages]
        return receive(self.network, current, self.align, observe)

    def align(self, message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
        """Return the chosen instances of a message in the ego frame (CAA; 8)."""
        return align_message(self.network, message, indices)

    def _encode(self, features: Tensor, inputs: TrackerInput, previous: Moment | None, bev: Tensor | None,
                observe: Observer) -> Tensor:
        key = inputs.img_from_lidar.tobytes()
        if self._geometry is None or self._geometry[0] != key:
            self._geometry = key, bev_geometry(self.config, self.side, inputs.img_from_lidar, self.device)
        motion = bev_motion(self.config, self.side, inputs.moment, previous, self.device)
        if bev is not None:
            bev = self.network.align_bev(bev, motion)
        elif self.config.behaviour.first_bev == 'zeros':
            rows, columns = self.config.bev_size
            bev = features.new_zeros(1, rows * columns, self.config.embed_dims)
        observe('geometry', self._geometry[1])
        observe('motion', motion)
        observe('aligned_bev', bev)
        bev = self.network.encode_bev(features, self._geometry[1], motion, bev)
        observe('bev', bev)
        return bev



def decode(network: CoopTrackNetwork, rows: Instances, bev: Tensor, observe: Observer) -> tuple[Instances, Tensor]:
    """Return the rows as the decoder finds them in the map (1, cells, C), and their scores (N,)."""
    observe('queries', rows)
    decoded = network.decode(bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
    observe('decoded', decoded)
    refs = decoded.refs[-1, 0]
    rows = rows.with_(semantic=decoded.feats[-1, 0], ref_points=refs, codes=decoded.boxes[-1, 0],
                      embedding=network.embed_points(refs))
    return rows, decoded.logits[-1, 0].sigmoid().amax(-1)


def reason(network: CoopTrackNetwork, rows: Instances, observe: Observer) -> Instances:
    """Return the rows with motion features, both features enhanced by their histories, and these moved on."""
    rows = rows.with_(motion=network.motion_features(rows.codes, rows.semantic))
    observe('coarse', rows)
    hist_semantic = shift_history(rows.hist_semantic, rows.semantic)
    hist_motion = shift_history(rows.hist_motion, rows.motion)
    padding = shift_padding(rows.hist_padding)
    semantic, motion = network.reason(
        rows.semantic[None], rows.motion[None], hist_semantic[None], hist_motion[None], padding[None],
        rows.embedding[None])
    rows = rows.with_(semantic=semantic[0], motion=motion[0], hist_padding=padding,
                      hist_semantic=replace_newest(hist_semantic, semantic[0]),
                      hist_motion=replace_newest(hist_motion, motion[0]))
    observe('reasoned', rows)
    return rows


def refine(network: CoopTrackNetwork, rows: Instances) -> Instances:
    """Return the rows with the boxes, points and classes that are reported."""
    logits, codes, refs = network.refine(rows.semantic, rows.motion, rows.ref_points)
    scores, labels = logits.sigmoid().max(-1)
    return rows.with_(ref_points=refs, codes=codes, scores=scores, labels=labels, logits=logits)
