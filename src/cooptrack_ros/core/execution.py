"""Which tracker runs a network, by how it is to be executed and on what."""

from __future__ import annotations

import torch

from ..model.network import CoopTrackNetwork
from .config import ModelConfig
from .fast.tracker import StepTracker
from .flow import FeatureFlow
from .tracker import AgentTracker
from .types import Side


def make_tracker(network: CoopTrackNetwork, config: ModelConfig, side: Side, device: str = 'cpu',
                 execution: str = 'fast', flow: FeatureFlow | None = None) -> AgentTracker:
    """
    Return a tracker for a network.

    :param execution: ``reference`` runs the network as it is written; ``fast`` arranged for speed: on a CPU with
        merged layers, on a GPU as steps of fixed shapes that are recorded as graphs.
    """
    if execution == 'fast' and runs_in_steps(device, config):
        return StepTracker(network, config, side, device, flow=flow)
    return AgentTracker(network, config, side, device, flow=flow, execution=execution)


def runs_in_steps(device: str, config: ModelConfig) -> bool:
    """Tell whether the fast execution on a device is that of ``StepTracker``."""
    return torch.device(device).type != 'cpu' and config.behaviour.fusion_stage == 'after_decoder'
