"""Everything in a scene that stops a laser beam: the very faces that the images show, without colours of light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...common.geometry import rotation_z
from .agents import Agent
from .ground import HALF_SIZE, PX_PER_M
from .layout import Building
from .meshes import CORNERS, stride_step
from .render import SceneRenderer, building_corners

_PLANT, _WALL, _BODY = 0.3, (0.25, 0.5), (0.05, 0.65)
"""Reflectivity of trees and posts, of buildings from dull to bright, and of bodies from black to white."""
_SIDES = ((3, 0), (0, 1), (1, 2), (2, 3))
"""Corners of the footprint of a building left and right of each wall, seen from outside."""


@dataclass(frozen=True)
class Solids:
    """F convex faces in the scene: ``corners`` (F, 8, 3), outward ``normals`` (F, 3), ``reflectivity`` (F,) 0 to 1."""

    corners: np.ndarray
    normals: np.ndarray
    reflectivity: np.ndarray

    @staticmethod
    def concatenate(parts: list[Solids]) -> Solids:
        """Return the faces of all parts."""
        return Solids(*(np.concatenate([getattr(p, name) for p in parts]) for name in Solids.__dataclass_fields__))


class SolidScene:
    """The faces of a scene at any time, and how bright its ground is."""

    def __init__(self, renderer: SceneRenderer) -> None:
        """Take the shapes that the images of the scene are drawn from."""
        self._renderer = renderer
        parts = [_building(b) for b in renderer.layout.buildings]
        parts += [Solids(faces.corners, faces.normals, np.full(len(faces.normals), _PLANT)) for faces in renderer.plain]
        parts += [self._agent(agent, 0.0) for agent in renderer.parked]
        self._standing = parts

    def at(self, t: float, skip: int = -1) -> Solids:
        """Return all faces at a time in seconds; :param skip: number of the agent that carries the sensor."""
        return Solids.concatenate([_nothing(), *self._standing, *(
            self._agent(agent, t) for agent in self._renderer.moving if agent.number != skip and agent.alive(t))])

    def ground(self, points: np.ndarray) -> np.ndarray:
        """Return the reflectivity (N,) of the ground at points (N, 2): markings are brighter than asphalt."""
        image = self._renderer.ground.levels[0]
        places = np.clip(((points + HALF_SIZE) * PX_PER_M).astype(np.int64), 0, len(image) - 1)
        return 0.5 * (image[places[:, 1], places[:, 0]].mean(-1) / 255.0) ** 2

    def _agent(self, agent: Agent, t: float) -> Solids:
        x, y, yaw = agent.pose(t)
        travelled = 0.0 if agent.path is None else agent.arc(t)
        corners, normals, colours, detail = self._renderer.shape(agent, stride_step(agent.kind, travelled))
        turn = rotation_z(yaw).T
        dull, bright = _BODY
        # Plates lie on surfaces; a beam that they stop would be stopped a centimetre later.
        return Solids(corners[~detail] @ turn + [x, y, 0.0], normals[~detail] @ turn,
                      dull + (bright - dull) * colours[~detail].mean(-1) / 255.0)


def _nothing() -> Solids:
    return Solids(np.zeros((0, CORNERS, 3)), np.zeros((0, 3)), np.zeros(0))


def _building(building: Building) -> Solids:
    low, top = building_corners(building)[:4], building_corners(building)[4:]
    faces = [np.array([low[a], low[b], top[b], top[a]]) for a, b in _SIDES] + [top]
    normals = [np.cross(face[1] - face[0], face[3] - face[0]) for face in faces]
    corners = np.array([np.concatenate([face, np.repeat(face[-1:], CORNERS - 4, axis=0)]) for face in faces])
    shine = np.random.default_rng(building.seed).uniform(*_WALL)
    return Solids(corners, np.array([n / np.linalg.norm(n) for n in normals]), np.full(len(faces), shine))
