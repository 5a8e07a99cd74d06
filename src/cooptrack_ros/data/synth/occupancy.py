"""Exact classes and identities of voxels, from the bodies of a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...common.geometry import rotation_z, transform_points
from ...common.types import Side
from ...occupancy.grids import GRIDS, Grid
from ...occupancy.label_file import VoxelLabels
from ...occupancy.painting import paint
from ...occupancy.taxonomy import V2X
from ...occupancy.visibility import grid_below, seen_by_cameras
from ..spd.schema import CLASSES, CONE_LABEL, label_of_type
from .agents import Agent
from .bodies import body_points
from .labels import View
from .layout import CROWN_RINGS, LAMP_HALF, TRUNK_HALF, TRUNK_SHARE, Layout
from .meshes import object_faces, stride_step

_THING_STEPS, _PLAIN_STEPS, _GROUND_STEPS = 4, 2, 3
"""So many points of a body, and of the ground, lie along a voxel."""
_TOP_M = 12.0
"""Grids and cameras are not higher above the ground."""


@dataclass(frozen=True)
class VoxelScene:
    """Labels the frames of one scene; ``plain`` (N, 3) are points of all that never moves and is no thing."""

    agents: Sequence[Agent]
    ego: int
    profile: str
    plain: np.ndarray
    _bodies: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """Points of each agent with each position of its legs, in its frame."""

    def label(self, side: Side, view: View, track_ids: Mapping[int, int]) -> VoxelLabels:
        """
        Return the labels of a side; an identity is the number of the agent and 1.

        A voxel belongs to a body if one of its points lies there; they are less than a voxel apart, inside and on the
        surface. All is known. The ego vehicle, which no label names, is left out of its own grid, and of both masks on
        the roadside.

        :param track_ids: identities in the labels of the side by number of the agent.
        """
        grid = GRIDS[self.profile].grid(side)
        camera = view.camera
        projection = np.eye(4)
        projection[:3] = camera.intrinsic @ (camera.cam_from_scene @ view.scene_from_lidar)[:3]
        cameras = [(projection, camera.size)]
        tall, layers = grid_below(grid, cameras), grid.shape[2]
        lidar_from_scene = np.linalg.inv(view.scene_from_lidar)
        general, things, numbers = [transform_points(lidar_from_scene, self.plain)], [], []
        for agent in self.agents:
            if not agent.alive(view.t) or (side is Side.VEHICLE and agent.number == self.ego):
                continue
            points = transform_points(lidar_from_scene, self._body(agent, view.t))
            label = label_of_type(agent.kind)
            if label == CONE_LABEL:
                general.append(points)
            else:
                things.append((V2X.classes.index(CLASSES[label]), agent.number + 1, points))
                numbers.append(agent.number)
        volume = paint(tall, _ground(grid, view.scene_from_lidar), np.concatenate(general), things)
        seen = seen_by_cameras(tall, volume.semantics != V2X.free, cameras)[..., :layers]
        instances = volume.instances[..., :layers]
        counts = instances != self.ego + 1
        return VoxelLabels(volume.semantics[..., :layers], instances, counts.astype(np.uint8),
                           (counts & seen).astype(np.uint8),
                           np.array(numbers, np.int64) + 1,
                           np.array([track_ids.get(number, -1) for number in numbers], np.int64))

    def _body(self, agent: Agent, t: float) -> np.ndarray:
        """Return points of an agent in the scene."""
        x, y, yaw = agent.pose(t)
        step = stride_step(agent.kind, 0.0 if agent.path is None else agent.arc(t))
        points = self._bodies.get((agent.number, step))
        if points is None:
            faces, _, _, detail = object_faces(agent.kind, agent.size, agent.colours, agent.look, step)
            spacing = np.array(GRIDS[self.profile].vehicle.voxel) / _THING_STEPS
            points = self._bodies[agent.number, step] = body_points(faces[~detail], spacing)
        return points @ rotation_z(yaw).T + [x, y, 0.0]


def make_voxel_scene(layout: Layout, agents: Sequence[Agent], ego: int, profile: str) -> VoxelScene:
    """Return what labels the frames of a scene with a grid of a name."""
    step = np.array(GRIDS[profile].vehicle.voxel) / _PLAIN_STEPS
    parts = [_block(b.centre, b.half, (0.0, min(b.height, _TOP_M)), step) for b in layout.buildings]
    parts += [_block((x, y), (LAMP_HALF,) * 2, (0.0, min(height, _TOP_M)), step) for x, y, height in layout.lamps]
    for x, y, height, radius in layout.trees:
        parts.append(_block((x, y), (TRUNK_HALF,) * 2, (0.0, TRUNK_SHARE * height), step))
        crown = _block((x, y), (radius, radius), (CROWN_RINGS[0][0] * height, min(height, _TOP_M)), step)
        wide = radius * np.interp(crown[:, 2] / height, *np.transpose(CROWN_RINGS))
        parts.append(crown[np.hypot(*(crown[:, :2] - (x, y)).T) <= wide])
    return VoxelScene(agents, ego, profile, np.concatenate([np.zeros((0, 3)), *parts]))


def _lattice(low: Sequence[float], high: Sequence[float], step: np.ndarray) -> np.ndarray:
    """Return points (N, 3) of a block, at most ``step`` apart, its faces among them."""
    axes = [np.linspace(a, b, 1 + max(int(np.ceil((b - a) / s)), 1)) for a, b, s in zip(low, high, step)]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 3)


def _block(centre, half, height, step) -> np.ndarray:
    return _lattice((centre[0] - half[0], centre[1] - half[1], height[0]),
                    (centre[0] + half[0], centre[1] + half[1], height[1]), step)


def _ground(grid: Grid, scene_from_lidar: np.ndarray) -> np.ndarray:
    """Return points of the plane z = 0 of the scene, in the lidar frame."""
    x, y = (grid.origin[a] + (np.arange(_GROUND_STEPS * grid.shape[a]) + 0.5) * grid.voxel[a] / _GROUND_STEPS
            for a in (0, 1))
    x, y = (a.ravel() for a in np.meshgrid(x, y, indexing='ij'))
    up = scene_from_lidar[2]
    return np.stack([x, y, -(up[0] * x + up[1] * y + up[3]) / up[2]], axis=1)
