"""The nuScenes detection and tracking metrics of nuscenes-devkit, driven without a nuScenes database."""

from __future__ import annotations

import copy
import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..common.errors import UserError

_LOG = logging.getLogger(__name__)
_DETECTION_CONFIG = 'detection_cvpr_2019'
_TRACKING_CONFIG = 'tracking_nips_2019'
_UNKNOWN = (float('nan'), float('nan'))
MIN_RECALL = 0.1
"""Of the devkit's configurations: errors and AP are means over higher recalls."""


def _devkit():
    try:
        import motmetrics  # noqa: F401  the devkit needs both but declares neither
        import nuscenes
        import pandas  # noqa: F401
    except ImportError as error:
        raise UserError(f'evaluation needs nuscenes-devkit, motmetrics and pandas: {error}') from error
    return nuscenes


def evaluate(exchange: dict[str, Any]) -> dict[str, Any]:
    """
    Measure a result.

    :param exchange: ``cooptrack-eval-golden/1``; ``detections`` (optional) serve detection, ``predictions`` tracking.
    :returns: ``detection``, ``tracking`` and ``headline_car`` in the layout of ``cooptrack-eval-golden-expected/1``;
        undefined numbers are None, and the headline is empty where no class is called car.
    """
    return evaluate_with_curves(exchange)[0]


def evaluate_with_curves(exchange: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, dict]]]:
    """
    Measure a result and keep what its average precisions were computed from.

    :returns: what ``evaluate`` returns; and, by class and distance threshold in metres (as text), ``recall`` and
        ``precision``, 101 values each. The curves over recall of tracking are in the first already.
    """
    _devkit()
    detection, curves = _detection(exchange)
    tracking = _tracking(exchange)
    result = {'format': 'cooptrack-eval-golden-expected/1', 'name': exchange['name'],
              'detection': detection, 'tracking': tracking,
              'headline_car': figures_of_class(detection, tracking, 'car')}
    return _clean(result), _clean(curves)


def figures_of_class(detection: dict, tracking: dict, name: str) -> dict[str, float]:
    """Return the figures of one class by their short names; empty if the class is absent."""
    if name not in detection['label_tp_errors']:
        return {}
    errors, metrics = detection['label_tp_errors'][name], tracking['label_metrics']
    names = ('amota', 'amotp', 'recall', 'mota', 'motp', 'mt', 'ml', 'fp', 'fn', 'ids', 'frag', 'tid', 'lgd', 'faf',
             'tp', 'gt')
    return {'AP': detection['mean_dist_aps'][name], 'ATE': errors['trans_err'], 'ASE': errors['scale_err'],
            'AOE': errors['orient_err'], 'AVE': errors['vel_err'], **{n.upper(): metrics[n][name] for n in names}}


def _clean(value: Any) -> Any:
    """Return plain data with None for NaN."""
    if isinstance(value, dict):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_clean(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value)
    return int(value) if isinstance(value, np.integer) else value


def _boxes(rows: list[dict], token: str, ego, box_class, limits: dict[str, float], extra) -> list:
    """Return devkit boxes strictly within the range of their class around the ego position."""
    kept = []
    for row in rows:
        offset = np.subtract(row['translation'], ego)
        if math.hypot(offset[0], offset[1]) < limits[row['name']]:
            velocity = tuple(row['velocity']) if row.get('velocity') is not None else _UNKNOWN
            kept.append(box_class(
                sample_token=token, translation=tuple(row['translation']), size=tuple(row['size']),
                rotation=tuple(row['rotation']), velocity=velocity, ego_translation=tuple(offset), num_pts=100,
                **extra(row)))
    return kept


def _samples(exchange: dict) -> list[dict]:
    return [s for scene in exchange['scenes'] for s in scene['samples']]


def _detection(exchange: dict) -> tuple[dict[str, Any], dict[str, dict]]:
    """Return the figures, and precision over recall by class and distance threshold."""
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.common.data_classes import EvalBoxes
    from nuscenes.eval.detection.data_classes import DetectionBox
    from nuscenes.eval.detection.evaluate import DetectionEval

    class NamedBox(DetectionBox):
        """A box of any class: the devkit's takes only its own ten names, of which ``car`` is the default."""

        def __init__(self, detection_name: str, **values: Any) -> None:
            super().__init__(**values)
            self.detection_name = detection_name

    classes, limits = exchange['classes'], exchange['class_range']
    config = config_factory(_DETECTION_CONFIG)
    config.class_names, config.class_range = list(classes), dict(limits)
    truth, predicted = EvalBoxes(), EvalBoxes()
    detections = exchange.get('detections') or exchange['predictions']
    _warn_of_equal_scores(exchange['name'], detections, classes)
    for sample in _samples(exchange):
        token, ego = sample['token'], sample['ego_translation']
        truth.add_boxes(token, _boxes(
            exchange['ground_truth'][token], token, ego, NamedBox, limits,
            lambda r: {'detection_name': r['name'], 'detection_score': -1.0, 'attribute_name': ''}))
        predicted.add_boxes(token, _boxes(
            detections[token], token, ego, NamedBox, limits,
            lambda r: {'detection_name': r['name'], 'detection_score': float(r['score']), 'attribute_name': ''}))
    evaluator = DetectionEval.__new__(DetectionEval)
    evaluator.cfg, evaluator.gt_boxes, evaluator.pred_boxes, evaluator.verbose = config, truth, predicted, False
    metrics, curves = evaluator.evaluate()
    summary = metrics.serialize()
    counts = [{c: sum(b.detection_name == c for b in boxes.all) for c in classes} for boxes in (truth, predicted)]
    summary.pop('eval_time', None)
    summary.pop('cfg', None)
    return {
        **summary,
        'n_gt_after_filter': len(truth.all), 'n_pred_after_filter': len(predicted.all),
        'n_gt_after_filter_per_class': counts[0], 'n_pred_after_filter_per_class': counts[1],
        'label_max_recall': {c: {str(d): curves[c, d].max_recall for d in config.dist_ths} for c in classes},
    }, {c: {str(d): {'recall': curves[c, d].recall, 'precision': curves[c, d].precision} for d in config.dist_ths}
        for c in classes}


def _warn_of_equal_scores(result: str, detections: dict[str, list[dict]], classes: Iterable[str]) -> None:
    """Say so where the devkit, which interpolates over scores, takes the errors of one box for those of all."""
    for name in classes:
        scores = [row['score'] for rows in detections.values() for row in rows if row['name'] == name]
        if len(scores) > 1 and len(set(scores)) == 1:
            _LOG.warning("%s: all %d boxes of class '%s' have one score, so ATE, ASE, AOE and AVE are those of one box",
                         result, len(scores), name)


def _tracking(exchange: dict) -> dict[str, Any]:
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.tracking.data_classes import TrackingBox, TrackingConfig
    from nuscenes.eval.tracking.evaluate import TrackingEval
    from nuscenes.eval.tracking.loaders import interpolate_tracks

    classes, limits = exchange['classes'], exchange['class_range']
    content = config_factory(_TRACKING_CONFIG).serialize()
    content.update(tracking_names=list(classes), class_range=dict(limits))
    # Sets module globals of the devkit, so it must come before any box.
    config = TrackingConfig.deserialize(content)
    truth = _tracks(exchange, exchange['ground_truth'], TrackingBox, limits, 'track_id')
    predicted = _tracks(exchange, exchange['predictions'], TrackingBox, limits, 'tracking_id')
    _mean_scores(predicted)
    for tracks in (truth, predicted):
        for scene, frames in tracks.items():
            tracks[scene] = interpolate_tracks(frames)
    counts = {name: sum(len(b) for frames in tracks.values() for b in frames.values())
              for name, tracks in (('gt', truth), ('pred', predicted))}
    evaluator = TrackingEval.__new__(TrackingEval)
    evaluator.cfg, evaluator.tracks_gt, evaluator.tracks_pred = config, truth, predicted
    evaluator.verbose, evaluator.output_dir, evaluator.render_classes = False, None, None
    metrics, curves = evaluator.evaluate()
    summary = metrics.serialize()
    for name in ('eval_time', 'cfg'):
        summary.pop(name, None)
    return {**summary, 'n_boxes_after_interpolation': counts,
            'curves': curves.serialize()}


def _tracks(exchange: dict, rows: dict[str, list[dict]], box_class, limits: dict, id_name: str) -> dict:
    tracks: dict = {}
    for scene in exchange['scenes']:
        frames = tracks[scene['scene']] = defaultdict(list)
        for sample in sorted(scene['samples'], key=lambda s: s['timestamp_us']):
            frames[sample['timestamp_us']] = _boxes(
                rows[sample['token']], sample['token'], sample['ego_translation'], box_class, limits,
                lambda r: {'tracking_id': str(r[id_name]), 'tracking_name': r['name'],
                           'tracking_score': float(r['score']) if 'score' in r else -1.0})
    return copy.deepcopy(tracks)


def _mean_scores(tracks: dict) -> None:
    """Give every box the mean score of its track in its scene, as the devkit's loader does."""
    for frames in tracks.values():
        scores = defaultdict(list)
        for boxes in frames.values():
            for box in boxes:
                scores[box.tracking_id].append(box.tracking_score)
        for boxes in frames.values():
            for box in boxes:
                box.tracking_score = float(np.mean(scores[box.tracking_id]))
