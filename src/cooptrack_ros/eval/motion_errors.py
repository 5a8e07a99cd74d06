"""Errors of heading and velocity of reported cars: by how they stand and move, and while the vehicle turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..common.geometry import heading, rotation_from_quaternion, wrap_angle
from .matching import MATCH_M, distances, frame_boxes, frames_of, greedy_match
from .undefined import ABSENT, NO_HEADING, NONE_FOUND, NONE_LABELLED

MOVING_MPS = 2.0
"""Faster objects count as moving."""
TURNING_DEG_PER_S = 3.0
"""The vehicle turns in frames in which its heading changes faster."""
GOOD_DEG = 15.0
GROUPS = ('all', 'along', 'against', 'across', 'moving_across')
"""By true heading relative to that of the vehicle: within 45 degrees of it, of its opposite, or neither."""
_HEADING = ('median_deg', 'mean_deg', 'median_mod_pi_deg', 'mean_mod_pi_deg', 'within_15_deg')
_VELOCITY = ('median_mps', 'mean_mps', 'speed_ratio')


def motion_errors(exchange: Mapping[str, Any], name: str = 'car') -> dict[str, Any]:
    """
    Return errors of heading and velocity of a class.

    Reported tracks are matched in each frame as the devkit matches detections, at 2 m. Errors are of single boxes: a
    median and a mean over all matches, without the devkit's running means over scores.

    :param exchange: ``cooptrack-eval-golden/1``.
    :returns: ``heading`` and ``heading_while_turning`` (frames in which the vehicle turns) with ``GROUPS``, and
        ``velocity`` with ``moving`` and ``slow`` (true speed above and up to 2 m/s). Each group has the numbers of
        objects ``labelled`` and ``found`` and its errors, or the words for why there are none; ``mod_pi``: a heading
        that is opposite counts as right. ``speed_ratio`` is the median of reported by true speed.
    """
    cars = [car for scene in exchange['scenes'] for car in _cars(exchange, scene, name)]
    turned = [c for c in cars if c['turning']]
    knows_heading = all('ego_yaw' in s for scene in exchange['scenes'] for s in scene['samples'])

    def grouped(chosen: Sequence[dict], known: Sequence[str]) -> dict[str, dict]:
        return {group: _figures([c for c in chosen if _is_in(c, group)], 'yaw_error_deg', _heading, _HEADING,
                                not cars, knows_heading or group in known) for group in GROUPS}
    timed = [c for c in cars if c['speed'] is not None]
    speeds = {'moving': [c for c in timed if c['speed'] > MOVING_MPS],
              'slow': [c for c in timed if c['speed'] <= MOVING_MPS]}
    return {
        'class': name, 'moving_above_mps': MOVING_MPS, 'turning_above_deg_per_s': TURNING_DEG_PER_S,
        'heading': grouped(cars, known=['all']), 'heading_while_turning': grouped(turned, known=[]),
        'velocity': {group: _figures(chosen, 'velocity_error_mps', _velocity, _VELOCITY if group == 'moving'
                                     else _VELOCITY[:2], not cars) for group, chosen in speeds.items()}}


def _cars(exchange: Mapping[str, Any], scene: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the labelled objects of a class in a scene, those that were found with their errors."""
    cars = []
    samples = frames_of(scene)
    for sample, turning in zip(samples, _turning(samples), strict=True):
        objects, boxes = (frame_boxes(exchange, sample, table) for table in ('ground_truth', 'predictions'))
        taken_by = greedy_match(distances(boxes, objects), boxes.score, MATCH_M)
        for row, box in zip(objects.rows, taken_by, strict=True):
            if row['name'] != name:
                continue
            yaw, velocity = heading(rotation_from_quaternion(row['rotation'])), row.get('velocity')
            car = {'turning': turning, 'relative': abs(wrap_angle(yaw - sample.get('ego_yaw', 0.0))),
                   'speed': None if velocity is None else float(np.hypot(*velocity))}
            if box >= 0:
                car |= _errors(yaw, velocity, boxes.rows[box])
            cars.append(car)
    return cars


def _errors(yaw: float, velocity: Sequence[float] | None, found: Mapping[str, Any]) -> dict[str, float]:
    """Return the errors of a box; that of velocity only where both are known."""
    error = abs(wrap_angle(heading(rotation_from_quaternion(found['rotation'])) - yaw))
    errors = {'yaw_error_deg': float(np.degrees(error))}
    if velocity is not None and found.get('velocity') is not None:
        errors |= {'velocity_error_mps': float(np.hypot(*np.subtract(found['velocity'], velocity))),
                   'reported_speed': float(np.hypot(*found['velocity']))}
    return errors


def _turning(samples: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return in which frames the vehicle turns: central differences of its heading, one-sided at the ends."""
    if len(samples) < 2:
        return np.zeros(len(samples), bool)
    yaw = np.unwrap([s.get('ego_yaw', 0.0) for s in samples])
    seconds = np.array([s['timestamp_us'] for s in samples]) / 1e6
    before, after = np.maximum(np.arange(len(yaw)) - 1, 0), np.minimum(np.arange(len(yaw)) + 1, len(yaw) - 1)
    rate = (yaw[after] - yaw[before]) / (seconds[after] - seconds[before])
    return np.abs(np.degrees(rate)) > TURNING_DEG_PER_S


def _is_in(car: Mapping[str, Any], group: str) -> bool:
    if group == 'all':
        return True
    if group == 'moving_across':
        return _is_in(car, 'across') and car['speed'] is not None and car['speed'] > MOVING_MPS
    along, against = car['relative'] <= np.pi / 4, car['relative'] >= 3 * np.pi / 4
    return {'along': along, 'against': against, 'across': not along and not against}[group]


def _figures(cars: Sequence[Mapping[str, Any]], key: str, of: Callable[[Sequence[Mapping]], dict[str, float]],
             names: Sequence[str], is_absent: bool, is_known: bool = True) -> dict[str, Any]:
    """Return the figures of a group; :param key: what a car has that was found and can be judged."""
    found = [c for c in cars if key in c]
    word = (ABSENT if is_absent else NO_HEADING if not is_known else NONE_LABELLED if not cars
            else NONE_FOUND if not found else None)
    figures = dict.fromkeys(names, word) if word else of(found)
    return {'labelled': len(cars), 'found': len(found), **{n: figures[n] for n in names}}


def _heading(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    error = np.array([c['yaw_error_deg'] for c in found])
    folded = np.minimum(error, 180.0 - error)
    return {'median_deg': float(np.median(error)), 'mean_deg': float(error.mean()),
            'median_mod_pi_deg': float(np.median(folded)), 'mean_mod_pi_deg': float(folded.mean()),
            'within_15_deg': float((error <= GOOD_DEG).mean())}


def _velocity(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    error = np.array([c['velocity_error_mps'] for c in found])
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = np.array([c['reported_speed'] for c in found]) / np.array([c['speed'] for c in found])
    return {'median_mps': float(np.median(error)), 'mean_mps': float(error.mean()),
            'speed_ratio': float(np.median(ratio))}
