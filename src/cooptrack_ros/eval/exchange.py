"""The exchange format of results, ``cooptrack-eval-golden/1``: ground truth and predictions in the world frame."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common.config import R50
from ..common.errors import UserError
from ..common.geometry import heading, quaternion_from_rotation, rotation_z, transform_boxes
from ..common.types import Boxes, Provenance, Side
from ..data.dataset import FrameRecord
from .links import TrackLink, link_rows, provenance_rows

FORMAT = 'cooptrack-eval-golden/1'
DEFAULT_CLASS_RANGE = R50.class_range_of(Side.VEHICLE)
_KEYS = {'name': str, 'classes': list, 'class_range': dict, 'scenes': list, 'ground_truth': dict, 'predictions': dict}
_IDENTITIES = {'ground_truth': ('track_id',), 'predictions': ('tracking_id', 'score'), 'detections': ('score',)}
"""What each list of boxes needs beside the box itself."""
_VECTORS = {'translation': 3, 'size': 3, 'rotation': 4}
_SEEN_BY = {'veh': 'ego', 'inf': 'roadside', 'coop': 'both'}
"""Names in the result for the sides of cooperative labels."""
_PROVENANCES = tuple(p.name.lower() for p in Provenance)


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


def in_class_range(boxes: Boxes, ego_from_lidar: np.ndarray, class_range: Sequence[float]) -> Boxes:
    """Return boxes within the range of their class around the vehicle's origin (not the lidar's)."""
    centre = transform_boxes(ego_from_lidar, boxes).centre
    return boxes[np.hypot(centre[:, 0], centre[:, 1]) <= np.asarray(class_range)[boxes.label]]


class ExchangeBuilder:
    """Collects frames of one or several recordings."""

    def __init__(self, name: str, class_range: Mapping[str, float] = DEFAULT_CLASS_RANGE, frame_rate_hz: float = 10):
        """
        Start an empty result.

        :param class_range: metres by class, in the order of the labels of the model that is measured. Labelled objects
            of other classes do not count.
        """
        self.classes = tuple(class_range)
        self._class_range = tuple(map(float, class_range.values()))
        self._scenes: dict[str, list[dict]] = {}
        self.content: dict[str, Any] = {
            'format': FORMAT, 'name': name, 'frame_rate_hz': frame_rate_hz,
            'frame': 'world; boxes centred; size=[w,l,h] metres; rotation=[w,x,y,z]; velocity m/s, null = unknown',
            'classes': list(self.classes), 'class_range': dict(zip(self.classes, self._class_range)),
            'scenes': [], 'ground_truth': {}, 'predictions': {}, 'detections': {}, 'links': {}, 'provenance': {}}

    def add(self, record: FrameRecord, prefix: str, tracks: Boxes, detections: Boxes | None,
            links: Sequence[TrackLink] | None = None, provenance: np.ndarray | None = None) -> None:
        """
        Add one frame.

        :param tracks: reported tracks, ``detections``: all boxes for mAP (None: the tracks), lidar frame; their labels
            index the classes of the result, those of the record its own.
        :param prefix: makes tokens and scenes of several folders different; may be empty.
        :param links: what was fused; :param provenance: whom the tracks come from, (N,) of ``Provenance``; both are
            None if that is not known.
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

    def _predicted(self, record: FrameRecord, boxes: Boxes) -> list[dict]:
        near = in_class_range(boxes, record.ego_from_lidar, self._class_range)
        return world_rows(near, record.global_from_lidar, self.classes, 'tracking_id', True)

    def finish(self) -> dict[str, Any]:
        """Return the result with samples in time order and ground-truth velocities."""
        for scene in self.content['scenes']:
            scene['samples'].sort(key=lambda s: s['timestamp_us'])
            _set_velocities(scene['samples'], self.content['ground_truth'])
        for optional in ('detections', 'links', 'provenance'):
            if not self.content[optional]:
                del self.content[optional]
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


def read_exchange(path: Path) -> dict[str, Any]:
    """
    Read and check a result file.

    :raises UserError: naming what is missing or wrong.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: {error}') from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise UserError(f"{path}: expected an object with format '{FORMAT}'")
    try:
        check_exchange(content)
    except ValueError as error:
        raise UserError(f'{path}: {error}') from error
    return content


def check_exchange(content: dict[str, Any]) -> None:
    """
    Check the content of a result.

    :raises ValueError: naming the first thing that is missing or wrong.
    """
    for key, kind in _KEYS.items():
        if key not in content:
            raise ValueError(f"'{key}' is missing")
        if not isinstance(content[key], kind):
            raise ValueError(f"'{key}' must be a {kind.__name__}, not {type(content[key]).__name__}")
    without = [name for name in content['classes'] if name not in content['class_range']]
    if without:
        raise ValueError(f"'class_range' lacks class '{without[0]}'")
    tokens = []
    for i, scene in enumerate(content['scenes']):
        if not isinstance(scene, dict) or 'scene' not in scene or not isinstance(scene.get('samples'), list):
            raise ValueError(f"'scenes' {i} needs 'scene' and a list 'samples'")
        for sample in scene['samples']:
            lacking = [k for k in ('token', 'timestamp_us', 'ego_translation') if k not in sample]
            if lacking:
                raise ValueError(f"a sample of scene '{scene['scene']}' lacks '{lacking[0]}'")
            tokens.append(sample['token'])
    if len(set(tokens)) != len(tokens):
        raise ValueError('sample tokens must be different; at least one is there twice')
    for key, identity in _IDENTITIES.items():
        if content.get(key) is not None:
            _check_rows(key, content[key], tokens, set(content['classes']), identity)
    for key, check in (('links', _link_complaint), ('provenance', _provenance_complaint)):
        _check_notes(key, content.get(key) or {}, content['predictions'], check)


def _check_rows(key: str, table: Any, tokens: list[str], classes: set[str], identity: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"'{key}' must map tokens to lists of boxes")
    missing = [t for t in tokens if t not in table]
    if missing:
        raise ValueError(f"'{key}' lacks {len(missing)} samples, first '{missing[0]}'; "
                         'a sample without boxes needs an empty list')
    for token in tokens:
        for i, row in enumerate(table[token]):
            where = f"'{key}' of sample '{token}', box {i}"
            lacking = [k for k in ('name', *identity) if k not in row]
            if lacking:
                raise ValueError(f"{where} lacks '{lacking[0]}'")
            if row['name'] not in classes:
                raise ValueError(f"{where}: unknown class '{row['name']}'; known: {', '.join(sorted(classes))}")
            for name, count in _VECTORS.items():
                if not _is_vector(row.get(name), count):
                    raise ValueError(f"{where}: '{name}' must be {count} finite numbers, not {row.get(name)!r}")
            if row.get('velocity') is not None and not _is_vector(row['velocity'], 2):
                raise ValueError(f"{where}: 'velocity' must be null or 2 finite numbers, not {row['velocity']!r}")
            if 'score' in identity and not _is_vector([row['score']], 1):
                raise ValueError(f"{where}: 'score' must be a finite number, not {row['score']!r}")


def _check_notes(key: str, table: Any, predictions: dict[str, list[dict]],
                 complaint: Callable[[dict, set[str]], str]) -> None:
    """Check an optional table of rows that go with tracks; samples without rows may be left out."""
    if not isinstance(table, dict):
        raise ValueError(f"'{key}' must map tokens to lists")
    for token, rows in table.items():
        if token not in predictions:
            raise ValueError(f"'{key}' has sample '{token}', which is not in 'predictions'")
        tracks = {row['tracking_id'] for row in predictions[token]}
        for i, row in enumerate(rows):
            wrong = complaint(row, tracks) if 'tracking_id' in row else "'tracking_id' is missing"
            if wrong:
                raise ValueError(f"'{key}' of sample '{token}', row {i}: {wrong}")


def _link_complaint(row: dict, tracks: set[str]) -> str:
    if row['tracking_id'] not in tracks:
        return f"the sample has no track '{row['tracking_id']}'"
    if not _is_vector(row.get('translation'), 3):
        return f"'translation' must be 3 finite numbers, not {row.get('translation')!r}"
    return '' if _is_vector([row.get('affinity')], 1) else f"'affinity' must be a number, not {row.get('affinity')!r}"


def _provenance_complaint(row: dict, tracks: set[str]) -> str:
    # Tracks beyond the range of the predictions may be among them.
    known = row.get('provenance') in _PROVENANCES
    return '' if known else f"'provenance' must be one of {', '.join(_PROVENANCES)}, not {row.get('provenance')!r}"


def _is_vector(value: Any, count: int) -> bool:
    return (isinstance(value, list) and len(value) == count
            and all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value))


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
