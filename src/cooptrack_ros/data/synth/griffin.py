"""Turns a scene into a folder of the Griffin format: the ego vehicle with four cameras, a drone with five."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...common.config import EGO_RANGE
from ...common.geometry import angles_xyz, rotation_z
from .agents import Agent
from .drone import (
    MountedCamera,
    drone_cameras,
    make_flight,
    scene_from_vehicle,
    vehicle_cameras,
)
from .labels import MEMORY_FRAMES, MIN_PIXELS, image_box, in_range
from .raster import Camera
from .recording import Scene
from .render import Sight, body_corners
from .writer import write_json

PERIOD_S = 0.1
IMAGES_PER_FRAME = 9
LEAST_SECONDS = 1.0
"""Readers leave out runs of fewer frames."""
_FIRST_VALIDATION_SEED = 10_000
_TYPES = {'Car': 'car', 'Van': 'car', 'Truck': 'truck', 'Bus': 'bus', 'Cyclist': 'bicycle', 'Tricyclist': 'bicycle',
          'Motorcyclist': 'motorcycle', 'Pedestrian': 'pedestrian', 'TrafficCone': 'traffic_cone'}


@dataclass(frozen=True)
class _Platform:
    """
    An agent that carries cameras: where it is in each frame, in the scene.

    ``own`` is the number of the object that it is itself, which it neither sees nor labels; -1 for none.
    """

    folder: str
    cameras: Sequence[MountedCamera]
    poses: Sequence[np.ndarray]
    own: int

    def views(self, k: int) -> list[Camera]:
        """Return its cameras in a frame."""
        return [camera.at(self.poses[k]) for camera in self.cameras]


def write_griffin(scene: Scene, root: Path, size: tuple[int, int], start: float, count: int, altitude: float,
                  tick: Callable[[], None]) -> None:
    """
    Write both sides and the split; scenes of the seeds for training are in ``train``, all others in ``val``.

    :param start: time of the first frame in the scene, seconds; :param altitude: of the drone, metres.
    :param tick: called after every image.
    """
    times = start + PERIOD_S * np.arange(count)
    vehicle = scene.agents[scene.ego]
    flight = make_flight(np.random.default_rng([scene.seed, 12]), vehicle, altitude)
    for platform in (
            _Platform('vehicle-side', vehicle_cameras(vehicle, size), [scene_from_vehicle(vehicle, t) for t in times],
                      scene.ego),
            _Platform('drone-side', drone_cameras(size), [flight.scene_from_ego(t) for t in times], -1)):
        _write_side(scene, root / platform.folder, platform, times, tick)
    is_training = scene.seed < _FIRST_VALIDATION_SEED
    name = f'scene-0000-{_name(scene)}'
    write_json(root / 'split.json', {'batch_split': {'train': [name] if is_training else [],
                                                     'val': [] if is_training else [name]}})


def _name(scene: Scene) -> str:
    return f'Synthetic-{scene.seed:06d}'


def _write_side(scene: Scene, side: Path, platform: _Platform, times: np.ndarray, tick: Callable[[], None]) -> None:
    write_json(side / 'scene_infos.json', [
        {'name': _name(scene), 'info': {'weather': 'synthetic', 'frames': [f'{k:06d}' for k in range(len(times))]}}])
    for camera in platform.cameras:
        write_json(side / f'calib/{camera.name}.json', {
            'intrinsic': camera.intrinsic.tolist(), 'extrinsic': camera.ego_from_camera.tolist()})
    (side / 'label').mkdir()
    sights: list[Sight] = []
    for k, t in enumerate(times):
        _write_pose(side / f'pose/{k:06d}.json', scene.world_from_scene @ platform.poses[k])
        seen = []
        for place, (camera, view) in enumerate(zip(platform.cameras, platform.views(k), strict=True)):
            image, sight = scene.renderer.image(view, t, skip=platform.own, frame=1000 * place + k)
            _write_image(side / f'camera/{camera.name}/{k:06d}.png', image)
            seen.append(sight)
            tick()
        sights.append(_together(seen))
        (side / f'label/{k:06d}.txt').write_text(''.join(
            _line(agent, t, platform.poses[k], sights[-1])
            for agent in _labelled(scene, platform, k, t, sights[-MEMORY_FRAMES - 1:])))


def _labelled(scene: Scene, platform: _Platform, k: int, t: float, recent: Sequence[Sight]) -> list[Agent]:
    """Return what a platform labels, by the rule of ``labels.seen_agents`` for all its cameras together."""
    views = platform.views(k)
    width, height = platform.cameras[0].size
    needed, found = max(MIN_PIXELS * width * height, 1.0), []
    for agent in scene.agents:
        if agent.number == platform.own or not agent.alive(t):
            continue
        if max(sight.visible.get(agent.number, 0) for sight in recent) < needed:
            continue
        corners = body_corners(agent, agent.pose(t))
        if in_range(platform.poses[k], corners.mean(0), EGO_RANGE) and any(image_box(v, corners) for v in views):
            found.append(agent)
    return found


def _together(sights: Sequence[Sight]) -> Sight:
    """Return what several cameras see of each object."""
    visible, alone = ({number: sum(getattr(sight, kind).get(number, 0) for sight in sights)
                       for number in {n for sight in sights for n in getattr(sight, kind)}}
                      for kind in ('visible', 'alone'))
    return Sight(visible, alone)


def _line(agent: Agent, t: float, scene_from_ego: np.ndarray, sight: Sight) -> str:
    """Return a label: metres and degrees in the ego frame, whatever its roll and pitch."""
    x, y, yaw = agent.pose(t)
    ego_from_scene = np.linalg.inv(scene_from_ego)
    centre = ego_from_scene[:3, :3] @ [x, y, agent.size[2] / 2] + ego_from_scene[:3, 3]
    angles = np.degrees(angles_xyz(ego_from_scene[:3, :3] @ rotation_z(yaw)))
    share = min(sight.visible.get(agent.number, 0) / max(sight.alone.get(agent.number, 0), 1), 1.0)
    numbers = ' '.join(f'{value:.4f}' for value in (*centre, *agent.size, *angles))
    return f'{_TYPES[agent.kind]} {numbers} {agent.number + 1} {share:.3f}\n'


def _write_pose(path: Path, world_from_ego: np.ndarray) -> None:
    angles = np.degrees(angles_xyz(world_from_ego[:3, :3]))
    write_json(path, dict(zip(('x', 'y', 'z', 'roll', 'pitch', 'yaw'), map(float, (*world_from_ego[:3, 3], *angles)),
                              strict=True)))


def _write_image(path: Path, image: np.ndarray) -> None:
    ok, data = cv2.imencode('.png', image)
    if not ok:
        raise OSError(f'{path}: the image could not be encoded')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
