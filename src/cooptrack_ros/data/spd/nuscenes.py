"""Records in the world frame: boxes and nuScenes-style tables for evaluation (method.md 12.1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from ...common.geometry import quaternion_from_rotation, rotation_z, transform_boxes, transform_points
from ...common.types import Boxes
from ..dataset import FrameRecord


def world_boxes(record: FrameRecord) -> Boxes:
    """Return the labels in the world frame; yaw is the heading seen from above, velocity is rotated along."""
    return transform_boxes(record.global_from_lidar, record.boxes)


def instance_token(track_id: int, sequence: str) -> str:
    """Return the published identity of a track: UUIDv3 of the six-digit track id and the sequence id."""
    return str(uuid.uuid3(uuid.NAMESPACE_DNS, f'{track_id:06d}{sequence}'))


def world_annotations(record: FrameRecord) -> list[dict[str, Any]]:
    """Return one table row per label: centre, size (w, l, h) and the full orientation (w, x, y, z) in the world."""
    pose = record.global_from_lidar
    centres = transform_points(pose, record.boxes.centre)
    return [
        {
            'token': str(record.object_tokens[i]),
            'sample_token': record.token,
            'instance_token': instance_token(int(record.boxes.track_id[i]), record.sequence),
            'visibility_token': int(record.visibility[i]),
            'translation': centres[i].tolist(),
            'size': record.boxes.size[i, [1, 0, 2]].tolist(),
            'rotation': quaternion_from_rotation(pose[:3, :3] @ rotation_z(record.boxes.yaw[i])).tolist(),
        }
        for i in range(len(record.boxes))]


def tables(records: Sequence[FrameRecord]) -> dict[str, list[dict[str, Any]]]:
    """
    Return the tables sample, scene and annotation of records of one side.

    The time of a sample is that of its image, as published. ``prev`` and ``next`` of annotations name the
    label of the same track in the nearest earlier and later record.
    """
    samples = [{'token': r.token, 'timestamp': r.image_stamp_us, 'prev': r.previous, 'next': r.next,
                'scene_token': r.sequence} for r in records]
    scenes: dict[str, dict[str, Any]] = {}
    annotations = []
    last_of_track: dict[str, dict[str, Any]] = {}
    for record in records:
        scene = scenes.setdefault(record.sequence, {
            'token': record.sequence, 'name': record.sequence, 'log_token': record.intersection,
            'nbr_samples': 0, 'first_sample_token': record.token, 'description': ''})
        scene['nbr_samples'] += 1
        scene['last_sample_token'] = record.token
        for row in world_annotations(record):
            before = last_of_track.get(row['instance_token'])
            row['prev'], row['next'] = '', ''
            if before is not None:
                row['prev'], before['next'] = before['token'], row['token']
            last_of_track[row['instance_token']] = row
            annotations.append(row)
    return {'sample': samples, 'scene': list(scenes.values()), 'annotation': annotations}
