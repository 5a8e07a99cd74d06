"""What a frame of one agent is made from, and what it leaves: to the next one, to a criterion, to further heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..common.timeline import StampedPose
from ..cooperation.association_memory import AssociationMemory
from ..model.instances.decoder import DecoderOutput
from .fusion import Association, Fusion, Received
from .lifecycle import Instances


@dataclass(frozen=True)
class TrackerInput:
    """A frame as the network takes it."""

    stamped_pose: StampedPose
    images: Tensor
    """(V, 3, rows, columns), normalised."""
    img_from_lidar: np.ndarray
    """(V, 4, 4) to pixels of ``images``."""
    cloud: Tensor | None = None
    """(N, 4) for a point cloud branch; None without one."""


@dataclass(frozen=True)
class Past:
    """What one frame leaves to the next one of its sequence."""

    stamped_pose: StampedPose
    tracks: Instances
    """Rows that live on, in the frame of that pose."""
    bev: Tensor
    """(1, cells, C), those that ``DecodedFrame.remembered`` returned."""
    memory: AssociationMemory = AssociationMemory()
    """On the cooperative side only."""


@dataclass(frozen=True)
class DecodedFrame:
    """What the first half of a frame leaves, up to the decoder."""

    stamped_pose: StampedPose
    features: Tensor | None
    """(1, V, C, h, w) of the images; None where BEV features were known before, or there was no image."""
    bev: Tensor
    """(1, cells, C), with the point cloud where there is a branch for it."""
    received: tuple[Received, ...]
    receiving_s: float
    """How long that took."""
    queries: Fusion
    """The N rows that went into the decoder, and what was fused into them before it."""
    decoded: DecoderOutput
    """Of all decoder layers (an arrangement for speed: of the last one), for these rows."""
    rows: Instances
    """The rows as the last layer found them."""
    twin: DecoderOutput | None = None
    """The same queries decoded without self-attention, where a training asks for it."""
    camera_bev: Tensor | None = None
    """(1, cells, C) of the cameras alone, where these are what the next frame starts from."""

    @property
    def remembered(self) -> Tensor:
        """BEV features (1, cells, C) that the encoder of the next frame takes as those before."""
        return self.bev if self.camera_bev is None else self.camera_bev

    @property
    def decoder_scores(self) -> Tensor:
        """(N,) highest class probability of the last layer."""
        return self.decoded.logits[-1, 0].sigmoid().amax(-1)


@dataclass(frozen=True)
class TrackedFrame:
    """A whole frame, for the life cycle, a criterion, and heads that read from it."""

    seen: DecodedFrame
    reasoned: Instances
    """The N rows after reasoning, in the order of the queries."""
    associations: tuple[Association, ...]
    """With each of ``seen.received``, where these are fused after the decoder."""
    fusion: Fusion
    """The rows after fusion, reordered, with the features that the refinement heads take."""
    refined: Instances
    """The same with the boxes, points and classes that the refinement heads say."""
    rows: Instances
    """The same as they are reported; identities are still the old ones."""
