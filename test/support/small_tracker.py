"""Small trackers with random weights and frames for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from cooptrack_ros.common.types import Frame, InstanceSet, RoadsideMessage, Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.warm_start import start_track_motion
from support.configs import SMALL

CONFIG = dataclasses.replace(SMALL, method=dataclasses.replace(
    SMALL.method, max_match_distance_m=float('inf'), learned_floor=0.0, max_added_per_unit=SMALL.num_queries))
"""Without a limit of what units may add."""
MANY, NONE = 3.0, -20.0
"""Class biases that let all and no queries live."""


def make_tracker(side: Side, bias: float, config=CONFIG) -> AgentTracker:
    """Return a tracker with random weights whose queries live or die by the class bias."""
    torch.manual_seed(0)
    network = CoopTrackNetwork(config, side)
    if config.method.carried_motion:
        # Else tracks of random weights fly away.
        start_track_motion(network)
    torch.nn.init.normal_(network.query_features.weight)
    torch.nn.init.constant_(network.reasoner.cls[-1].bias, bias)
    return AgentTracker(network, config, side)


def make_frame(index: int, sequence: str = 'a') -> Frame:
    """Return a frame of noise, 0.1 s and 0.8 m after the last one."""
    image = np.random.default_rng(index).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    intrinsic = np.array([[80.0, 0, 80, 0], [0, 80, 45, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    camera = np.eye(4)
    camera[:3, :3] = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
    pose = np.eye(4)
    pose[0, 3] = 0.8 * index
    return Frame(sequence, index * 100_000_000, (image,), (intrinsic @ camera)[None], np.eye(4), pose)


def central(instances: InstanceSet, count: int) -> InstanceSet:
    """Return those that are farthest from the ends of the range, so that moving them takes none out of it."""
    return instances[np.sort(np.argsort(np.abs(instances.ref_points[:, :2] - 0.5).max(1), kind='stable')[:count])]


def make_message(instances: InstanceSet, unit: str = 'u', shift_x: float = -40.0) -> RoadsideMessage:
    """Return instances as the message of a unit at a place."""
    pose = np.eye(4)
    pose[0, 3] = shift_x
    return RoadsideMessage(unit, 0, instances, pose)
