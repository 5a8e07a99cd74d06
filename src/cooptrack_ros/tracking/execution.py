"""Which tracker runs a network, by how it is to be executed and on what."""

from __future__ import annotations

import torch

from ..common.config import EXECUTIONS, ModelConfig
from ..common.errors import UserError
from ..common.types import Side
from ..cooperation.feature_flow import FeatureFlow
from ..model.fast.int8 import Ranges
from ..model.lidar.branch import LidarBranch
from ..model.network import CoopTrackNetwork
from .fixed_shape.tracker import StepTracker
from .tracker import AgentTracker


def make_tracker(network: CoopTrackNetwork, config: ModelConfig, side: Side, device: str = 'cpu',
                 execution: str = EXECUTIONS[0], flow: FeatureFlow | None = None,
                 ranges: Ranges | None = None, lidar: LidarBranch | None = None) -> AgentTracker:
    """
    Return a tracker for a network.

    :param execution: ``reference`` runs the network as it is written; ``fast`` arranged for speed, with merged layers;
        ``int8`` as ``fast``, with its large layers in 8-bit integers, on a CPU; ``graph`` as steps of fixed shapes that
        are recorded as CUDA graphs, which has never run on a device.
    :param ranges: of the activations, for ``int8`` only; :param lidar: the point cloud branch, if there is one.
    :raises UserError: for an execution that this device or configuration does not have.
    """
    check_device(execution, device)
    if execution == 'graph':
        if config.method.fusion_stage != 'after_decoder':
            raise UserError("execution 'graph' is for networks that fuse after the decoder; 'fast' runs all")
        if lidar is not None:
            raise UserError("execution 'graph' is for cameras alone; 'fast' runs a point cloud branch, too")
        return StepTracker(network, config, side, device, flow=flow)
    return AgentTracker(network, config, side, device, flow=flow, execution=execution, ranges=ranges,
                        lidar=lidar)


def check_device(execution: str, device: str) -> None:
    """Raise a UserError for an execution that a device does not have."""
    kind = torch.device(device).type
    if execution == 'int8' and kind != 'cpu':
        raise UserError(f"execution 'int8' is for device 'cpu', not '{device}', where 'fast' is the fastest")
    if execution == 'graph' and kind != 'cuda':
        raise UserError(f"execution 'graph' needs a CUDA device, not '{device}'; 'fast' runs on every device")
