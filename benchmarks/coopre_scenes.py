"""Point clouds and vehicles of generated scenes, without images: what ``coopre.py`` learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cooptrack_ros.common.geometry import heading, nearest_rotation, rotation_z, transform_points, wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.synth import make_scene
from cooptrack_ros.data.synth.agents import Agent
from cooptrack_ros.data.synth.lidar import ROADSIDE, VEHICLE, Lidar, roadside_sensor, sweep
from cooptrack_ros.data.synth.sensors import make_roadside_rig
from cooptrack_ros.data.synth.solids import SolidScene
from cooptrack_ros.model.lidar.pillars import PillarGrid
from cooptrack_ros.train.lidar.gather import OWN, without_own_body

GRID = PillarGrid((-40.96, -40.96, -5.0), (40.96, 40.96, 3.0), (256, 256))
"""Pillars of 0.32 m, as those of ``mini_lidar``."""
KINDS = {'dense': (VEHICLE, ROADSIDE),
         'sparse': (replace(VEHICLE, elevation=VEHICLE.elevation[1::3]),
                    replace(ROADSIDE, elevation=ROADSIDE.elevation[::8]))}
"""Sensors of vehicle and unit: 40 and 160 beams, or 13 and 20 of them."""
LEAST_POINTS = 5
"""Of a vehicle, for an agent to see it."""
_TYPES = ('Car', 'Van', 'Truck', 'Bus')
_FRAMES_S = (0.0, 3.0)
_SKIN_M, _ABOVE_ROAD_M = 0.1, 0.2
_SIZE = (64, 36)
"""Of images that nobody makes."""


@dataclass(frozen=True)
class CloudScene:
    """
    One time of a scene in the lidar frame of the vehicle.

    ``points`` (N, 4) are those of all agents, ``agent`` (N,) says whose: ``OWN`` or 1, the unit. ``boxes`` are the G
    vehicles in range that any agent sees; ``own`` (G,) tells which the vehicle does.
    """

    points: np.ndarray
    agent: np.ndarray
    boxes: Boxes
    own: np.ndarray

    def read(self, agents: str) -> tuple[np.ndarray, np.ndarray]:
        """Return points and whose they are, as ``train.lidar.gather.Gathering`` does."""
        chosen = slice(None) if agents == 'all' else self.agent == OWN
        return self.points[chosen], self.agent[chosen]

    def clouds(self) -> list[np.ndarray]:
        """Return the points of each agent."""
        return [self.points[self.agent == k] for k in (OWN, 1)]


def scenes(seeds: Sequence[int], kind: str, folder: Path, report: Callable[[str], None],
           frames: int = len(_FRAMES_S)) -> list[CloudScene]:
    """Return so many times of each scene, from the folder where they are kept; those missing are made, of all kinds."""
    found = []
    for done, seed in enumerate(seeds):
        path = folder / kind / f'{seed:06d}.npz'
        if not path.is_file():
            _keep(seed, folder)
            if done % 20 == 0:
                report(f'scene {done} of {len(seeds)}')
        with np.load(path) as stored:
            found += [_of({name: stored[f'{name}{k}'] for name in ('points', 'agent', 'boxes', 'own')})
                      for k in range(frames)]
    return found


def _keep(seed: int, folder: Path) -> None:
    """Write all times of a scene, once for each kind of sensors."""
    for kind, times in _make(seed).items():
        path = folder / kind / f'{seed:06d}.npz'
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix('.tmp.npz')
        np.savez(temporary, **{f'{name}{k}': value for k, one in enumerate(times)
                               for name, value in _plain(one).items()})
        temporary.replace(path)


def _plain(scene: CloudScene) -> dict[str, np.ndarray]:
    boxes = np.column_stack([scene.boxes.centre, scene.boxes.size, scene.boxes.yaw])
    return {'points': scene.points.astype(np.float32), 'agent': scene.agent.astype(np.int8), 'boxes': boxes,
            'own': scene.own}


def _of(arrays: dict[str, np.ndarray]) -> CloudScene:
    rows = arrays['boxes']
    count = len(rows)
    boxes = Boxes(rows[:, :3], rows[:, 3:6], rows[:, 6], np.full((count, 2), np.nan), np.zeros(count, np.int64),
                  np.ones(count), np.arange(count))
    return CloudScene(arrays['points'], arrays['agent'].astype(np.int64), boxes, arrays['own'])


def _make(seed: int) -> dict[str, list[CloudScene]]:
    scene = make_scene(seed, _FRAMES_S[-1] + 0.5, _SIZE)
    rig = make_roadside_rig(scene.layout, np.random.default_rng([seed, 6, 1]), _SIZE,
                            scene.agents[scene.ego].path.arms[0], ())
    solids, found = SolidScene(scene.renderer), {kind: [] for kind in KINDS}
    for k, seconds in enumerate(_FRAMES_S):
        view = scene.vehicle_view(int(seconds * 1e6))
        places = (view.scene_from_lidar, roadside_sensor(rig.camera.position, rig.scene_from_lidar))
        boxes = _boxes(scene.agents, scene.ego, view.t, view.scene_from_lidar)
        for kind, sensors in KINDS.items():
            rngs = [np.random.default_rng([seed, 20, k, side]) for side in (0, 1)]
            clouds = [_cloud(solids, lidar, view.t, place, view.scene_from_lidar, rng, skip) for
                      lidar, place, rng, skip in zip(sensors, places, rngs, (scene.ego, -1), strict=True)]
            clouds[OWN] = without_own_body(clouds[OWN])
            agent = np.repeat([OWN, 1], [len(c) for c in clouds])
            found[kind].append(_with_boxes(np.concatenate(clouds), agent, boxes))
    return found


def _cloud(solids: SolidScene, lidar: Lidar, t: float, place: np.ndarray, scene_from_lidar: np.ndarray,
           rng: np.random.Generator, skip: int) -> np.ndarray:
    returns = sweep(solids, lidar, t, place, rng, skip)
    points = transform_points(np.linalg.inv(scene_from_lidar), returns.points)
    cloud = np.column_stack([points, returns.intensity]).astype(np.float32)
    return cloud[GRID.inside(cloud)]


def _boxes(agents: Sequence[Agent], ego: int, t: float, scene_from_lidar: np.ndarray) -> np.ndarray:
    """Return centre, size and yaw (G, 7) of the vehicles in the lidar frame."""
    lidar_from_scene, rows = np.linalg.inv(scene_from_lidar), []
    turn = heading(nearest_rotation(scene_from_lidar[:3, :3]))
    for agent in agents:
        if agent.kind in _TYPES and agent.number != ego and agent.alive(t):
            x, y, yaw = agent.pose(t)
            centre = transform_points(lidar_from_scene, np.array([x, y, agent.size[2] / 2]))
            rows.append([*centre, *agent.size, wrap_angle(yaw - turn)])
    return np.array(rows).reshape(-1, 7)


def _with_boxes(points: np.ndarray, agent: np.ndarray, rows: np.ndarray) -> CloudScene:
    inside = (np.abs(rows[:, :2]) < GRID.high[:2]).all(1)
    rows, counts = rows[inside], []
    for row in rows:
        local = (points[:, :3] - row[:3]) @ rotation_z(row[6])
        hit = (np.abs(local) <= row[3:6] / 2 + _SKIN_M).all(1) & (local[:, 2] > _ABOVE_ROAD_M - row[5] / 2)
        counts.append([np.sum(hit & (agent == k)) for k in (OWN, 1)])
    counts = np.array(counts).reshape(-1, 2)
    seen = (counts >= LEAST_POINTS).any(1)
    own = counts[:, OWN] >= LEAST_POINTS
    return _of({'points': points, 'agent': agent, 'boxes': rows[seen], 'own': own[seen]})
