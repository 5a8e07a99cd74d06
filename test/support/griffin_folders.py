"""A small Griffin folder, written by hand: a standing car and a drone that banks."""

from __future__ import annotations

import json

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

SIZE = (32, 18)
CAMERAS = {'vehicle-side': ('front', 'back', 'left', 'right'),
           'drone-side': ('front', 'back', 'left', 'right', 'bottom')}
CAR = {'x': 100.0, 'y': 50.0, 'z': 0.2, 'roll': 0.0, 'pitch': 0.0, 'yaw': 90.0}
SCENES = (('Town01-000', range(0, 12)), ('Town07-001', range(20, 46)), ('Town07-002', range(50, 59)))
DROPPED = 31
"""In this frame the drone has nothing near it."""
OWN_LABELS = (
    'car 10.0 2.0 0.75 4.5 1.9 1.5 0.0 0.0 90.0 7 0.55\n'
    'pedestrian 5.0 -3.0 0.9 0.6 0.7 1.8 1.0 2.0 -45.0 8\n'
    'motorcycle 12.0 0.5 0.8 2.0 0.8 1.6 180.0 9\n'
    'traffic_light 3.0 3.0 3.0 1.0 1.0 1.0 0.0 0.0 0.0 10 1.0\n')
TRUCK = (92.0, 75.0, 1.5)
"""Where in the world a truck stands that only the drone sees; it drives at 5 m/s along y, seen from frame 0."""


def drone_pose(number):
    """Return the stored pose of the drone, which flies along x, banks and pitches."""
    return {'x': 95.0 + 0.4 * number, 'y': 50.0, 'z': 25.0, 'roll': 20.0 - 2.0 * (number % 10), 'pitch': -10.0,
            'yaw': 80.0}


def matrix(pose):
    """Return world_from_ego of a stored pose, without code of the package."""
    result = np.eye(4)
    result[:3, :3] = Rotation.from_euler('xyz', [pose['roll'], pose['pitch'], pose['yaw']], degrees=True).as_matrix()
    result[:3, 3] = pose['x'], pose['y'], pose['z']
    return result


def line(kind, pose, place, yaw_deg, size, identity):
    """Return a label of something that stands upright in the world, in the frame of a pose."""
    ego_from_world = np.linalg.inv(matrix(pose))
    centre = ego_from_world[:3, :3] @ np.array(place) + ego_from_world[:3, 3]
    angles = Rotation.from_matrix(ego_from_world[:3, :3] @ Rotation.from_euler('z', yaw_deg, degrees=True).as_matrix()
                                  ).as_euler('xyz', degrees=True)
    return ' '.join([kind, *(f'{v:.6f}' for v in (*centre, *size, *angles)), str(identity), '0.9'])


def drone_labels(number):
    """Return what the drone labels: a car that the other one sees too, a truck, and the car of the data set itself."""
    pose = drone_pose(number)
    car = matrix(CAR)[:3, :3] @ [10.0, 2.0, 0.75] + matrix(CAR)[:3, 3]
    if number == DROPPED:
        return line('truck', pose, (95.0, 150.0, 1.5), 0.0, (8.0, 2.4, 3.0), 20) + '\n'
    rows = [line('car', pose, car, 180.0, (4.5, 1.9, 1.5), 7),
            line('truck', pose, (TRUCK[0], TRUCK[1] + 0.5 * number, TRUCK[2]), 90.0, (8.0, 2.4, 3.0), 20),
            line('car', pose, (100.0, 50.0, 0.95), 90.0, (4.6, 1.9, 1.5), 1)]
    return '\n'.join(rows) + '\n'


def extrinsic(yaw_deg, pitch_deg, place):
    """Return ego_from_camera of a camera that looks along x, turned to the left and then down."""
    forward = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    result = np.eye(4)
    result[:3, :3] = Rotation.from_euler('yz', [pitch_deg, yaw_deg], degrees=True).as_matrix() @ forward
    result[:3, 3] = place
    return result


def write_griffin(root, sides=('vehicle-side', 'drone-side'), images=True):
    """Write the folder and return it."""
    _, image = cv2.imencode('.png', np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    turns = {'front': 0.0, 'left': 90.0, 'back': 180.0, 'right': -90.0, 'bottom': 0.0}
    for side in sides:
        frames = [number for _, numbers in SCENES for number in numbers]
        files = {'scene_infos.json': json.dumps([
            {'name': name, 'info': {'weather': 'ClearNoon', 'frames': [f'{number:06d}' for number in numbers]}}
            for name, numbers in SCENES])}
        for name in CAMERAS[side]:
            pitch = 90.0 if name == 'bottom' else 0.0 if side == 'vehicle-side' else 40.0
            files[f'calib/{name}.json'] = json.dumps({
                'intrinsic': [[20.0, 0.0, 15.5], [0.0, 20.0, 8.5], [0.0, 0.0, 1.0]],
                'extrinsic': extrinsic(turns[name], pitch, (1.0, 0.0, 1.6)).tolist()})
        for number in frames:
            is_car = side == 'vehicle-side'
            files[f'pose/{number:06d}.json'] = json.dumps(CAR if is_car else drone_pose(number))
            files[f'label/{number:06d}.txt'] = OWN_LABELS if is_car else drone_labels(number)
        for name, content in files.items():
            (root / side / name).parent.mkdir(parents=True, exist_ok=True)
            (root / side / name).write_text(content)
        for name in CAMERAS[side] if images else ():
            folder = root / side / 'camera' / name
            folder.mkdir(parents=True)
            for number in frames:
                (folder / f'{number:06d}.png').write_bytes(image.tobytes())
    (root / 'split_25m.json').write_text(json.dumps({'batch_split': {
        'train': ['scene-0000-Town01-000'], 'val': ['scene-0001-Town07-001', 'scene-0002-Town07-002']}}))
    return root
