"""A better start than the published one for networks trained from scratch."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from ..common.types import Boxes
from ..model.instances.boxes import CODE_SIZE, POINT_DIMS, STATE, codes_from_boxes, normalize
from ..model.network import CoopTrackNetwork

_EDGE_GAIN = 150.0
"""Makes a metre about as large as the biases of the edge net, for a range of 100 m."""
_NODE_GAIN = 0.01


@torch.no_grad()
def start_from_objects(network: CoopTrackNetwork, boxes: Boxes, seed: int) -> None:
    """
    Place the learned queries where objects are, and let every box head start at the mean object.

    Queries begin at cluster centres of the training objects; the last layers of the box heads are zero with
    the mean log sizes as bias, so that first boxes are plausible and stay at their reference points.
    """
    codes = codes_from_boxes(boxes)
    points = codes[:, POINT_DIMS].numpy()
    centres = cluster_centres(points, network.config.num_queries, seed)
    pc_range = network.config.range_of(network.side).pc_range
    network.query_points.weight.copy_(normalize(torch.from_numpy(centres).float(), pc_range).clamp(0.01, 0.99))
    bias = torch.zeros(CODE_SIZE)
    bias[[2, 3, 5]] = codes[:, [2, 3, 5]].mean(0)
    for head in (*network.decoder.reg, network.reasoner.reg):
        head[-1].weight.mul_(0.1)
        head[-1].bias.copy_(bias)


@torch.no_grad()
def start_track_motion(network: CoopTrackNetwork) -> None:
    """Let the refinement head add nothing to heading and velocity of a track, where it said them anew before."""
    network.reasoner.reg[-1].weight[STATE] = 0
    network.reasoner.reg[-1].bias[STATE] = 0


@torch.no_grad()
def start_association(network: CoopTrackNetwork) -> None:
    """
    Let the affinity of a new cooperative network start from distances.

    Points are normalised to the range, so that a few metres make no difference to the edge net, and the unscaled
    product of the nodes drowns it: with the published start the affinity stays constant for thousands of steps.
    """
    association = network.association
    association.edge[0].weight.mul_(_EDGE_GAIN)
    association.query.mul_(_NODE_GAIN)


def cluster_centres(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return ``count`` centres (count, 3) of points (N, 3), spread like them; repeats are shaken apart."""
    rng = np.random.default_rng(seed)
    chosen = points[rng.choice(len(points), size=min(len(points), 20 * count), replace=False)]
    start = chosen[rng.choice(len(chosen), size=count, replace=len(chosen) < count)]
    start = start + rng.normal(scale=[0.5, 0.5, 0.05], size=start.shape)
    with warnings.catch_warnings():
        # A centre without points stays where it is, which is what we want.
        warnings.filterwarnings('ignore', message='One of the clusters is empty')
        centres, _ = kmeans2(chosen, start, iter=10, minit='matrix', missing='warn')
    return centres
