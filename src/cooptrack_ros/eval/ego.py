"""The vehicle's pipeline in each mode of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..common.config import LATE_RULE, NOMINAL_HZ, ModelConfig
from ..common.types import EgoOnlyDetections, Frame, FrameOutput, RoadsideMessage, Side
from ..cooperation.ab3dmot import DAIR_PLUGIN, KalmanConfig
from ..cooperation.late_fusion import FusedBoxTracker, LateConfig, LateFusion, LateTracker
from ..cooperation.limits import Limits
from ..cooperation.pairing import Received
from ..tracking.ego_agent import NOTHING, EgoAgent, Tracker
from ..tracking.uncertainty import StatedTracks, UncertaintyModel
from .studies import without_features

MODES = ('none', 'late', 'late_ab3dmot', 'late_ab3dmot_dair', 'distance_association', 'cooperative',
         'zero_features', 'no_messages', 'bev_fusion', 'bev_fusion_ab3dmot')
"""
``late_ab3dmot_dair``: with the AB3DMOT setting of DAIR-V2X; ``distance_association``: cooperative weights, associated
by distance; ``zero_features``: cooperative with received features set to 0;
``no_messages``: the cooperative weights without any message; ``bev_fusion``: the vehicle's network on BEV features
that those of units are fused into, tracked by itself or by AB3DMOT.
"""
BEV_MODES = ('bev_fusion', 'bev_fusion_ab3dmot')
_VEHICLE_MODES = ('none', 'late', 'late_ab3dmot', 'late_ab3dmot_dair', *BEV_MODES)


@dataclass(frozen=True, kw_only=True)
class KnownFrame(Frame):
    """A frame together with what a network that receives nothing says of it."""

    output: FrameOutput


class KnownOutputs:
    """Stands for such a network: it says what is known. It has no BEV features to look at."""

    def initial(self) -> None:
        """Return no state."""

    def step(self, state: None, frame: KnownFrame,
             messages: Sequence[RoadsideMessage] = ()) -> tuple[None, FrameOutput]:
        """Return the output that comes with the frame."""
        return None, frame.output

    def look(self, state: None) -> EgoOnlyDetections:
        """Fail: poses of units are corrected for networks that fuse features only."""
        raise NotImplementedError


def side_of(mode: str) -> Side:
    """Return which network of the vehicle runs."""
    return Side.VEHICLE if mode in _VEHICLE_MODES else Side.COOPERATIVE


def listens(mode: str) -> bool:
    """Tell whether messages are used."""
    return mode not in ('none', 'no_messages')


def make_agent(mode: str, tracker: Tracker, config: ModelConfig, uncertainty: UncertaintyModel | None = None,
               late_rule: str = LATE_RULE.default, rate_hz: float = NOMINAL_HZ) -> EgoAgent:
    """
    Return the vehicle before the first frame of a sequence; it reports tracks as published, also those that end.

    :param uncertainty: of the model; :param late_rule: of mode ``late``, see ``LATE_RULE``.
    :param rate_hz: of its frames; :param config: at that rate.
    """
    late: LateFusion | None = None
    side = side_of(mode)
    own, kalman = config.tracker_of(side), KalmanConfig().at_rate(rate_hz)
    if mode == 'late':
        late = LateTracker(LateConfig.of(config.method, own.reset_gap_s, late_rule), kalman)
    elif mode in ('late_ab3dmot', 'bev_fusion_ab3dmot'):
        late = FusedBoxTracker(kalman)
    elif mode == 'late_ab3dmot_dair':
        late = FusedBoxTracker(DAIR_PLUGIN)
    return EgoAgent(tracker, late, own.output_threshold, only_live=False, limits=Limits.of(config),
                    stated=StatedTracks(uncertainty, side, config.adds(side)))


def received_in(mode: str, messages: Sequence[RoadsideMessage]) -> Received:
    """Return what a mode makes of messages."""
    if mode in BEV_MODES:
        return NOTHING
    if side_of(mode) is Side.VEHICLE:
        return Received(late=tuple(messages))
    return Received(tuple(without_features(m) for m in messages) if mode == 'zero_features' else tuple(messages))
