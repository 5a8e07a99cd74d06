"""How sure tracks of a model are, as JSON beside its weights; every value is checked before it is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.reading import MIB, parse_json, read_bounded
from ..common.types import Provenance, Side
from ..tracking.uncertainty import CHANCES, FACTS, SOURCES, SPREADS, Line, SourceModel, UncertaintyModel
from .model_folder import CARD_NAME, read_card, stored, write_with_card

UNCERTAINTY_NAME = 'uncertainty.json'
FORMAT = 'cooptrack-uncertainty/1'
_MAX_BYTES = MIB
_LARGEST = 20.0
"""Of a logarithm or a slope: more is no uncertainty of anything."""


def load_uncertainty(folder: Path, entry: Mapping[str, Any], class_names: Sequence[str],
                     model_ids: Mapping[Side, str]) -> UncertaintyModel | None:
    """
    Return what was fitted for the networks of a model; None if that is for others.

    :param entry: that of the card; :param class_names: of the model; :param model_ids: of its sides as they are now.
    :raises UserError: if the file is missing, damaged, not the one on the card, or holds something else.
    """
    path = stored(folder / UNCERTAINTY_NAME, entry['sha256'])
    try:
        data = read_bounded(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read, but the card names it: '
                        f'{getattr(error, "strerror", None) or error}') from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != entry['sha256']:
        raise UserError(f"{path} is damaged or was replaced: SHA-256 is {actual}, the card says {entry['sha256']}")
    try:
        sources = parse_uncertainty(parse_json(data), class_names, model_ids)
    except ValueError as error:
        raise UserError(f'{path}: {error}') from error
    return UncertaintyModel(sources) if sources else None


def parse_uncertainty(content: Any, class_names: Sequence[str],
                      model_ids: Mapping[Side, str]) -> dict[tuple[Side, Provenance], SourceModel]:
    """
    Return the sources in the content of such a file whose networks are those of the model; all are checked.

    :raises ValueError: naming the first thing that is wrong.
    """
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f"expected an object with format '{FORMAT}'")
    _keys(content, ('format', 'confidence', 'networks'), 'the file')
    if content['confidence'] != 0.95:
        raise ValueError(f"'confidence' is {content['confidence']!r}, expected 0.95")
    _keys(content['networks'], tuple(side.value for side in Side), "'networks'", some=True)
    found = {}
    for name, network in content['networks'].items():
        _keys(network, ('model_id', 'sources'), f"'{name}'")
        known = {source.name.lower(): source for side, source in SOURCES if side.value == name}
        _keys(network['sources'], tuple(known), f"'sources' of '{name}'", some=True)
        for source, values in network['sources'].items():
            model = _source(values, class_names, f"'{source}' of '{name}'")
            if model_ids.get(Side(name)) == network['model_id']:
                found[Side(name), known[source]] = model
    return found


def _source(values: Any, class_names: Sequence[str], where: str) -> SourceModel:
    _keys(values, ('limits', 'log_sigma', 'log_odds'), where)
    _keys(values['limits'], FACTS, f"'limits' of {where}")
    limits = np.array([_numbers(values['limits'][k], 2, f"'{k}' of the limits of {where}", 1e4) for k in FACTS])
    if not (limits[:, 0] <= limits[:, 1]).all() or limits.min() < 0 or limits[1].max() > 1:
        raise ValueError(f"'limits' of {where} must be the lower one first, none below 0, no score above 1")
    lines = []
    for key, names in (('log_sigma', SPREADS), ('log_odds', CHANCES)):
        _keys(values[key], names, f"'{key}' of {where}")
        lines.append({n: _line(values[key][n], class_names, f"'{n}' of {where}") for n in names})
    return SourceModel(limits, *lines)


def _line(values: Any, class_names: Sequence[str], where: str) -> Line:
    _keys(values, ('classes', 'slopes'), where)
    _keys(values['slopes'], FACTS, f"'slopes' of {where}")
    _keys(values['classes'], tuple(class_names), f"'classes' of {where}", some=True)
    constants = [_numbers([values['classes'].get(n, 0.0)], 1, f"'{n}' of {where}")[0] for n in class_names]
    missing = [n not in values['classes'] for n in class_names]
    slopes = _numbers([values['slopes'][k] for k in FACTS], len(FACTS), f"'slopes' of {where}")
    return Line(np.where(missing, np.nan, constants), np.array(slopes))


def _keys(value: Any, names: Iterable[str], where: str, some: bool = False) -> None:
    """See that an object has just the keys that it should have, or some of them."""
    names = set(names)
    if not isinstance(value, dict) or not (set(value) <= names if some else set(value) == names):
        has = ', '.join(sorted(map(str, value)))[:80] if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"{where} must be an object with {'some of ' * some}{', '.join(sorted(names))}, not {has}")


def _numbers(value: Any, count: int, where: str, largest: float = _LARGEST) -> list[float]:
    if not isinstance(value, list) or len(value) != count or not all(
            type(v) in (int, float) and isfinite(v) and abs(v) <= largest for v in value):
        raise ValueError(f'{where} must be {count} finite numbers of at most {largest:g}, not {str(value)[:80]}')
    return [float(v) for v in value]


def plain_uncertainty(model: UncertaintyModel, class_names: Sequence[str],
                      model_ids: Mapping[Side, str]) -> dict[str, Any]:
    """Return the content of such a file."""
    networks: dict[str, Any] = {}
    for (side, source), fitted in model.sources.items():
        network = networks.setdefault(side.value, {'model_id': model_ids[side], 'sources': {}})
        network['sources'][source.name.lower()] = {
            'limits': dict(zip(FACTS, fitted.limits.tolist(), strict=True)),
            'log_sigma': {name: _plain(line, class_names) for name, line in fitted.spreads.items()},
            'log_odds': {name: _plain(line, class_names) for name, line in fitted.chances.items()}}
    return {'format': FORMAT, 'confidence': 0.95, 'networks': networks}


def _plain(line: Line, class_names: Sequence[str]) -> dict[str, Any]:
    constants = zip(class_names, line.constants.tolist(), strict=True)
    return {'classes': {name: round(value, 5) for name, value in constants if isfinite(value)},
            'slopes': {name: round(value, 5) for name, value in zip(FACTS, line.slopes.tolist(), strict=True)}}


def save_uncertainty(folder: Path, model: UncertaintyModel, class_names: Sequence[str],
                     model_ids: Mapping[Side, str], origin: Mapping[str, Any]) -> Path:
    """
    Write what was fitted beside the networks of a model and enter it in the card, see ``write_with_card``.

    :param origin: data and measured figures, plain data for the card. :returns: the file.
    """
    text = json.dumps(plain_uncertainty(model, class_names, model_ids), indent=1) + '\n'
    path, card_path = folder / UNCERTAINTY_NAME, folder / CARD_NAME
    card, data = read_card(card_path), text.encode()
    before = (card.get('uncertainty') or {}).get('sha256')
    card['uncertainty'] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data), **origin}
    write_with_card(path, data, before, card_path, card)
    return path
