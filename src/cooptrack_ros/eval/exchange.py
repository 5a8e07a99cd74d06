"""The exchange format of results, ``cooptrack-eval-golden/1``: ground truth and predictions in the world frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..common.config import R50
from ..common.errors import UserError
from ..common.geometry import heading, nearest_rotation, quaternion_from_rotation, rotation_z, transform_boxes
from ..common.types import Boxes, Side
from ..common.uncertainty import TrackUncertainty
from ..data.dataset import FrameRecord
from ..data.rate import frame_rate_hz
from .exchange_check import FORMAT, OPTIONAL_TABLES, check_exchange
from .links import TrackLink, link_rows, provenance_rows

DEFAULT_CLASS_RANGE = R50.class_range_of(Side.VEHICLE)
_SEEN_BY = {'veh': 'ego', 'inf': 'roadside', 'coop': 'both'}
"""Names in the result for the sides of cooperative labels."""


def world_rows(boxes: Boxes, global_from_lidar: np.ndarray, classes: Sequence[str], id_name: str | None,
               with_score: bool) -> list[dict]:
    """Return boxes of a lidar frame as rows of the exchange format; :param classes: names of the labels."""
    world = transform_boxes(global_from_lidar, boxes)
    rows = []
    for i in range(len(world)):
        velocity = world.velocity[i]
        length, width, height = world.size[i]
        row = {'translation': world.centre[i].tolist(), 'size': [float(width), float(length), float(height)],
               'rotation': quaternion_from_rotation(rotation_z(float(world.yaw[i]))).tolist(),
               'velocity': velocity.tolist() if np.isfinite(velocity).all() else None,
               'name': classes[int(world.label[i])]}
        if id_name:
            row[id_name] = str(int(world.track_id[i]))
        if with_score:
            row['score'] = float(world.score[i])
        rows.append(row)
    return rows


def published_rows(tracks: Boxes, age_s: np.ndarray, uncertainty: TrackUncertainty | None,
                   global_from_lidar: np.ndarray, alone: bool) -> list[dict]:
    """Return what nodes say of the tracks that they publish besides boxes, in the axes of the world and of ``size``."""
    stated = (uncertainty or TrackUncertainty.unknown(len(tracks))).rotated(
        nearest_rotation(global_from_lidar[:3, :3]))
    rows = []
    for i in np.flatnonzero(np.isfinite(age_s)):
        row = {'tracking_id': str(int(tracks.track_id[i])), 'age_s': round(float(age_s[i]), 3),
               **({'alone': True} if alone else {})}
        if stated.known[i]:
            row |= {'existence': float(stated.existence[i]), 'flip': float(stated.flip[i]),
                    'position': stated.position[i].reshape(-1).tolist(), 'heading': float(stated.heading[i]),
                    'size': stated.size[i, [1, 0, 2]].tolist(),
                    'velocity': np.nan_to_num(stated.velocity[i]).reshape(-1).tolist()}
        rows.append(row)
    return rows


def in_class_range(boxes: Boxes, ego_from_lidar: np.ndarray, class_range: Sequence[float]) -> Boxes:
    """Return boxes within the range of their class around the vehicle's origin (not the lidar's)."""
    centre = transform_boxes(ego_from_lidar, boxes).centre
    return boxes[np.hypot(centre[:, 0], centre[:, 1]) <= np.asarray(class_range)[boxes.label]]


class ExchangeBuilder:
    """Collects frames of one or several recordings."""

    def __init__(self, name: str, class_range: Mapping[str, float] = DEFAULT_CLASS_RANGE):
        """
        Start an empty result.

        :param class_range: metres by class, in the order of the labels of the model that is measured. Labelled objects
            of other classes do not count.
        """
        self.classes = tuple(class_range)
        self._class_range = tuple(map(float, class_range.values()))
        self._scenes: dict[str, list[dict]] = {}
        self.content: dict[str, Any] = {
            'format': FORMAT, 'name': name, 'frame_rate_hz': 0.0,
            'frame': 'world; boxes centred; size=[w,l,h] metres; rotation=[w,x,y,z]; velocity m/s, null = unknown',
            'classes': list(self.classes), 'class_range': dict(zip(self.classes, self._class_range)),
            'scenes': [], 'ground_truth': {}, 'predictions': {}, 'detections': {}, 'links': {}, 'provenance': {},
            'published': {}, 'agents': {}}

    def add(self, record: FrameRecord, prefix: str, tracks: Boxes, detections: Boxes | None,
            links: Sequence[TrackLink] | None = None, provenance: np.ndarray | None = None,
            age_s: np.ndarray | None = None, uncertainty: TrackUncertainty | None = None,
            alone: bool = False) -> None:
        """
        Add one frame.

        :param tracks: reported tracks, ``detections``: all boxes for mAP (None: the tracks), lidar frame; their labels
            index the classes of the result, those of the record its own.
        :param prefix: makes tokens and scenes of several folders different; may be empty.
        :param links: what was fused; :param provenance: whom the tracks come from, (N,) of ``Provenance``; both are
            None if that is not known.
        :param age_s: (N,) since tracks were first published, NaN for those that a node does not publish; None if that
            is not known. :param uncertainty: what is stated of them; :param alone: no message was used.
        """
        token, scene = prefix + record.token, prefix + record.sequence
        if scene not in self._scenes:
            self._scenes[scene] = []
            self.content['scenes'].append({'scene': scene, 'samples': self._scenes[scene]})
        ego = record.global_from_ego
        self._scenes[scene].append({
            'token': token, 'timestamp_us': int(record.image_stamp_us), 'ego_translation': ego[:3, 3].tolist(),
            'ego_yaw': heading(ego[:3, :3])})
        pose = record.global_from_lidar
        truth = world_rows(record.boxes, pose, record.classes, 'track_id', False)
        for row in truth:
            # The metric takes velocities of the ground truth from its own neighbouring positions.
            row['velocity'] = None
        # Labels of one side do not say who sees the object.
        for row, side in zip(truth, record.from_side.tolist()):
            if side in _SEEN_BY:
                row['seen_by'] = _SEEN_BY[side]
        self.content['ground_truth'][token] = [row for row in truth if row['name'] in self.classes]
        self.content['predictions'][token] = self._predicted(record, tracks)
        if detections is not None:
            self.content['detections'][token] = self._predicted(record, detections)
        if links is not None:
            reported = {int(r['tracking_id']) for r in self.content['predictions'][token]}
            shown = [link for link in links if link.track_id in reported]
            self.content['links'][token] = link_rows(shown, pose)
        if provenance is not None:
            sources = dict(zip(tracks.track_id.tolist(), provenance.tolist(), strict=True))
            self.content['provenance'][token] = provenance_rows(
                {int(r['tracking_id']): sources[int(r['tracking_id'])] for r in self.content['predictions'][token]})
        if age_s is not None:
            reported = {r['tracking_id'] for r in self.content['predictions'][token]}
            rows = published_rows(tracks, age_s, uncertainty, pose, alone)
            self.content['published'][token] = [row for row in rows if row['tracking_id'] in reported]

    def add_agents(self, record: FrameRecord, prefix: str, found: Mapping[str, Boxes]) -> None:
        """Add what each agent alone found in a frame, by its name: boxes in the vehicle's lidar frame."""
        for agent, boxes in found.items():
            self.content['agents'].setdefault(agent, {})[prefix + record.token] = self._predicted(record, boxes)

    def _predicted(self, record: FrameRecord, boxes: Boxes) -> list[dict]:
        near = in_class_range(boxes, record.ego_from_lidar, self._class_range)
        return world_rows(near, record.global_from_lidar, self.classes, 'tracking_id', True)

    def finish(self) -> dict[str, Any]:
        """
        Return the result with samples in time order and ground-truth velocities.

        :raises UserError: for labels that cannot be measured.
        """
        for scene in self.content['scenes']:
            scene['samples'].sort(key=lambda s: s['timestamp_us'])
            _set_velocities(scene['samples'], self.content['ground_truth'])
        self.content['frame_rate_hz'] = frame_rate_hz(
            [s['timestamp_us'] for s in scene['samples']] for scene in self.content['scenes'])
        for optional in OPTIONAL_TABLES:
            if not self.content[optional]:
                del self.content[optional]
        try:
            check_exchange(self.content)
        except ValueError as error:
            raise UserError(f"{self.content['name']}: {error}") from error
        return self.content


def _set_velocities(samples: list[dict], truth: dict[str, list[dict]]) -> None:
    """Set velocities as the devkit does: central difference, one-sided at the ends, unknown over 1.5 s a step."""
    tracks: dict[str, list[tuple[int, dict]]] = {}
    for sample in samples:
        for row in truth[sample['token']]:
            tracks.setdefault(row['track_id'], []).append((sample['timestamp_us'], row))
    for track in tracks.values():
        for i, (_, row) in enumerate(track):
            first, last = track[max(i - 1, 0)], track[min(i + 1, len(track) - 1)]
            elapsed = (last[0] - first[0]) / 1e6
            steps = (i > 0) + (i + 1 < len(track))
            if steps and 0 < elapsed <= 1.5 * steps:
                change = np.subtract(last[1]['translation'], first[1]['translation'])[:2]
                row['velocity'] = (change / elapsed).tolist()


def nuscenes_results(content: dict[str, Any], which: str = 'predictions') -> dict[str, Any]:
    """
    Return boxes of a result in the layout of ``results_nusc.json`` (method.md 12.1).

    :param which: ``predictions`` (tracks) or ``detections``; all attributes are empty, the data has none.
    """
    results = {}
    for token, rows in content[which].items():
        results[token] = [
            {'sample_token': token, 'translation': row['translation'], 'size': row['size'],
             'rotation': row['rotation'], 'velocity': row.get('velocity') or [0.0, 0.0],
             'detection_name': row['name'], 'detection_score': row['score'], 'attribute_name': '',
             'tracking_name': row['name'], 'tracking_score': row['score'],
             'tracking_id': str(row.get('tracking_id', ''))} for row in rows]
    return {'meta': {'use_camera': True, 'use_lidar': False, 'use_radar': False, 'use_map': False,
                     'use_external': True}, 'results': results}


def same_frames(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two results have the same frames with the same labelled objects."""
    def frames(content: dict[str, Any]) -> list:
        return [(scene['scene'], [
            (s['token'], s['timestamp_us'], sorted(r['track_id'] for r in content['ground_truth'][s['token']]))
            for s in scene['samples']]) for scene in content['scenes']]
    return frames(one) == frames(other)
