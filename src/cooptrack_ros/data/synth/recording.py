"""Turns a scene into files: images, calibration and labels of the vehicle side, a roadside unit and the pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...common.geometry import make_pose
from ...common.types import Side
from ...occupancy.label_file import label_path, write_voxels
from ..point_clouds import write_pcd
from . import writer
from .agents import Agent
from .labels import Identities, View, make_label, occlusion_state, seen_agents, token_of
from .layout import Layout
from .lidar import roadside_cloud, vehicle_cloud
from .occupancy import VoxelScene
from .render import SceneRenderer, Sight
from .sensors import Clock, RoadsideRig, VehicleRig, pair_frames
from .solids import SolidScene


@dataclass(frozen=True)
class Scene:
    """Everything that does not depend on a roadside unit."""

    seed: int
    layout: Layout
    agents: list[Agent]
    ego: int
    renderer: SceneRenderer
    world_from_scene: np.ndarray
    rig: VehicleRig
    clock: Clock
    lidar: bool
    voxels: VoxelScene | None = None

    def vehicle_view(self, time_us: int) -> View:
        """Return where the vehicle's sensors are at a time."""
        t = time_us * 1e-6
        return View(t, self.rig.scene_from_lidar(self.agents[self.ego], t), self.rig.camera(self.agents[self.ego], t))


@dataclass(frozen=True)
class SideRecord:
    """What was written of one side: its clock, its views and, per frame, the labels by agent number."""

    clock: Clock
    views: list[View]
    labels: list[dict[int, dict]]


def record_vehicle(scene: Scene, root: Path, tick: Callable[[], None]) -> SideRecord:
    """Write ``vehicle-side`` and return its record."""
    side, rig, clock = root / 'vehicle-side', scene.rig, scene.clock
    image_views = [scene.vehicle_view(t) for t in clock.image_us]
    cloud_views = [scene.vehicle_view(t) for t in clock.pointcloud_us]
    sights = []
    for k, view in enumerate(image_views):
        image, sight = scene.renderer.image(view.camera, view.t, skip=scene.ego, frame=k)
        _write_image(side / f'image/{k:06d}.jpg', image)
        sights.append(sight)
        tick()
    shift = make_pose(np.eye(3), [*rig.offset, 0.0])
    for k, view in enumerate(cloud_views):
        # The stored pose is off by the error offset, so that adding the offset last restores the truth.
        stored = scene.world_from_scene @ view.scene_from_lidar @ shift @ np.linalg.inv(rig.novatel_from_lidar)
        writer.write_calibration(side, f'{k:06d}', rig.intrinsic, {
            'lidar_to_camera': rig.cam_from_lidar, 'lidar_to_novatel': rig.novatel_from_lidar,
            'novatel_to_world': stored})
    labels = _write_labels(scene, side, 'lidar', 'vehicle', cloud_views, image_views, sights, Identities(9000))
    _write_info(scene, side, 'vehicle', clock)
    if scene.lidar:
        _write_vehicle_clouds(scene, side / 'velodyne', cloud_views)
    _write_voxels(scene, side, Side.VEHICLE, cloud_views, labels)
    return SideRecord(clock, cloud_views, labels)


def _write_vehicle_clouds(scene: Scene, root: Path, views: list[View]) -> None:
    root.mkdir()
    solids = SolidScene(scene.renderer)
    for k, view in enumerate(views):
        stamp_s = int(writer.stamp(scene.seed, scene.clock.pointcloud_us[k])) * 1e-6
        write_pcd(root / f'{k:06d}.pcd', vehicle_cloud(
            solids, scene.ego, view.t, view.scene_from_lidar, stamp_s, np.random.default_rng([scene.seed, 9, k])))


def _write_roadside_clouds(scene: Scene, root: Path, views: list[View], unit: int) -> None:
    root.mkdir()
    solids = SolidScene(scene.renderer)
    for k, view in enumerate(views):
        write_pcd(root / f'{k:06d}.pcd', roadside_cloud(
            solids, view.t, view.camera.position, view.scene_from_lidar,
            np.random.default_rng([scene.seed, 10, unit, k])))


def _write_voxels(scene: Scene, root: Path, side: Side, views: list[View], labels: list[dict[int, dict]]) -> None:
    if scene.voxels is None:
        return
    for k, view in enumerate(views):
        track_ids = {number: int(label['track_id']) for number, label in labels[k].items()}
        write_voxels(label_path(root, scene.voxels.profile, f'{k:06d}'), scene.voxels.label(side, view, track_ids))


def record_roadside(scene: Scene, root: Path, rig: RoadsideRig, clock: Clock, unit: int,
                    tick: Callable[[], None]) -> SideRecord:
    """Write ``infrastructure-side`` of one roadside unit and return its record."""
    side = root / 'infrastructure-side'
    background = scene.renderer.background(rig.camera)
    sights = []
    for k, time_us in enumerate(clock.image_us):
        image, sight = scene.renderer.image(rig.camera, time_us * 1e-6, background=background,
                                              frame=k + 100_000 * unit)
        _write_image(side / f'image/{k:06d}.jpg', image)
        sights.append(sight)
        tick()
    for k in range(len(sights)):
        writer.write_calibration(side, f'{k:06d}', rig.intrinsic, {
            'virtuallidar_to_camera': rig.cam_from_lidar,
            'virtuallidar_to_world': scene.world_from_scene @ rig.scene_from_lidar})
    views = [[View(t * 1e-6, rig.scene_from_lidar, rig.camera) for t in times]
             for times in (clock.pointcloud_us, clock.image_us)]
    labels = _write_labels(scene, side, 'virtuallidar', f'roadside{unit}', *views, sights, Identities(5000))
    _write_info(scene, side, 'roadside', clock)
    if scene.lidar:
        _write_roadside_clouds(scene, side / 'velodyne', views[0], unit)
    _write_voxels(scene, side, Side.ROADSIDE, views[0], labels)
    return SideRecord(clock, views[0], labels)


def write_pairs(scene: Scene, root: Path, vehicle: SideRecord, roadside: SideRecord, unit: int) -> int:
    """Write ``cooperative`` and the split file; return the number of pairs."""
    pairs = pair_frames(vehicle.clock, roadside.clock)
    identities, info = Identities(2700), []
    for k, j in pairs:
        stamps = {'veh_pointcloud_timestamp': writer.stamp(scene.seed, vehicle.clock.pointcloud_us[k]),
                  'inf_pointcloud_timestamp': writer.stamp(scene.seed, roadside.clock.pointcloud_us[j]),
                  'veh_frame_id': f'{k:06d}', 'inf_frame_id': f'{j:06d}'}
        row = [label | stamps for label in _pair_labels(scene, vehicle, k, [roadside.labels[j]], identities)]
        writer.write_json(root / f'cooperative/label/{k:06d}.json', row)
        info.append(writer.pair_info(f'{k:06d}', f'{j:06d}', scene.rig.offset))
    writer.write_json(root / 'cooperative/data_info.json', info)
    writer.write_split(root, _ids(vehicle.clock), _ids(roadside.clock), [f'{k:06d}' for k, _ in pairs])
    return len(pairs)


def write_union(scene: Scene, root: Path, vehicle: SideRecord, roadsides: Sequence[SideRecord]) -> None:
    """
    Write ``cooperative/label`` of several units: what the vehicle or any of them labels.

    There is a file for every vehicle frame that has a partner in all units. Labels name no roadside identity: each
    unit has its own.
    """
    partners = [dict(pair_frames(vehicle.clock, roadside.clock)) for roadside in roadsides]
    identities = Identities(2700)
    for k in sorted(set.intersection(*map(set, partners))):
        others = [roadside.labels[partner[k]] for roadside, partner in zip(roadsides, partners)]
        stamps = {'veh_pointcloud_timestamp': writer.stamp(scene.seed, vehicle.clock.pointcloud_us[k]),
                  'veh_frame_id': f'{k:06d}', 'inf_track_id': '-1', 'inf_token': '-1'}
        row = [label | stamps for label in _pair_labels(scene, vehicle, k, others, identities)]
        writer.write_json(root / f'cooperative/label/{k:06d}.json', row)


def _pair_labels(scene: Scene, vehicle: SideRecord, k: int, others: Sequence[dict[int, dict]],
                 identities: Identities) -> list[dict]:
    """Return what the vehicle's frame ``k`` or its partners ``others`` label, at the vehicle's time."""
    own, view, row = vehicle.labels[k], vehicle.views[k], []
    for number in sorted(own.keys() | set().union(*others)):
        agent = scene.agents[number]
        if agent.alive(view.t):
            other = next((labels[number] for labels in others if number in labels), None)
            row.append(_cooperative_label(agent, view, own.get(number), other, identities.of(number, k)))
    return row


def _cooperative_label(agent: Agent, view: View, own: dict | None, other: dict | None, track_id: str) -> dict:
    first = own or other
    label = make_label(agent, view, track_id, first['token'], first['occluded_state'])
    return label | {
        'from_side': 'coop' if own and other else 'veh' if own else 'inf',
        'veh_track_id': own['track_id'] if own else '-1', 'inf_track_id': other['track_id'] if other else '-1',
        'veh_token': own['token'] if own else '-1', 'inf_token': other['token'] if other else '-1'}


def _ids(clock: Clock) -> list[str]:
    return [f'{k:06d}' for k in range(len(clock.pointcloud_us))]


def _write_info(scene: Scene, root: Path, side: str, clock: Clock) -> None:
    ids = _ids(clock)
    writer.write_json(root / 'data_info.json', [
        writer.frame_info(side, frame_id, ids[-1], len(ids), writer.stamp(scene.seed, image),
                          writer.stamp(scene.seed, cloud))
        for frame_id, image, cloud in zip(ids, clock.image_us, clock.pointcloud_us)])


def _write_image(path: Path, image: np.ndarray) -> None:
    ok, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, writer.JPEG_QUALITY])
    if not ok:
        raise OSError(f'{path}: the image could not be encoded')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def _write_labels(scene: Scene, root: Path, folder: str, side: str, cloud_views: list[View],
                  image_views: list[View], sights: list[Sight], identities: Identities) -> list[dict[int, dict]]:
    """Write label files at cloud and image time; return the labels at cloud time by agent number."""
    seen = seen_agents(side, scene.agents, scene.ego, cloud_views, sights)
    out = []
    for k, numbers in enumerate(seen):
        row, at_image = {}, []
        for number in numbers:
            agent = scene.agents[number]
            track_id = identities.of(number, k)
            token = token_of(scene.seed, side, k, track_id)
            occluded = occlusion_state(sights[k], number)
            row[number] = make_label(agent, cloud_views[k], track_id, token, occluded)
            if agent.alive(image_views[k].t):
                at_image.append(make_label(agent, image_views[k], track_id, token, occluded))
        writer.write_json(root / f'label/{folder}/{k:06d}.json', list(row.values()))
        writer.write_json(root / f'label/camera/{k:06d}.json', at_image)
        out.append(row)
    return out
