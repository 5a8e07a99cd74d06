"""Uncertainty beside the weights of a model: there and back, and every wrong value is named."""

import hashlib
import json

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Provenance, Side
from cooptrack_ros.tracking.uncertainty import CHANCES, FACTS, SPREADS, Line, SourceModel, UncertaintyModel
from cooptrack_ros.weights.model_folder import read_card
from cooptrack_ros.weights.uncertainty_file import (
    UNCERTAINTY_NAME,
    load_uncertainty,
    parse_uncertainty,
    plain_uncertainty,
    save_uncertainty,
)

NAMES = 'car', 'pedestrian'
IDS = {Side.VEHICLE: 'abc', Side.ROADSIDE: 'def'}


def model():
    """Return a model of one source that does not know the second class."""
    known = Line(np.array([-0.5, np.nan]), np.array([0.5, -0.25, 0.0, 0.125, 0.0]))
    limits = np.array([[5.0, 50.0], [0.2, 0.9], [0.0, 3.0], [0.0, 10.0], [0.0, 1.0]])
    source = SourceModel(limits, dict.fromkeys(SPREADS, known), dict.fromkeys(CHANCES, known))
    return UncertaintyModel({(Side.VEHICLE, Provenance.FUSED): source,
                             (Side.ROADSIDE, Provenance.ROADSIDE): source})


def plain():
    """Return its content as in a file."""
    return plain_uncertainty(model(), NAMES, IDS)


def test_there_and_back():
    found = parse_uncertainty(json.loads(json.dumps(plain())), NAMES, IDS)
    assert set(found) == set(model().sources)
    for key, source in found.items():
        expected = model().sources[key]
        np.testing.assert_array_equal(source.limits, expected.limits)
        assert list(source.spreads) == list(SPREADS) and list(source.chances) == list(CHANCES)
        for name, line in {**source.spreads, **source.chances}.items():
            np.testing.assert_array_equal(line.constants, {**expected.spreads, **expected.chances}[name].constants)
            np.testing.assert_array_equal(line.slopes, [0.5, -0.25, 0.0, 0.125, 0.0])


def test_networks_that_were_trained_anew_have_none():
    assert set(parse_uncertainty(plain(), NAMES, IDS | {Side.VEHICLE: 'new'})) == {(Side.ROADSIDE, Provenance.ROADSIDE)}


def edited(*path, value=None, drop=False):
    """Return the content with one value changed or left out."""
    content = json.loads(json.dumps(plain()))
    place = content
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


SOURCE = 'networks', 'vehicle', 'sources', 'fused'


@pytest.mark.parametrize(('content', 'words'), [
    ([], 'cooptrack-uncertainty/1'), (edited('format', value='x/1'), 'cooptrack-uncertainty/1'),
    (edited('confidence', value=0.9), "'confidence' is 0.9"), (edited('more', value=1), 'the file must be'),
    (edited('networks', 'plane', value={}), "'networks' must be"),
    (edited('networks', 'vehicle', 'model_id', drop=True), "'vehicle' must be"),
    (edited('networks', 'roadside', 'sources', 'ego', value={}), "'sources' of 'roadside'"),
    (edited(*SOURCE, 'log_sigma', 'radial', drop=True), "'log_sigma' of 'fused' of 'vehicle'"),
    (edited(*SOURCE, 'log_sigma', 'radial', 'slopes', 'score', value='1'), "'slopes' of 'radial' of 'fused'"),
    (edited(*SOURCE, 'log_odds', 'flip', 'classes', 'bus', value=1.0), "'classes' of 'flip' of 'fused'"),
    (edited(*SOURCE, 'log_sigma', 'up', 'classes', 'car', value=float('nan')), "'car' of 'up' of 'fused'"),
    (edited(*SOURCE, 'log_sigma', 'up', 'classes', 'car', value=21.0), 'at most 20'),
    (edited(*SOURCE, 'log_sigma', 'up', 'classes', 'car', value=True), "'car' of 'up' of 'fused'"),
    (edited(*SOURCE, 'limits', FACTS[0], value=[50.0]), "'range_m' of the limits"),
    (edited(*SOURCE, 'limits', FACTS[0], value=[50.0, 5.0]), 'the lower one first'),
    (edited(*SOURCE, 'limits', 'score', value=[0.5, 1.5]), 'no score above 1'),
])
def test_what_is_wrong_is_named(content, words):
    with pytest.raises(ValueError, match='.') as caught:
        parse_uncertainty(content, NAMES, IDS)
    assert words in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a card and what was fitted."""
    (tmp_path / 'card.yaml').write_text('name: small\n')
    save_uncertainty(tmp_path, model(), NAMES, IDS, {'data': ['val'], 'scenes': 6})
    return tmp_path


def entry(folder):
    """Return the entry of the card."""
    return read_card(folder / 'card.yaml')['uncertainty']


def test_the_card_lists_the_file_with_its_hash_and_origin(folder):
    listed = entry(folder)
    assert listed['scenes'] == 6 and listed['bytes'] == (folder / UNCERTAINTY_NAME).stat().st_size
    assert set(load_uncertainty(folder, listed, NAMES, IDS).sources) == set(model().sources)
    assert load_uncertainty(folder, listed, NAMES, {Side.VEHICLE: 'new'}) is None


def test_a_missing_a_changed_and_a_wrong_file_are_refused_by_name(folder):
    path, listed = folder / UNCERTAINTY_NAME, entry(folder)
    path.write_text(path.read_text().replace('-0.5', '-0.6'))
    with pytest.raises(UserError, match='damaged or was replaced'):
        load_uncertainty(folder, listed, NAMES, IDS)
    path.unlink()
    with pytest.raises(UserError, match='cannot be read, but the card names it'):
        load_uncertainty(folder, listed, NAMES, IDS)
    path.write_text('{"format": 1}')
    with pytest.raises(UserError, match='uncertainty.json: expected an object with format'):
        load_uncertainty(folder, {'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}, NAMES, IDS)
    (folder / 'card.yaml').write_text('uncertainty: here\n')
    with pytest.raises(UserError, match="'uncertainty' must have sha256"):
        entry(folder)
