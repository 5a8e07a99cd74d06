"""Detection from the clouds of all agents with AttFuse (OPV2V, arXiv:2109.07644), the downstream of CooPre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from coopre_scenes import GRID, CloudScene
from torch import Tensor, nn

from cooptrack_ros.model.lidar.encoder import PillarEncoder, conv_norm
from cooptrack_ros.model.lidar.pillars import Clouds
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.train.dense_heads import BEV_MOTIONS, BEV_VALUES, DenseHead, bev_targets
from cooptrack_ros.train.lidar.gather import augmented
from cooptrack_ros.train.lidar.settings import LidarPretrainingConfig

AGENTS = 2
THRESHOLDS_M = (0.5, 1.0, 2.0)
RANGES_M = {'0-20 m': (0.0, 20.0), '20-30 m': (20.0, 30.0), '30 m and more': (30.0, 60.0)}
_HEAD_DIMS, _MOST = 64, 60
_RECALLS = np.linspace(0, 1, 101)
_AUGMENT = LidarPretrainingConfig()


class AttFuse(nn.Module):
    """Attention over the agents, cell by cell: softmax(q k^T / sqrt(C)) v with the features as all three."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the row of the vehicle (B, C, H, W) of features (B, A, C, H, W), whose first agent it is."""
        scores = (features[:, :1] * features).sum(2, keepdim=True) / features.shape[2] ** 0.5
        return (scores.softmax(1) * features).sum(1)


class Detector(nn.Module):
    """Each agent encodes its own cloud, in the frame of the vehicle; AttFuse; a heatmap of centres."""

    def __init__(self, sizes: LidarSizes):
        """Create the layers."""
        super().__init__()
        self.encoder = PillarEncoder(GRID, sizes)
        self.fuse = AttFuse()
        self.shared = conv_norm(sizes.code_dims, _HEAD_DIMS, 3)
        self.head = DenseHead(_HEAD_DIMS, 1, BEV_VALUES, BEV_MOTIONS, spreads=False)

    def features(self, scenes: Sequence[CloudScene]) -> Tensor:
        """Return fused features (B, C, rows, columns)."""
        codes = self.encoder(Clouds.of([cloud for scene in scenes for cloud in scene.clouds()]))
        return self.shared(self.fuse(codes.unflatten(0, (-1, AGENTS))))

    def loss(self, scenes: Sequence[CloudScene]) -> Tensor:
        """Return the loss of a batch."""
        features = self.features(scenes)
        targets = [bev_targets(s.boxes, (*GRID.low, *GRID.high), features.shape[-2:], 1) for s in scenes]
        return self.head.loss(features, targets)

    @torch.inference_mode()
    def detect(self, scene: CloudScene) -> tuple[np.ndarray, np.ndarray]:
        """Return centres (N, 2) in metres and scores (N,), the best first."""
        logits, values = self.head(self.features([scene]))
        heat = logits[0, 0].sigmoid()
        peaks = nn.functional.max_pool2d(heat[None, None], 3, 1, 1)[0, 0] == heat
        scores, places = torch.where(peaks, heat, 0).flatten().topk(_MOST)
        row, column = places // heat.shape[1], places % heat.shape[1]
        cell = (np.array(GRID.high[:2]) - GRID.low[:2]) / heat.shape[::-1]
        offset = values[0, :2, row, column].T
        position = torch.stack([column, row], 1) + offset
        return position.numpy() * cell + GRID.low[:2], scores.numpy()


def changed(scene: CloudScene, rng: np.random.Generator) -> CloudScene:
    """Return a scene mirrored, turned and stretched as in the pretraining, boxes with it."""
    settings, boxes = _AUGMENT, scene.boxes
    # Each box goes along as its centre and a point ahead of it.
    ahead = boxes.centre + np.stack([np.cos(boxes.yaw), np.sin(boxes.yaw), 0 * boxes.yaw], 1)
    marks = np.column_stack([np.concatenate([boxes.centre, ahead]), np.zeros(2 * len(boxes))])
    moved = augmented(np.concatenate([scene.points, marks]).astype(np.float32), settings.flip_probability,
                      settings.rotation_deg, settings.scale, rng)
    points, centre, ahead = np.split(moved, [len(scene.points), len(scene.points) + len(boxes)])
    way = ahead[:, :2] - centre[:, :2]
    stretched = np.linalg.norm(way, axis=1)
    boxes = boxes.with_(centre=centre[:, :3].astype(np.float64), yaw=np.arctan2(way[:, 1], way[:, 0]),
                        size=boxes.size * stretched[:, None])
    return replace(scene, points=points, boxes=boxes)


@dataclass(frozen=True)
class Found:
    """What was detected in one scene, and what is there."""

    centres: np.ndarray
    scores: np.ndarray
    truth: np.ndarray
    own: np.ndarray


def figures(found: Sequence[Found]) -> dict[str, Mapping[str, float | None]]:
    """Return AP by distance threshold: overall, by distance from the vehicle, and of what its sensor does not see."""
    groups = {'all': [np.ones(len(f.truth), bool) for f in found], 'hidden_from_ego': [~f.own for f in found]}
    away = [np.linalg.norm(f.truth, axis=1) for f in found]
    groups |= {name: [(a >= low) & (a < high) for a in away] for name, (low, high) in RANGES_M.items()}
    return {name: {f'{threshold:g}': _average_precision(found, wanted, threshold, RANGES_M.get(name))
                   for threshold in THRESHOLDS_M} for name, wanted in groups.items()}


def _average_precision(found: Sequence[Found], wanted: Sequence[np.ndarray], threshold: float,
                       limits: tuple[float, float] | None) -> float | None:
    """
    Return the mean precision at 101 levels of recall, None where nothing is wanted.

    A detection takes the nearest object that is free. One that takes an object which is not wanted does not count;
    one that takes none is false, of ranges only if it lies there itself.
    """
    scores, hits, total = [], [], sum(int(w.sum()) for w in wanted)
    if not total:
        return None
    for one, chosen in zip(found, wanted, strict=True):
        free = np.ones(len(one.truth), bool)
        for k in np.argsort(-one.scores, kind='stable'):
            apart = np.where(free, np.linalg.norm(one.truth - one.centres[k], axis=1), np.inf)
            nearest = int(apart.argmin()) if len(apart) else -1
            if nearest >= 0 and apart[nearest] < threshold:
                free[nearest] = False
                if chosen[nearest]:
                    scores.append(one.scores[k])
                    hits.append(True)
            elif limits is None or limits[0] <= np.linalg.norm(one.centres[k]) < limits[1]:
                scores.append(one.scores[k])
                hits.append(False)
    order = np.argsort(-np.array(scores), kind='stable')
    right = np.cumsum(np.array(hits, bool)[order])
    precision, recall = right / np.arange(1, len(order) + 1), right / total
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, 'left')
    return float(np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0).mean()) if len(best) else 0.0


def measure(detector: Detector, scenes: Sequence[CloudScene]) -> dict[str, Mapping[str, float | None]]:
    """Return the figures of a detector."""
    detector.eval()
    found = []
    for scene in scenes:
        centres, scores = detector.detect(scene)
        found.append(Found(centres, scores, scene.boxes.centre[:, :2], scene.own))
    return figures(found)
