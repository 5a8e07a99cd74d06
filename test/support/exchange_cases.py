"""Hand-made results of the exchange format."""

import numpy as np

from cooptrack_ros.common.geometry import quaternion_from_rotation, rotation_z


def row(x, y, name='car', yaw_deg=0.0, velocity=None, **more):
    """Return a box of the exchange format."""
    return {'translation': [x, y, 0.0], 'size': [2.0, 4.0, 1.5], 'velocity': velocity, 'name': name,
            'rotation': quaternion_from_rotation(rotation_z(np.radians(yaw_deg))).tolist(), **more}


def truth(x, y, track_id, **more):
    """Return a labelled object."""
    return row(x, y, track_id=track_id, **more)


def track(x, y, tracking_id, score=0.9, **more):
    """Return a reported box."""
    return row(x, y, tracking_id=tracking_id, score=score, **more)


def result(labelled, predictions, ego_yaw_deg=None, **tables):
    """
    Return a result of one scene at 10 Hz with the ego vehicle at the origin; one list of boxes per frame.

    :param ego_yaw_deg: of each frame; :param tables: more lists, such as ``detections``.
    """
    tokens = [f'f{i}' for i in range(len(labelled))]
    samples = [{'token': t, 'timestamp_us': 100_000 * i, 'ego_translation': [0, 0, 0]} for i, t in enumerate(tokens)]
    for sample, yaw in zip(samples, ego_yaw_deg or ()):
        sample['ego_yaw'] = float(np.radians(yaw))
    return {'name': 'x', 'format': 'cooptrack-eval-golden/1', 'classes': ['car', 'pedestrian'],
            'class_range': {'car': 50, 'pedestrian': 40},
            'scenes': [{'scene': 's', 'samples': samples}], 'ground_truth': dict(zip(tokens, labelled)),
            'predictions': dict(zip(tokens, predictions)), **{k: dict(zip(tokens, v)) for k, v in tables.items()}}
