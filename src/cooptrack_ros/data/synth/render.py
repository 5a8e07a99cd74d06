"""Images of a scene: sky, ground with shadows, buildings, trees and all agents, with exact visible pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .agents import Agent
from .faces import Faces, draw_faces
from .ground import HALF_SIZE, PX_PER_M, GroundPainter, shadow_hull
from .layout import (
    CROWN_RINGS,
    LAMP_HALF,
    TRUNK_HALF,
    TRUNK_SHARE,
    Building,
    Layout,
    blocked_by_buildings,
)
from .meshes import Mesh, object_faces, stride_step
from .raster import (
    GROUND,
    STATIC,
    Camera,
    Canvas,
    GroundTexture,
    clip_near,
    draw_textured,
    ground_depth,
    project,
)

FACADE_PX_PER_M = 10
CONTACT_SHADE = 0.5
BANKED = 0.05
"""Sine of the roll of a camera from which on its horizon is no row of the image."""


@dataclass(frozen=True)
class Sight:
    """Per agent number: its unoccluded pixels in one image and those it would have alone."""

    visible: dict[int, int]
    alone: dict[int, int]


@dataclass(frozen=True)
class Background:
    """What a camera sees of things that never move; ``shade`` is 255 where the ground lies in shadow."""

    canvas: Canvas
    shade: np.ndarray
    alone: dict[int, int]


def body_corners(agent: Agent, pose) -> np.ndarray:
    """Return the eight corners (8, 3) of an agent's box in the scene, bottom first."""
    sign = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * 0.5
    xy = sign * agent.size[:2]
    c, s = np.cos(pose[2]), np.sin(pose[2])
    xy = np.stack([c * xy[:, 0] - s * xy[:, 1] + pose[0], s * xy[:, 0] + c * xy[:, 1] + pose[1]], axis=1)
    return np.column_stack([np.concatenate([xy, xy]), np.repeat([0.0, agent.size[2]], 4)])


class SceneRenderer:
    """Holds the textures and static shapes of one scene and draws images of it."""

    def __init__(self, layout: Layout, agents: list[Agent]):
        self.layout, self.agents = layout, agents
        self.rng = np.random.default_rng([layout.palette_seed, 7])
        painter = GroundPainter(layout)
        self.ground = GroundTexture(painter.paint(), PX_PER_M, HALF_SIZE)
        self.shapes = {}
        self.parked = [a for a in agents if a.path is None]
        self.moving = [a for a in agents if a.path is not None]
        self.plain, hulls = self._plain_shapes()
        hulls += [shadow_hull(body_corners(a, a.pose_fixed), layout.sun) for a in self.parked]
        self.static_shade = GroundTexture(painter.shade(hulls)[..., None], PX_PER_M / 2, HALF_SIZE, 4)
        looks = [self._facade(b) for b in layout.buildings]
        self.facades, self.roofs = [textures for textures, _ in looks], [roof for _, roof in looks]
        self.light_ground = layout.ambient + layout.diffuse * layout.sun[2]
        self.sky = self.rng.uniform([200, 170, 140], [250, 225, 205]), self.rng.uniform(200, 245) * np.ones(3)
        self.noise = self.rng.normal(0.0, self.rng.uniform(1.5, 4.0), (700, 1100, 3)).round().astype(np.int8)
        self.blur = float(self.rng.uniform(0.4, 0.75))

    # -- shapes ---------------------------------------------------------------------------------------------

    def _plain_shapes(self):
        mesh, hulls = Mesh(), []
        for x, y, height, radius in self.layout.trees:
            _tree(mesh, self.rng, x, y, height, radius)
            crown = np.array([[x + radius * np.cos(a), y + radius * np.sin(a), z] for a in np.arange(8) * np.pi / 4
                              for z in (0.45 * height, 0.95 * height)])
            hulls.append(shadow_hull(crown, self.layout.sun))
        for x, y, height in self.layout.lamps:
            mesh.block((x - LAMP_HALF, x + LAMP_HALF), (y - LAMP_HALF, y + LAMP_HALF), (0.0, height),
                       (110.0, 112.0, 112.0))
            mesh.block((x - 0.25, x + 0.25), (y - 0.25, y + 0.25), (height, height + 0.15), (120.0, 120.0, 120.0),
                       bottom=True)
        for b in self.layout.buildings:
            hulls.append(shadow_hull(building_corners(b), self.layout.sun))
        if not mesh.corners:
            return [], hulls
        corners, normals, colours, detail = mesh.arrays()
        colours = np.clip(colours * self._light(normals)[:, None], 0, 255)
        return [Faces(corners, normals, colours, np.full(len(corners), STATIC, np.int16), detail)], hulls

    def _facade(self, b: Building):
        """Return the four lit facade textures and the roof of a building."""
        rng = np.random.default_rng(b.seed)
        wall = rng.uniform(95, 205) * rng.uniform(0.85, 1.1, 3)
        storey, bay = rng.uniform(2.8, 3.6), rng.uniform(2.2, 4.0)
        window = rng.uniform(0.35, 0.75, 2)
        glass = rng.uniform(45, 120) * rng.uniform(0.9, 1.15, 3)
        textures = []
        for normal, width in (((1, 0), b.half[1]), ((0, 1), b.half[0]), ((-1, 0), b.half[1]), ((0, -1), b.half[0])):
            light = self._light(np.array([[*normal, 0.0]]))[0]
            texture = _facade_texture(rng, 2 * width, b.height, wall, glass, storey, bay, window)
            textures.append(np.clip(texture * light, 0, 255).astype(np.uint8))
        top = building_corners(b)[4:]
        top = np.concatenate([top, np.repeat(top[-1:], 4, axis=0)])[None]
        up = np.array([[0.0, 0.0, 1.0]])
        return textures, Faces(top, up, wall[None] * 0.8 * self._light(up)[0], np.full(1, STATIC, np.int16),
                               np.zeros(1, bool))

    def _light(self, normals: np.ndarray, sunlit=1.0) -> np.ndarray:
        """Return the brightness (F,) of faces with normals (F, 3)."""
        direct = self.layout.diffuse * np.maximum(normals @ self.layout.sun, 0.0) * sunlit
        return self.layout.ambient * (0.82 + 0.18 * normals[:, 2]) + direct

    # -- drawing --------------------------------------------------------------------------------------------

    def background(self, camera: Camera) -> Background:
        """Draw sky, ground, buildings, trees and standing objects."""
        canvas = Canvas(camera.size)
        width, height = camera.size
        depth, horizon = ground_depth(camera)
        canvas.inverse_depth[:] = depth
        canvas.ids[depth > 0] = GROUND
        u = np.clip(np.linspace(1.0, 0.0, max(horizon, 1)) * max(horizon, 1) / height, 0, 1)[:, None, None]
        canvas.colour[:horizon] = (self.sky[1] * (1 - u) + self.sky[0] * u)[:horizon]
        self.ground.warp(camera, canvas.colour, horizon)
        if abs(camera.cam_from_scene[0, 2]) > BANKED:
            canvas.colour[depth <= 0] = self.sky[1]
        shade = np.zeros((height, width), np.uint8)
        self.static_shade.warp(camera, shade, horizon)
        for b, textures in zip(self.layout.buildings, self.facades):
            self._draw_building(canvas, camera, b, textures)
        faces = [*self.plain, *self.roofs]
        occlusion = np.zeros_like(shade)
        for agent in self.parked:
            self._ground_polygon(camera, occlusion, body_corners(agent, agent.pose_fixed)[:4, :2])
            faces += self._agent_faces(camera, agent, agent.pose_fixed, 0.0)
        alone = draw_faces(canvas, camera, Faces.concatenate(faces))
        ground = canvas.ids == GROUND
        canvas.colour[ground & (occlusion > 0)] = (canvas.colour[ground & (occlusion > 0)] * CONTACT_SHADE)
        return Background(canvas, shade, alone)

    def image(self, camera: Camera, t: float, skip: int = -1, background: Background | None = None,
                frame: int = 0) -> tuple[np.ndarray, Sight]:
        """
        Draw the scene at time ``t``, seconds.

        :param skip: number of the agent that carries the camera; only its shadow is drawn.
        :param background: of this very camera, when it does not move.
        :param frame: chooses the noise.
        :returns: the image (H, W, 3) uint8 BGR and what is seen in it.
        """
        background = background or self.background(camera)
        canvas, shade = background.canvas.copy(), background.shade.copy()
        occlusion = np.zeros_like(shade)
        faces = []
        for agent in self.moving:
            if not agent.alive(t):
                continue
            pose = agent.pose(t)
            corners = body_corners(agent, pose)
            self._ground_polygon(camera, shade, shadow_hull(corners, self.layout.sun))
            if agent.number != skip:
                self._ground_polygon(camera, occlusion, corners[:4, :2])
                faces += self._agent_faces(camera, agent, pose, agent.arc(t))
        alone = background.alone | (draw_faces(canvas, camera, Faces.concatenate(faces)) if faces else {})
        self._shade_ground(canvas, shade, occlusion)
        counts = np.bincount(canvas.ids[canvas.ids > 0].astype(np.int64), minlength=len(self.agents) + 1)
        visible = {number - 1: int(counts[number]) for number in alone}
        return self._finish(canvas.colour, frame), Sight(visible, {k - 1: n for k, n in alone.items()})

    def shape(self, agent: Agent, step: int):
        """Return corners, normals, colours without light and plates of an agent, in its frame; see ``object_faces``."""
        key = agent.number, step
        if key not in self.shapes:
            self.shapes[key] = object_faces(agent.kind, agent.size, agent.colours, agent.look, step)
        return self.shapes[key]

    def _agent_faces(self, camera: Camera, agent: Agent, pose, travelled: float) -> list[Faces]:
        """Return the lit faces of an agent, under its number + 1, or nothing when it is behind the camera."""
        if camera.to_camera(body_corners(agent, pose))[:, 2].max() < 0.2:
            return []
        points, normals, colours, detail = self.shape(agent, stride_step(agent.kind, travelled))
        c, s = np.cos(pose[2]), np.sin(pose[2])
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        normals = normals @ turn.T
        middle = np.array([pose[0], pose[1], 0.6 * agent.size[2]])
        sunlit = 0.1 if blocked_by_buildings(self.layout, middle, middle + 200.0 * self.layout.sun)[0] else 1.0
        colours = np.clip(colours * self._light(normals, sunlit)[:, None], 0, 255)
        return [Faces(points @ turn.T + [pose[0], pose[1], 0.0], normals, colours,
                      np.full(len(normals), agent.number + 1, np.int16), detail)]

    def _draw_building(self, canvas, camera, b: Building, textures) -> None:
        low, high = building_corners(b)[:4], building_corners(b)[4:]
        # Corners run (+,+), (-,+), (-,-), (+,-); side k lies between corner k - 1 and k, seen from outside.
        for k, texture in enumerate(textures):
            left, right = (3, 0, 1, 2)[k], k
            draw_textured(canvas, camera, np.array([low[left], low[right], high[right], high[left]]), texture, STATIC)

    def _ground_polygon(self, camera: Camera, mask: np.ndarray, outline: np.ndarray) -> None:
        points = camera.to_camera(np.c_[outline, np.zeros(len(outline))])
        points = clip_near(points)
        if len(points) < 3:
            return
        pixels = project(camera, points)
        if (pixels.max(0) < 0).any() or (pixels.min(0) > camera.size).any():
            return
        cv2.fillConvexPoly(mask, np.round(np.clip(pixels, -30000, 30000) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)

    def _shade_ground(self, canvas: Canvas, shade, occlusion) -> None:
        """Darken ground pixels that lie in a shadow or under a body."""
        dark = self.layout.ambient / self.light_ground
        steps = np.arange(256) / 255.0
        base = np.clip(255 * self.light_ground / 1.1, 0, 255)
        factor = cv2.LUT(shade, (base * (1 - steps * (1 - dark))).astype(np.uint8))
        contact = (255 - steps * 255 * (1 - CONTACT_SHADE)).astype(np.uint8)
        under = cv2.LUT(cv2.GaussianBlur(occlusion, (5, 5), 0), contact)
        factor = cv2.multiply(factor, under, scale=1 / 255)
        factor[canvas.ids != GROUND] = 255
        canvas.colour = cv2.multiply(canvas.colour, cv2.merge([factor] * 3), scale=1 / 255)

    def _finish(self, colour: np.ndarray, frame: int) -> np.ndarray:
        """Add the softness and noise of a camera."""
        rng = np.random.default_rng([self.layout.palette_seed, frame])
        colour = cv2.GaussianBlur(colour, (3, 3), self.blur)
        height, width = colour.shape[:2]
        tiles = (height // self.noise.shape[0] + 2, width // self.noise.shape[1] + 2, 1)
        y, x = rng.integers(0, self.noise.shape[0]), rng.integers(0, self.noise.shape[1])
        noise = np.tile(self.noise, tiles)[y:y + height, x:x + width]
        return cv2.add(colour, noise, dtype=cv2.CV_8U)


def building_corners(b: Building) -> np.ndarray:
    """Return the eight corners (8, 3) of a building in the scene, bottom first."""
    sign = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    xy = np.array(b.centre) + sign * np.array(b.half)
    return np.concatenate([np.c_[xy, np.zeros(4)], np.c_[xy, np.full(4, b.height)]])


def _tree(mesh: Mesh, rng, x, y, height, radius) -> None:
    mesh.block((x - TRUNK_HALF, x + TRUNK_HALF), (y - TRUNK_HALF, y + TRUNK_HALF), (0.0, TRUNK_SHARE * height),
               (50.0, 65.0, 80.0))
    green = rng.uniform([30, 70, 40], [60, 120, 85])
    angle = np.arange(9) * 2 * np.pi / 8
    for (z0, r0), (z1, r1) in zip(CROWN_RINGS[:-1], CROWN_RINGS[1:]):
        for a, b in zip(angle[:-1], angle[1:]):
            face = np.array([[x + radius * r * np.cos(t), y + radius * r * np.sin(t), z * height]
                             for r, t, z in ((r0, a, z0), (r0, b, z0), (r1, b, z1), (r1, a, z1))])
            normal = np.cross(face[1] - face[0], face[3] - face[0])
            mesh.add(face, normal / np.linalg.norm(normal), green * rng.uniform(0.75, 1.2))


def _facade_texture(rng, width, height, wall, glass, storey, bay, window) -> np.ndarray:
    """Return a wall with rows of windows and a darker base, (rows, columns, 3) float32."""
    rows, columns = int(height * FACADE_PX_PER_M), int(width * FACADE_PX_PER_M)
    image = np.empty((rows, columns, 3), np.float32)
    image[:] = wall
    image[rows - int(0.9 * FACADE_PX_PER_M):] = wall * 0.72
    for floor in range(int(height / storey)):
        for k in range(int(width / bay)):
            x0 = int((k + 0.5 * (1 - window[0])) * bay * FACADE_PX_PER_M)
            x1 = int((k + 0.5 * (1 + window[0])) * bay * FACADE_PX_PER_M)
            y1 = rows - int((floor + 0.5 * (1 - window[1])) * storey * FACADE_PX_PER_M) - 3
            y0 = y1 - int(window[1] * storey * FACADE_PX_PER_M)
            if y0 > 2:
                image[y0:y1, x0:x1] = glass * rng.uniform(0.6, 1.5)
    return image + cv2.resize(rng.normal(0.0, 4.0, (rows // 3 + 1, columns // 3 + 1)).astype(np.float32),
                              (columns, rows))[..., None]
