"""What each side can see, as labels of the V2X-Seq-SPD format."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np

from ...common.config import EGO_RANGE, INFRA_RANGE, RangeConfig
from ...common.geometry import heading, nearest_rotation, transform_points, wrap_angle
from .agents import Agent
from .raster import Camera, clip_near, project
from .render import Sight, body_corners

MIN_PIXELS = 20 / (960 * 540)
MEMORY_FRAMES = 5
HOLE_FRAMES = 10
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))


@dataclass(frozen=True)
class View:
    """Where a side stands at one moment: lidar (maybe not rigid) and camera, seconds of the scene's time."""

    t: float
    scene_from_lidar: np.ndarray
    camera: Camera


def image_box(camera: Camera, corners: np.ndarray) -> tuple[np.ndarray, float] | None:
    """
    Return the rectangle (xmin, ymin, xmax, ymax) of scene corners (8, 3), clipped to the image.

    :returns: the rectangle and the share of it that lies in the image, or nothing when none of it does.
    """
    points = camera.to_camera(corners)
    lines = [clip_near(points[list(edge)]) for edge in EDGES]
    points = np.concatenate([line for line in lines if len(line)] or [np.zeros((0, 3))])
    if not len(points):
        return None
    pixels = project(camera, points)
    low, high = pixels.min(0), pixels.max(0)
    width, height = camera.size
    inner_low, inner_high = np.clip(low, 0, [width - 1, height - 1]), np.clip(high, 0, [width - 1, height - 1])
    if (inner_high - inner_low).min() <= 0:
        return None
    share = float(np.prod(inner_high - inner_low) / np.prod(high - low))
    return np.concatenate([inner_low, inner_high]), share


def in_range(scene_from_lidar: np.ndarray, position: np.ndarray, limits: RangeConfig) -> bool:
    """Return whether a scene point lies in the range of a side, seen from above."""
    x, y, _ = transform_points(np.linalg.inv(scene_from_lidar), position)
    x0, y0, _, x1, y1, _ = limits.pc_range
    return x0 < x < x1 and y0 < y < y1


def seen_agents(side: str, agents: list[Agent], ego: int, views: list[View],
                sights: list[Sight]) -> list[list[int]]:
    """
    Return, per frame, the numbers of the agents that a side labels.

    The rule: within range, in the image, and at least 20 unoccluded pixels (of 960x540) in this or one of the
    previous five frames. The ego vehicle is never labelled.
    """
    limits = EGO_RANGE if side == 'vehicle' else INFRA_RANGE
    out = []
    for k, view in enumerate(views):
        width, height = view.camera.size
        needed = max(MIN_PIXELS * width * height, 1.0)
        recent = sights[max(k - MEMORY_FRAMES, 0):k + 1]
        row = []
        for agent in agents:
            if agent.number == ego or not agent.alive(view.t):
                continue
            if max(p.visible.get(agent.number, 0) for p in recent) < needed:
                continue
            corners = body_corners(agent, agent.pose(view.t))
            if in_range(view.scene_from_lidar, corners.mean(0), limits) and image_box(view.camera, corners):
                row.append(agent.number)
        out.append(row)
    return out


def occlusion_state(sight: Sight, number: int) -> int:
    """Return 0 visible, 1 partly hidden, 2 mostly hidden."""
    share = sight.visible.get(number, 0) / max(sight.alone.get(number, 0), 1)
    return 0 if share > 0.8 else 1 if share > 0.4 else 2


def make_label(agent: Agent, view: View, track_id: str, token: str, occluded: int) -> dict:
    """Return one label in the lidar frame of ``view`` at its time."""
    pose = agent.pose(view.t)
    corners = body_corners(agent, pose)
    centre = transform_points(np.linalg.inv(view.scene_from_lidar), corners.mean(0))
    yaw = wrap_angle(pose[2] - heading(nearest_rotation(view.scene_from_lidar[:3, :3])))
    box = image_box(view.camera, corners)
    rectangle, share = box if box else (np.zeros(4), 0.0)
    return {
        'token': token, 'type': agent.kind, 'track_id': track_id,
        'truncated_state': 0 if share > 0.95 else 1 if share > 0.5 else 2, 'occluded_state': occluded,
        'alpha': _number(wrap_angle(yaw - np.arctan2(centre[1], centre[0]))),
        '2d_box': dict(zip(('xmin', 'ymin', 'xmax', 'ymax'), map(_number, rectangle))),
        '3d_dimensions': dict(zip('lwh', map(_number, agent.size))),
        '3d_location': dict(zip('xyz', (_number(c, 8) for c in centre))), 'rotation': _number(yaw, 8)}


def _number(value, digits: int = 4) -> float:
    return round(float(value), digits)


class Identities:
    """
    Six-digit track ids in one number space, given out in order of appearance.

    Readers fill holes of a track by straight lines, so an object that was out of sight for longer than
    ``HOLE_FRAMES`` comes back under a new id: nobody has seen what it did meanwhile.
    """

    def __init__(self, first: int):
        self.next, self.known = first, {}

    def of(self, number: int, frame: int) -> str:
        """Return the track id of an agent that is labelled in ``frame`` (called with rising frames)."""
        track_id, last = self.known.get(number, (self.next, None))
        if last is None or frame - last > HOLE_FRAMES:
            track_id = self.next
            self.next += 1
        self.known[number] = track_id, frame
        return f'{track_id:06d}'


def token_of(*parts) -> str:
    """Return a UUID that depends on nothing but its parts."""
    return str(uuid.uuid3(uuid.NAMESPACE_DNS, '/'.join(map(str, parts))))
