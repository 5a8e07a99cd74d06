"""Synthetic scenes in the formats V2X-Seq-SPD and Griffin."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from ...common.errors import UserError
from .griffin import IMAGES_PER_FRAME, LEAST_SECONDS, PERIOD_S, write_griffin
from .layout import make_layout
from .occupancy import make_voxel_scene
from .recording import Scene, record_roadside, record_vehicle, write_pairs, write_union
from .render import SceneRenderer
from .sensors import make_clock, make_roadside_rig, make_vehicle_rig, world_from_scene
from .traffic import simulate
from .window import LATEST_START_S, simulated_seconds
from .writer import write_json

VERSION = 1
"""Raised whenever the same seed gives other bytes."""
LIDAR_VERSION = 2
"""The same for the point clouds alone."""
OCCUPANCY_VERSION = 2
"""The same for the labels of voxels alone."""
PROVENANCE = 'scene.json'
LOWEST_M, HIGHEST_M = 20.0, 60.0
"""Altitudes of drones."""


def provenance(seed: int, seconds: float, size: tuple[int, int], units: int, lidar: bool, start: float = 0.0,
               occupancy: str = '', altitude: float = 0.0) -> dict:
    """Return what ``scene.json`` holds: all that decides the bytes of a data set."""
    optional = {'occupancy': occupancy, 'occupancy_version': OCCUPANCY_VERSION} if occupancy else {}
    optional |= {'lidar_version': LIDAR_VERSION} if lidar else {}
    optional |= {'altitude': float(altitude)} if altitude else {}
    return optional | {'generator': 'cooptrack synth', 'version': VERSION, 'seed': int(seed), 'seconds': float(seconds),
            'size': [int(size[0]), int(size[1])], 'units': int(units), 'lidar': bool(lidar), 'start': float(start)}


def generate(root: str | Path, seed: int, seconds: float, size: tuple[int, int] = (960, 540), units: int = 1,
             lidar: bool = False, start: float = 0.0, occupancy: str = '', altitude: float = 0.0,
             progress: Callable[[int, int], None] | None = None) -> None:
    """
    Write one synthetic scene as a V2X-Seq-SPD folder with the sequence '0000' in split ``val``, or as a Griffin folder.

    The same arguments give the same bytes. The folder appears only when it is complete.

    :param root: folder to make; must not exist or be empty.
    :param seconds: length of the vehicle's recording, 10 frames each.
    :param size: image width and height.
    :param units: number of roadside units; with more than one, ``root/unit_1`` .. hold one data set each, with
        identical vehicle sides, and ``root/cooperative/label`` what the vehicle or any unit labels.
    :param lidar: also write point clouds, of 40 beams all around and of a dense sector at the roadside.
    :param start: seconds of the scene that go by before the recording, see ``window``.
    :param occupancy: also write the exact labels of the voxels of the grid of this name.
    :param altitude: of a drone that takes the place of roadside units, metres: the folder is of the Griffin format.
    :param progress: is called with (images done, images in all).
    :raises UserError: if the arguments make no sense or ``root`` is in use.
    """
    root = Path(root)
    if seconds < 0.5 or min(size) < 32 or units < 1 or seed < 0 or not 0 <= start <= LATEST_START_S:
        raise UserError(f'synth needs seed >= 0, seconds >= 0.5, images of at least 32x32, units >= 1 and a start of '
                        f'0 to {LATEST_START_S:g} s, not seed {seed}, seconds {seconds}, size {size[0]}x{size[1]}, '
                        f'units {units}, start {start}')
    if altitude:
        _check_drone(altitude, seconds, units, lidar, occupancy)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f'{root} exists already; name a new folder or remove it')
    root.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f'.{root.name}.', dir=root.parent))
    try:
        progress = progress or (lambda done, total: None)
        if altitude:
            _generate_griffin(work, seed, seconds, size, start, altitude, progress)
        else:
            _generate(work, seed, seconds, size, units, lidar, start, occupancy, progress)
        work.chmod(0o755)
        os.replace(work, root)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_drone(altitude: float, seconds: float, units: int, lidar: bool, occupancy: str) -> None:
    if not LOWEST_M <= altitude <= HIGHEST_M or seconds < LEAST_SECONDS or units > 1 or lidar or occupancy:
        raise UserError(f'a drone needs an altitude of {LOWEST_M:g} to {HIGHEST_M:g} m, seconds >= {LEAST_SECONDS:g} '
                        f'and no roadside units, point clouds or voxels, not altitude {altitude}, seconds {seconds}, '
                        f"units {units}, lidar {lidar}, occupancy '{occupancy}'")


def _generate_griffin(work: Path, seed, seconds, size, start, altitude, progress) -> None:
    frames = int(round(seconds / PERIOD_S))
    scene = make_scene(seed, seconds, size, start=start)
    write_griffin(scene, work, size, start, frames, altitude, _counter(IMAGES_PER_FRAME * frames, progress))
    write_json(work / PROVENANCE, provenance(seed, seconds, size, 1, False, start, altitude=altitude))


def _counter(total: int, progress: Callable[[int, int], None]) -> Callable[[], None]:
    """Return what is to be called after every image."""
    done = count(1)
    return lambda: progress(next(done), total)


def _generate(work: Path, seed, seconds, size, units, lidar, start, occupancy, progress) -> None:
    scene = make_scene(seed, seconds, size, lidar, start, occupancy)
    clocks = [_roadside_clock(seed, unit, len(scene.clock.image_us), start) for unit in range(1, units + 1)]
    total = len(scene.clock.image_us) + sum(len(clock.image_us) for clock in clocks)
    tick = _counter(total, progress)
    folders = [work] if units == 1 else [work / f'unit_{k}' for k in range(1, units + 1)]
    vehicle = record_vehicle(scene, folders[0], tick)
    ego_arm = scene.agents[scene.ego].path.arms[0]
    made_of = provenance(seed, seconds, size, units, lidar, start, occupancy)
    rigs, roadsides = (), []
    for unit, (folder, clock) in enumerate(zip(folders, clocks), 1):
        if unit > 1:
            shutil.copytree(folders[0] / 'vehicle-side', folder / 'vehicle-side')
        rigs += (make_roadside_rig(scene.layout, np.random.default_rng([seed, 6, unit]), size, ego_arm, rigs),)
        roadsides.append(record_roadside(scene, folder, rigs[-1], clock, unit, tick))
        write_pairs(scene, folder, vehicle, roadsides[-1], unit)
        write_json(folder / PROVENANCE, made_of | {'unit': unit})
    if units > 1:
        write_union(scene, work, vehicle, roadsides)
        write_json(work / PROVENANCE, made_of)


def make_scene(seed: int, seconds: float, size: tuple[int, int], lidar: bool = False, start: float = 0.0,
               occupancy: str = '') -> Scene:
    """Return the scene of a seed with its traffic and the ego's sensors."""
    cv2.setNumThreads(1)  # several scenes are made at once, one per process
    layout = make_layout(np.random.default_rng([seed, 1]))
    agents, ego = simulate(layout, seed, simulated_seconds(start, seconds) + 0.6)
    rng = np.random.default_rng([seed, 5])
    rig, pose = make_vehicle_rig(rng, size), world_from_scene(rng)
    clock = make_clock(rng, 0, int(round(seconds * 10)), 20_000.0 + 1e6 * start)
    return Scene(seed, layout, agents, ego, SceneRenderer(layout, agents), pose, rig, clock, lidar,
                 make_voxel_scene(layout, agents, ego, occupancy) if occupancy else None)


def _roadside_clock(seed: int, unit: int, vehicle_frames: int, start: float):
    """Return times that begin a frame or two later than the vehicle's and end about together."""
    rng = np.random.default_rng([seed, 8, unit])
    first = int(rng.integers(1, 3))
    return make_clock(rng, first, vehicle_frames - first + int(rng.integers(0, 2)),
                      1e6 * start + rng.uniform(-25_000.0, 65_000.0))
