"""Where the cells of the BEV grid fall in the cameras, and where they were one frame ago (method.md 4.2, 4.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.config import ModelConfig
from ...common.timeline import StampedPose
from ...common.types import Side


@dataclass(frozen=True)
class BevGeometry:
    """
    Projection of the BEV pillars into the cameras of one or more agents.

    ``points`` (B, V, cells, heights, 2) are image positions as fractions of the padded input,
    ``visible`` (B, V, cells, heights) says which lie inside, ``cells`` holds per camera the indices of the cells
    that any of the B agents sees.
    """

    points: Tensor
    visible: Tensor
    cells: tuple[Tensor, ...]

    @staticmethod
    def stack(geometries: list[BevGeometry]) -> BevGeometry:
        """Return one batch of several geometries with the same number of cameras."""
        return _geometry(torch.cat([g.points for g in geometries]), torch.cat([g.visible for g in geometries]))


def _geometry(points: Tensor, visible: Tensor) -> BevGeometry:
    seen = visible.any(-1).any(0)
    return BevGeometry(points, visible, tuple(torch.nonzero(row).flatten() for row in seen))


def bev_geometry(config: ModelConfig, side: Side, img_from_lidar: np.ndarray,
                 device: torch.device | str = 'cpu') -> BevGeometry:
    """
    Project the BEV pillars of one agent.

    :param img_from_lidar: (V, 4, 4) to pixels of the network input.
    """
    rows, columns = config.bev_size
    x0, y0, z0, x1, y1, z1 = config.range_of(side).pc_range
    heights = config.pillar_heights
    z = torch.linspace(0.5, (z1 - z0) - 0.5, heights) / (z1 - z0)
    x = (torch.arange(columns) + 0.5) / columns
    y = (torch.arange(rows) + 0.5) / rows
    grid = torch.stack([x.expand(heights, rows, columns), y[:, None].expand(heights, rows, columns),
                        z[:, None, None].expand(heights, rows, columns)], dim=-1).reshape(heights, -1, 3)
    low, high = torch.tensor([x0, y0, z0]), torch.tensor([x1, y1, z1])
    points = grid * (high - low) + low
    uv, visible = project_into_inputs(points.permute(1, 0, 2), img_from_lidar, config.input_size)
    return _geometry(uv[None].to(device), visible[None].to(device))


def project_into_inputs(points: Tensor, img_from_lidar: np.ndarray,
                        input_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """
    Project points (Q, heights, 3), metres in the lidar frame, into V padded inputs of some rows and columns.

    :returns: positions (V, Q, heights, 2) as fractions of the input, and which of them lie inside (V, Q, heights).
    """
    points = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    matrix = torch.from_numpy(np.asarray(img_from_lidar, dtype=np.float32))
    projected = (matrix[:, None, None] @ points[None, ..., None]).squeeze(-1)
    depth = projected[..., 2:3]
    height_px, width_px = input_size
    uv = projected[..., :2] / depth.clamp(min=1e-5) / torch.tensor([width_px, height_px], dtype=torch.float32)
    return uv, (depth[..., 0] > 1e-5) & ((uv > 0) & (uv < 1)).all(-1)


@dataclass(frozen=True)
class BevMotion:
    """
    What the BEV encoder knows of the motion since the last frame.

    ``vector`` (B, 18) feeds the motion MLP, ``shift`` (B, 2) moves the reference points of the temporal attention
    (fractions of the grid), ``grid`` (B, rows, columns, 2) says where each cell reads the previous BEV features.
    """

    vector: Tensor
    shift: Tensor
    grid: Tensor

    @staticmethod
    def stack(motions: list[BevMotion]) -> BevMotion:
        """Return one batch of several motions."""
        return BevMotion(*(torch.cat([getattr(m, name) for m in motions]) for name in ('vector', 'shift', 'grid')))


def bev_motion(config: ModelConfig, side: Side, now: StampedPose, previous: StampedPose | None,
               device: torch.device | str = 'cpu') -> BevMotion:
    """Describe the motion of one agent since ``previous`` (None: a fresh start)."""
    published_vector = _can_bus_delta(now, previous)
    if config.method.ego_motion_input == 'relative':
        vector = _relative_vector(now, previous)
    else:
        vector = published_vector
    if config.method.previous_bev == 'warp':
        shift = np.zeros(2)
        grid = _warp_grid(config, side, now, previous)
    else:
        shift = _published_shift(config, side, published_vector)
        grid = rotation_grid(config.bev_size, float(published_vector[17]))
    return BevMotion(torch.from_numpy(vector.astype(np.float32))[None].to(device),
                     torch.from_numpy(shift.astype(np.float32))[None].to(device), grid[None].to(device))


def _can_bus_delta(now: StampedPose, previous: StampedPose | None) -> np.ndarray:
    """Return the absolute vector with translation and yaw in degrees made relative (method.md 2.4)."""
    vector = now.can_bus.copy()
    vector[:3] -= now.can_bus[:3] if previous is None else previous.can_bus[:3]
    vector[17] -= now.can_bus[17] if previous is None else previous.can_bus[17]
    return vector


def _relative_vector(now: StampedPose, previous: StampedPose | None) -> np.ndarray:
    """Return way travelled in the current lidar axes (m), turn (rad), elapsed time (s), zeros."""
    vector = np.zeros(18)
    if previous is not None:
        previous_from_now = np.linalg.inv(previous.global_from_lidar) @ now.global_from_lidar
        vector[:3] = previous_from_now[:3, :3].T @ previous_from_now[:3, 3]
        vector[3] = np.arctan2(previous_from_now[1, 0], previous_from_now[0, 0])
        vector[4] = now.seconds_since(previous)
    return vector


def _published_shift(config: ModelConfig, side: Side, vector: np.ndarray) -> np.ndarray:
    x0, y0, _, x1, y1, _ = config.range_of(side).pc_range
    rows, columns = config.bev_size
    length = np.hypot(vector[0], vector[1])
    angle = np.degrees(vector[16]) - np.degrees(np.arctan2(vector[1], vector[0]))
    cell_x, cell_y = (x1 - x0) / columns, (y1 - y0) / rows
    return np.array([length * np.sin(np.radians(angle)) / cell_x / columns,
                     length * np.cos(np.radians(angle)) / cell_y / rows])


PUBLISHED_ROTATION_CENTRE_PX = (100, 100)
"""Right for a BEV grid of 200 x 200 cells, used for 50 x 50 as well (method.md Q4)."""


def rotation_grid(bev_size: tuple[int, int], angle_deg: float) -> Tensor:
    """
    Return the sampling grid (rows, columns, 2) of the published rotation of the previous BEV features (method.md 4.2).

    The order of operations and the precisions matter: nearest sampling hangs on the last bit.
    """
    rows, columns = bev_size
    theta = math.radians(angle_deg)
    cx, cy = PUBLISHED_ROTATION_CENTRE_PX[0] - columns * 0.5, PUBLISHED_ROTATION_CENTRE_PX[1] - rows * 0.5
    c, s = math.cos(theta), math.sin(theta)
    matrix = torch.tensor([[c, -s, c * -cx + -s * -cy + cx], [s, c, s * -cx + c * -cy + cy]], dtype=torch.float32)
    base = torch.empty(rows, columns, 3)
    base[..., 0] = torch.linspace(-columns * 0.5 + 0.5, columns * 0.5 - 0.5, columns)
    base[..., 1] = torch.linspace(-rows * 0.5 + 0.5, rows * 0.5 - 0.5, rows)[:, None]
    base[..., 2] = 1
    scaled = matrix.T / torch.tensor([0.5 * columns, 0.5 * rows])
    return (base.view(1, -1, 3) @ scaled[None]).view(rows, columns, 2)


def _warp_grid(config: ModelConfig, side: Side, now: StampedPose, previous: StampedPose | None) -> Tensor:
    """Return where in the previous BEV grid the centre of each cell lay, by the exact pose, taken as planar."""
    x0, y0, _, x1, y1, _ = config.range_of(side).pc_range
    rows, columns = config.bev_size
    previous_from_now = np.eye(4)
    if previous is not None:
        previous_from_now = np.linalg.inv(previous.global_from_lidar) @ now.global_from_lidar
    x = x0 + (np.arange(columns) + 0.5) * (x1 - x0) / columns
    y = y0 + (np.arange(rows) + 0.5) * (y1 - y0) / rows
    points = np.stack(np.meshgrid(x, y), axis=-1) @ previous_from_now[:2, :2].T + previous_from_now[:2, 3]
    grid = 2 * (points - [x0, y0]) / [x1 - x0, y1 - y0] - 1
    return torch.from_numpy(grid.astype(np.float32))


def align_bev(config: ModelConfig, previous_bev: Tensor, motion: BevMotion) -> Tensor:
    """Return the previous BEV features (B, cells, C) brought into the current frame; cells without source are 0."""
    batch, cells, channels = previous_bev.shape
    features = previous_bev.transpose(1, 2).reshape(batch, channels, *config.bev_size)
    mode = 'bilinear' if config.method.previous_bev == 'warp' else 'nearest'
    moved = F.grid_sample(features, motion.grid, mode=mode, padding_mode='zeros', align_corners=False)
    return moved.flatten(2).transpose(1, 2)
