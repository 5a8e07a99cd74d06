"""Files of the V2X-Seq-SPD format: one folder per roadside unit, one sequence '0000' in split ``val``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SEQUENCE = '0000'
LOCATION = 'synthetic'
EPOCH_US = 1_626_155_124_000_000
JPEG_QUALITY = 90
_APART_US = 1_000_000_000
_STARTS = (2**31 * 10**6 - EPOCH_US) // _APART_US + 1
"""So many scenes begin before ROS time ends, in 2038."""


def stamp(seed: int, time_us: int) -> str:
    """
    Return a time of the scene as a string of microseconds since 1970.

    Scenes lie 1000 s apart; those for which ROS time has no room begin at the first one's time again.
    """
    return str(EPOCH_US + seed % _STARTS * _APART_US + int(time_us))


def write_json(path: Path, content) -> None:
    """Write compact JSON; folders are made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(',', ':')) + '\n', encoding='utf-8')


def _affine(matrix: np.ndarray) -> dict:
    return {'rotation': matrix[:3, :3].tolist(), 'translation': matrix[:3, 3:].tolist()}


def write_calibration(side_root: Path, frame_id: str, intrinsic: np.ndarray, poses: dict[str, np.ndarray]) -> None:
    """
    Write the calibration files of one frame.

    :param poses: 4x4 by folder name, e.g. ``lidar_to_camera``.
    """
    write_json(side_root / f'calib/camera_intrinsic/{frame_id}.json',
               {'cam_K': intrinsic.ravel().tolist(), 'cam_D': [0.0] * 5})
    for name, pose in poses.items():
        content = _affine(pose)
        if name == 'lidar_to_novatel':
            content = {'transform': content}
        elif name == 'virtuallidar_to_world':
            content['relative_error'] = {'delta_x': '', 'delta_y': ''}
        write_json(side_root / f'calib/{name}/{frame_id}.json', content)


def frame_info(side: str, frame_id: str, last_id: str, count: int, image_stamp: str, cloud_stamp: str) -> dict:
    """Return the ``data_info`` element of a frame; ``side`` is ``vehicle`` or ``roadside``."""
    common = {
        'image_path': f'image/{frame_id}.jpg', 'pointcloud_path': f'velodyne/{frame_id}.pcd',
        'calib_camera_intrinsic_path': f'calib/camera_intrinsic/{frame_id}.json'}
    times = {'intersection_loc': LOCATION, 'image_timestamp': image_stamp, 'pointcloud_timestamp': cloud_stamp,
             'frame_id': frame_id}
    tail = {'num_frames': count, 'sequence_id': SEQUENCE}
    if side == 'vehicle':
        names, label = ('lidar_to_camera', 'lidar_to_novatel', 'novatel_to_world'), 'lidar'
        run = {'start_frame_id': '000000', 'end_frame_id': last_id}
    else:
        names, label = ('virtuallidar_to_camera', 'virtuallidar_to_world'), 'virtuallidar'
        times |= {'camera_ip': 'synthetic', 'camera_id': '1', 'lidar_id': '1'}
        run = {'valid_frames_splits': [{'start_frame_id': '000000', 'end_frame_id': last_id}]}
    return (common | {f'calib_{name}_path': f'calib/{name}/{frame_id}.json' for name in names}
            | {'label_camera_std_path': f'label/camera/{frame_id}.json',
               'label_lidar_std_path': f'label/{label}/{frame_id}.json'} | times | run | tail)


def pair_info(vehicle_id: str, roadside_id: str, offset: np.ndarray) -> dict:
    """Return the ``cooperative/data_info`` element of a pair."""
    return {'vehicle_frame': vehicle_id, 'infrastructure_frame': roadside_id, 'vehicle_sequence': SEQUENCE,
            'infrastructure_sequence': SEQUENCE,
            'system_error_offset': {'delta_x': float(offset[0]), 'delta_y': float(offset[1])}}


def write_split(root: Path, vehicle_ids: list[str], roadside_ids: list[str], pair_ids: list[str]) -> None:
    """Write the split file in the official schema."""
    content = {}
    for key, ids in (('batch_split', [SEQUENCE]), ('vehicle_split', vehicle_ids),
                     ('infrastructure_split', roadside_ids), ('cooperative_split', pair_ids)):
        content[key] = {'train': [], 'val': ids, 'test': [], 'test_A': []}
    write_json(root / 'cooperative-split-data-spd.json', content)
