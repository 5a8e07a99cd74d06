"""Checks of a result in the exchange format, before any work: the first thing that is wrong is named with its place."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from reprlib import Repr
from typing import Any

from ..common.types import Provenance

FORMAT = 'cooptrack-eval-golden/1'
OPTIONAL_TABLES = ('detections', 'links', 'provenance', 'published', 'agents')
STATED = {'existence': 0, 'flip': 0, 'position': 9, 'heading': 0, 'size': 3, 'velocity': 4}
"""What a row of ``published`` says of uncertainty, if anything: numbers, or so many of them."""
AGENTS = ('ego', 'roadside')
"""What each of them found alone is in ``agents``; all units are one."""
SEEN_BY = ('ego', 'roadside', 'both')
_TABLES = {'ground_truth': ('track_id', False), 'predictions': ('tracking_id', True), 'detections': (None, True)}
"""What names the object of a box, if anything, and whether it has a score."""
_MAX_CLASSES, _MAX_BOXES, _MAX_NAME = 64, 2000, 255
"""Of a result, of a sample, and characters of a name: what has more is not for people, and takes hours to draw."""
_MAX_RANGE_M, _MAX_SIZE_M, _MAX_NUMBER, _END_OF_TIME_US = 1000, 1000, 1e8, 2**63
_IDENTITY = f'a text or a whole number, of up to {_MAX_NAME} characters'
_ROTATION_NORM = 0.01, 100
_PROVENANCES = tuple(p.name.lower() for p in Provenance)
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80


def check_exchange(content: Any) -> None:
    """
    Check the content of a result, and write what has several forms in one: identities as text, unknown velocities null.

    :raises ValueError: naming the first thing that is missing or wrong.
    """
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f"expected an object with format '{FORMAT}' (docs/data.md, Results)")
    _require(content.get('name'), _is_text, "'name'", 'a text')
    _require(content.get('frame_rate_hz', 1), _is_above_0, "'frame_rate_hz'", 'a number above 0')
    classes = _checked_classes(content)
    scenes = _checked_scenes(content.get('scenes'))
    for key, (identity, has_score) in _TABLES.items():
        if key != 'detections' or content.get(key) is not None:
            _Table(key, identity, has_score, classes).check(content.get(key), scenes)
    if content.get('agents') is not None:
        _require(content['agents'], lambda v: isinstance(v, dict) and set(v) <= set(AGENTS), "'agents'",
                 f"an object with tables of boxes of {' and '.join(AGENTS)}")
        for agent, table in content['agents'].items():
            _Table(f'agents: {agent}', None, True, classes).check(table, scenes)
    for key, complaint in (('links', _link_complaint), ('provenance', _provenance_complaint),
                           ('published', _published_complaint)):
        if content.get(key) is not None:
            _check_notes(key, content[key], content['predictions'], complaint)


def _checked_classes(content: Mapping[str, Any]) -> list[str]:
    classes, ranges = content.get('classes'), content.get('class_range')
    _require(classes, lambda v: isinstance(v, list) and 0 < len(v) <= _MAX_CLASSES and all(map(_is_text, v))
             and len(set(v)) == len(v), "'classes'", f'a list of up to {_MAX_CLASSES} different names')
    _require(ranges, lambda v: isinstance(v, dict), "'class_range'", 'metres by class')
    for name in classes:
        _require(ranges.get(name), lambda v: _is_above_0(v) and v <= _MAX_RANGE_M, f"'class_range' of class '{name}'",
                 f'metres above 0, at most {_MAX_RANGE_M}')
    return classes


def _checked_scenes(scenes: Any) -> dict[str, str]:
    """Return the scene of each sample."""
    _require(scenes, lambda v: isinstance(v, list), "'scenes'", 'a list')
    scene_of: dict[str, str] = {}
    names = set()
    for i, scene in enumerate(scenes):
        where = f"'scenes', number {i}"
        _require(scene, lambda v: isinstance(v, dict), where, "an object with 'scene' and 'samples'")
        name = scene.get('scene')
        _require(name, lambda v: _is_text(v) and v not in names, f"{where}: 'scene'", 'a name that no other scene has')
        names.add(name)
        where = f"scene '{name}'"
        _require(scene.get('samples'), lambda v: isinstance(v, list), f"{where}: 'samples'", 'a list')
        for k, sample in enumerate(scene['samples']):
            _require(sample, lambda v: isinstance(v, dict), f'{where}, sample {k}', 'an object')
            token = sample.get('token')
            _require(token, lambda v: _is_text(v) and v not in scene_of, f"{where}, sample {k}: 'token'",
                     'a text that no other sample has')
            scene_of[token] = name
            _check_sample(sample, f"{where}, sample '{token}'")
        _check_times(scene['samples'], where)
    return scene_of


def _check_sample(sample: Mapping[str, Any], where: str) -> None:
    _require(sample.get('timestamp_us'), lambda v: type(v) is int and 0 <= v < _END_OF_TIME_US,
             f"{where}: 'timestamp_us'", 'whole microseconds')
    _require(sample.get('ego_translation'), lambda v: _is_vector(v, 3), f"{where}: 'ego_translation'",
             '3 finite numbers')
    _require(sample.get('ego_yaw', 0.0), _is_number, f"{where}: 'ego_yaw'", 'a finite number')


def _check_times(samples: Iterable[Mapping[str, Any]], where: str) -> None:
    at: dict[int, str] = {}
    for sample in samples:
        other = at.setdefault(sample['timestamp_us'], sample['token'])
        if other != sample['token']:
            raise ValueError(f"{where}: samples '{other}' and '{sample['token']}' have one 'timestamp_us', "
                             f"{sample['timestamp_us']}; times must grow within a scene")


class _Table:
    """Lists of boxes by sample."""

    def __init__(self, key: str, identity: str | None, has_score: bool, classes: list[str]) -> None:
        self._key, self._identity, self._has_score, self._classes = key, identity, has_score, classes

    def check(self, table: Any, scene_of: Mapping[str, str]) -> None:
        """Check the table against the samples of all scenes."""
        _require(table, lambda v: isinstance(v, dict), f"'{self._key}'", 'an object with a list of boxes by sample')
        missing = [token for token in scene_of if token not in table]
        if missing:
            raise ValueError(f"'{self._key}' lacks {len(missing)} samples, first '{missing[0]}' of scene "
                             f"'{scene_of[missing[0]]}'; a sample without boxes needs an empty list")
        unknown = next((token for token in table if token not in scene_of), None)
        if unknown is not None:
            raise ValueError(f"'{self._key}' has sample '{unknown}', which is in no scene")
        for token, scene in scene_of.items():
            where = f"'{self._key}' of scene '{scene}', sample '{token}'"
            _require(table[token], lambda v: isinstance(v, list) and len(v) <= _MAX_BOXES, where,
                     f'a list of boxes, up to {_MAX_BOXES}')
            seen: dict[str, int] = {}
            for i, row in enumerate(table[token]):
                self._check_row(row, f'{where}, box {i}')
                other = seen.setdefault(row[self._identity], i) if self._identity else i
                if other != i:
                    raise ValueError(f"{where}: boxes {other} and {i} have one '{self._identity}', "
                                     f"'{row[self._identity]}'; an object is once in a sample")

    def _check_row(self, row: Any, where: str) -> None:
        _require(row, lambda v: isinstance(v, dict), where, 'an object')
        _require(row.get('name'), lambda v: v in self._classes, f"{where}: 'name'",
                 f"one of 'classes' ({_shortened(', '.join(self._classes))})")
        _require(row.get('translation'), lambda v: _is_vector(v, 3), f"{where}: 'translation'", '3 finite numbers')
        _require(row.get('size'), lambda v: _is_vector(v, 3) and min(v) > 0 and max(v) <= _MAX_SIZE_M,
                 f"{where}: 'size'", f'width, length and height above 0, at most {_MAX_SIZE_M} m')
        _require(row.get('rotation'), lambda v: _is_vector(v, 4) and _ROTATION_NORM[0] <= math.hypot(*v)
                 <= _ROTATION_NORM[1], f"{where}: 'rotation'", 'a quaternion w, x, y, z that is not 0')
        if _is_unknown(row.get('velocity')):
            row['velocity'] = None
        else:
            _require(row['velocity'], lambda v: _is_vector(v, 2), f"{where}: 'velocity'",
                     '2 finite numbers, or null for unknown')
        if self._identity:
            _require(row.get(self._identity), _is_identity, f"{where}: '{self._identity}'", _IDENTITY)
            row[self._identity] = str(row[self._identity])
        if self._has_score:
            _require(row.get('score'), lambda v: _is_number(v) and v >= 0, f"{where}: 'score'", 'a number, 0 or above')
        if 'seen_by' in row:
            _require(row['seen_by'], lambda v: v in SEEN_BY, f"{where}: 'seen_by'", f"one of {', '.join(SEEN_BY)}")


def _check_notes(key: str, table: Any, predictions: Mapping[str, list[dict]],
                 complaint: Callable[[dict, set[str]], str]) -> None:
    """Check an optional table of rows that go with tracks; samples without rows may be left out."""
    _require(table, lambda v: isinstance(v, dict), f"'{key}'", 'an object with a list by sample')
    for token, rows in table.items():
        if token not in predictions:
            raise ValueError(f"'{key}' has sample '{token}', which is not in 'predictions'")
        _require(rows, lambda v: isinstance(v, list) and len(v) <= _MAX_BOXES, f"'{key}' of sample '{token}'",
                 f'a list of up to {_MAX_BOXES} rows')
        tracks = {row['tracking_id'] for row in predictions[token]}
        for i, row in enumerate(rows):
            where = f"'{key}' of sample '{token}', row {i}"
            _require(row, lambda v: isinstance(v, dict), where, 'an object')
            _require(row.get('tracking_id'), _is_identity, f"{where}: 'tracking_id'", _IDENTITY)
            row['tracking_id'] = str(row['tracking_id'])
            wrong = complaint(row, tracks)
            if wrong:
                raise ValueError(f'{where}: {wrong}')


def _link_complaint(row: dict, tracks: set[str]) -> str:
    if row['tracking_id'] not in tracks:
        return f"the sample has no track '{row['tracking_id']}'"
    if not _is_vector(row.get('translation'), 3):
        return f"'translation' must be 3 finite numbers, not {_shown(row.get('translation'))}"
    return '' if _is_number(row.get('affinity')) else f"'affinity' must be a number, not {_shown(row.get('affinity'))}"


def _provenance_complaint(row: dict, tracks: set[str]) -> str:
    # Tracks beyond the range of the predictions may be among them.
    known = row.get('provenance') in _PROVENANCES
    found = _shown(row.get('provenance'))
    return '' if known else f"'provenance' must be one of {', '.join(_PROVENANCES)}, not {found}"


def _published_complaint(row: dict, tracks: set[str]) -> str:
    if not (_is_number(row.get('age_s')) and row['age_s'] >= 0):
        return f"'age_s' must be a number, 0 or above, not {_shown(row.get('age_s'))}"
    if not isinstance(row.get('alone', False), bool):
        return f"'alone' must be true or false, not {_shown(row['alone'])}"
    if not row.keys() & STATED.keys():
        return ''
    for key, count in STATED.items():
        value = row.get(key)
        if not (_is_vector(value, count) if count else _is_number(value) and value >= 0):
            expected = f'{count} finite numbers' if count else 'a number, 0 or above'
            return f"'{key}' must be {expected}, not {_shown(value)}"
    return ''


def _require(value: Any, fits: Callable[[Any], bool], what: str, expected: str) -> None:
    if not fits(value):
        shown = 'is missing' if value is None else f'is {_shown(value)}'
        raise ValueError(f'{what} {shown}; expected {expected}')


def _shown(value: Any) -> str:
    return _shortened(_REPR.repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + '...'


def _is_text(value: Any) -> bool:
    # Control characters and halves of pairs of surrogates can be neither drawn nor stored.
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and not any(
        unicodedata.category(c) in ('Cc', 'Cs') for c in value)


def _is_identity(value: Any) -> bool:
    return _is_text(value) or (type(value) is int and abs(value) < 10**_MAX_NAME)


def _is_number(value: Any) -> bool:
    # NaN is no such number either.
    return type(value) in (int, float) and -_MAX_NUMBER <= value <= _MAX_NUMBER


def _is_above_0(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_vector(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_is_number, value))


def _is_unknown(velocity: Any) -> bool:
    """Tell whether a velocity is missing, null or NaN, as nuScenes files say it."""
    return velocity is None or (isinstance(velocity, list) and len(velocity) == 2 and all(
        isinstance(v, float) and math.isnan(v) for v in velocity))
