"""
Box codes of the network and their relation to ``common.types.Boxes`` (method.md 1.4).

A code holds cx, cy, ln w, ln l, cz, ln h, sin psi, cos psi, vx, vy in metres and m/s. cz is the centre of the
bottom face and psi grows clockwise.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...common.types import Boxes

CODE_SIZE = 10
POINT_DIMS = [0, 1, 4]
"""Where a code holds x, y, z of the bottom centre."""


def inverse_sigmoid(x: Tensor) -> Tensor:
    """Return ln(x / (1 - x)) of x clamped to 0..1, finite everywhere."""
    x = x.clamp(0, 1)
    return (x.clamp(min=1e-5) / (1 - x).clamp(min=1e-5)).log()


Range = tuple[float, ...] | Tensor
"""x0, y0, z0, x1, y1, z1 (m); a tensor on the device of the points spares a copy from the host."""


def _limits(points: Tensor, pc_range: Range) -> tuple[Tensor, Tensor]:
    if isinstance(pc_range, Tensor):
        return pc_range[:3], pc_range[3:]
    return points.new_tensor(pc_range[:3]), points.new_tensor(pc_range[3:])


def normalize(points: Tensor, pc_range: Range) -> Tensor:
    """Return points (..., 3) in metres as fractions of a range; not clamped."""
    low, high = _limits(points, pc_range)
    return (points - low) / (high - low)


def denormalize(points: Tensor, pc_range: Range) -> Tensor:
    """Return normalised points (..., 3) in metres."""
    low, high = _limits(points, pc_range)
    return points * (high - low) + low


def points_of(codes: Tensor) -> Tensor:
    """Return the bottom centres (..., 3) in codes (..., 10); slices, because a list of indices is copied to a GPU."""
    return torch.cat([codes[..., :2], codes[..., 4:5]], dim=-1)


STATE = slice(6, 10)
"""Where a code holds sin psi, cos psi, vx, vy, which change with the axes."""


def refine_code(raw: Tensor, ref_points: Tensor, pc_range: Range,
                before: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """
    Turn the raw output of a box head into a code and a refined reference point.

    :param raw: (..., 10); :param ref_points: (..., 3) in 0..1.
    :param before: codes (..., 10) to whose heading and velocity the head adds; None: it says them itself.
    :returns: codes (..., 10) in metres, points (..., 3) in 0..1.
    """
    points = (points_of(raw) + inverse_sigmoid(ref_points)).sigmoid()
    if before is not None:
        raw = torch.cat([raw[..., :STATE.start], raw[..., STATE] + before[..., STATE]], dim=-1)
    return with_points(raw, denormalize(points, pc_range)), points


def turn_codes(codes: Tensor, turn: Tensor) -> Tensor:
    """
    Return codes (..., 10) whose heading and velocity are seen from other axes; points and sizes stay.

    :param turn: (3, 3) for row vectors: direction in the new axes = direction @ turn. (sin psi, cos psi) is minus
        the direction of the heading, so that both turn alike.
    """
    state = codes[..., STATE].unflatten(-1, (2, 2)) @ turn[:2, :2]
    return torch.cat([codes[..., :STATE.start], state.flatten(-2)], dim=-1)


def with_points(codes: Tensor, points: Tensor) -> Tensor:
    """Return codes with other bottom centres (..., 3), metres."""
    return torch.cat([points[..., :2], codes[..., 2:4], points[..., 2:], codes[..., 5:]], dim=-1)


def decode_codes(codes: Tensor) -> Tensor:
    """Return (..., 9): cx, cy, cz of the bottom, w, l, h, clockwise yaw, vx, vy."""
    size = torch.cat([codes[..., 2:4], codes[..., 5:6]], dim=-1).exp()
    yaw = torch.atan2(codes[..., 6], codes[..., 7])[..., None]
    return torch.cat([points_of(codes), size, yaw, codes[..., 8:]], dim=-1)


def encode_boxes(decoded: Tensor) -> Tensor:
    """Return codes (..., 10) of decoded boxes (..., 9)."""
    x, y, z, width, length, height, yaw, vx, vy = decoded.unbind(-1)
    return torch.stack([x, y, width.log(), length.log(), z, height.log(), yaw.sin(), yaw.cos(), vx, vy], dim=-1)


def corner_offsets(decoded: Tensor) -> Tensor:
    """Return the eight corners (..., 8, 3) of decoded boxes (..., 9) relative to their geometric centres."""
    x, y, z = (decoded[..., 3:6] / 2).unbind(-1)
    x = torch.stack([-x, -x, -x, -x, x, x, x, x], dim=-1)
    y = torch.stack([-y, -y, y, y, -y, -y, y, y], dim=-1)
    z = torch.stack([-z, z, z, -z, -z, z, z, -z], dim=-1)
    c, s = decoded[..., 6, None].cos(), decoded[..., 6, None].sin()
    return torch.stack([x * c + y * s, -x * s + y * c, z], dim=-1)


def boxes_from_codes(codes: Tensor, label: Tensor, score: Tensor, track_id: Tensor) -> Boxes:
    """Return core boxes (geometric centre, length first, counter-clockwise yaw) of codes (N, 10)."""
    values = decode_codes(codes.detach()).cpu().double().numpy()
    centre = values[:, :3].copy()
    centre[:, 2] += values[:, 5] / 2
    yaw = (-values[:, 6] - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    return Boxes(centre, values[:, [4, 3, 5]], yaw, values[:, 7:], label.cpu().numpy(),
                 score.detach().cpu().double().numpy(), track_id.cpu().numpy())


def codes_from_boxes(boxes: Boxes) -> Tensor:
    """Return codes (N, 10) float32 of core boxes; unknown velocities stay NaN."""
    bottom = boxes.centre - np.array([0, 0, 0.5]) * boxes.size
    yaw = -boxes.yaw - np.pi / 2
    length, width, height = np.log(boxes.size).T
    codes = np.stack([bottom[:, 0], bottom[:, 1], width, length, bottom[:, 2], height, np.sin(yaw), np.cos(yaw),
                      boxes.velocity[:, 0], boxes.velocity[:, 1]], axis=1)
    return torch.from_numpy(codes.astype(np.float32))
