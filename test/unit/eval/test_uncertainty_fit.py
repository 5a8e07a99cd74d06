"""Fits of uncertainty: known parameters are found again, and stated regions hold what they should."""

import numpy as np
import pytest
from drawn_tracks import drawn
from exchange_cases import result, track, truth

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Provenance, Side
from cooptrack_ros.eval.regions import beyond
from cooptrack_ros.eval.reliability import reliability, reliability_lines
from cooptrack_ros.eval.track_errors import track_errors
from cooptrack_ros.eval.uncertainty_fit import LEAST_TRACKS, fit, restated
from cooptrack_ros.viz.reliability_plot import draw_reliability

EGO = Side.VEHICLE, Provenance.EGO


def growing(facts):
    """Return a spread that is 0.6 m at 20 m and a score of a half, and grows with range and falls with score."""
    score = facts[:, 1]
    return 0.6 * facts[:, 0] / 20 * (score / (1 - score)) ** -0.4


@pytest.fixture(scope='module')
def fitted():
    """Return a fit to drawn rows of known spreads, and what it states of scenes left out."""
    return fit({Side.VEHICLE: drawn(growing)}, 2)


def test_known_spreads_are_found_again(fitted):
    model = fitted[0].sources[EGO]
    radial, tangential = model.spreads['radial'], model.spreads['tangential']
    np.testing.assert_allclose(radial.slopes, [1.0, -0.4, 0.0, 0.0, 0.0], atol=0.08)
    assert np.exp(radial.constants[0]) == pytest.approx(0.6, rel=0.1)
    assert np.exp(tangential.constants[0]) == pytest.approx(0.3, rel=0.1)
    assert np.exp(model.spreads['length'].constants[0]) == pytest.approx(0.4, rel=0.1)
    assert np.isnan(radial.constants[1])


@pytest.mark.parametrize('tails', [None, 3], ids=['normal', 'heavy tails'])
def test_stated_regions_hold_95_percent_of_other_scenes_at_every_range(tails):
    model, _ = fit({Side.VEHICLE: drawn(growing, tails=tails)}, 2)
    fresh = restated(model, EGO, drawn(growing, tails=tails, seed=2))
    inside = {name: squared <= 1 for name, squared in beyond(fresh, fresh.stated).items()}
    for low, high in ((6, 20), (20, 35), (35, 48)):
        here = (fresh.facts[:, 0] >= low) & (fresh.facts[:, 0] < high)
        assert all(0.92 < hold[here].mean() < 0.975 for hold in inside.values())


def test_a_few_gross_errors_do_not_blow_up_what_is_stated_of_the_rest():
    rows = drawn(lambda facts: np.full(len(facts), 0.5))
    rows.centre[::97] *= 30
    model, _ = fit({Side.VEHICLE: rows}, 1)
    said = np.sqrt(np.linalg.det(restated(model, EGO, rows).stated.position[:, :2, :2]))
    assert np.median(said) == pytest.approx(0.5 * 0.25, rel=0.15)
    assert np.quantile(said, 0.95) < 2 * 0.125


def test_probabilities_of_existence_are_found_again():
    def odds(facts):
        score = facts[:, 1]
        return 1 / (1 + np.exp(-(0.5 + 1.5 * np.log(score / (1 - score)))))
    model, held = fit({Side.VEHICLE: drawn(growing, exists=odds)}, 1)
    line = model.sources[EGO].chances['existence']
    assert line.slopes[1] == pytest.approx(1.5, abs=0.15) and line.constants[0] == pytest.approx(0.5, abs=0.2)
    for point in reliability({'ego': held[EGO]})['sources']['ego']['all']['curve']:
        assert point['rows'] < 50 or point['exists'] == pytest.approx(point['said'], abs=0.12)


def test_nothing_is_stated_of_a_source_with_too_few_tracks():
    few = drawn(growing, scenes=2, tracks=LEAST_TRACKS // 2 - 1, source='fused')
    rows = type(few).concatenate([few, drawn(growing, scenes=2)])
    model, held = fit({Side.VEHICLE: rows}, 1)
    assert set(model.sources) == {EGO} and set(held) == {EGO, (Side.VEHICLE, Provenance.FUSED)}
    with pytest.raises(UserError, match='1 scene; expected 2'):
        fit({Side.VEHICLE: drawn(growing, scenes=1)}, 1)


def test_what_holds_is_told_by_source_and_range(fitted, tmp_path):
    figures = reliability({'vehicle, ego': fitted[1][EGO], 'other': fitted[1][EGO]})
    parts = figures['sources']['vehicle, ego']
    assert list(parts) == ['all', '0-20 m', '20-35 m', '35-60 m']
    assert parts['all']['coverage']['position'] == pytest.approx(0.95, abs=0.001)
    assert figures['judged'] == 2 * 3 * 5 and figures['within'] == figures['judged']
    assert any(line.startswith('| vehicle, ego | 0-20 m |') for line in reliability_lines(figures))
    draw_reliability(tmp_path / 'reliability.png', figures)
    assert (tmp_path / 'reliability.png').stat().st_size > 10_000


def published(*numbers, **stated):
    """Return rows of the table of published tracks, and of their sources."""
    return ([{'tracking_id': n, 'age_s': 0.5, **stated} for n in numbers],
            [{'tracking_id': n, 'provenance': 'fused'} for n in numbers])


def test_errors_are_true_minus_said_and_an_opposite_heading_is_a_flip():
    rows, sources = published('a', 'b')
    rows[0]['alone'] = True
    content = result([[truth(20, 1, 't', yaw_deg=190, velocity=[1.0, 2.0])]],
                     [[track(19, 0, 'a', yaw_deg=0, velocity=[1.0, 0.0]), track(40, 0, 'b'), track(20, 1, 'c')]],
                     published=[rows], provenance=[sources])
    errors = track_errors(content)
    assert errors.track.tolist() == ['a', 'b'] and errors.exists.tolist() == [True, False]
    np.testing.assert_allclose(errors.centre[0], [1, 1, 0])
    assert np.degrees(errors.turn[0]) == pytest.approx(10) and errors.flip[0] == 1
    np.testing.assert_allclose(errors.facts, [[19, 0.9, 0.5, 1, 1], [40, 0.9, 0.5, 0, 0]])
    spreads = errors.spreads()
    assert (spreads['radial'][0], spreads['tangential'][0]) == pytest.approx((1, 1))
    assert (spreads['along'][0], spreads['across'][0]) == pytest.approx((0, 2))
    assert np.isnan(spreads['radial'][1]) and not errors.stated.known.any()


def test_a_badly_placed_track_is_still_about_its_object_but_leaves_it_to_a_good_one():
    rows, sources = published('far', 'near')
    content = result([[truth(20, 0, 't')], [truth(20, 0, 't')]],
                     [[track(23, 0, 'far'), track(20.5, 0, 'near', score=0.3)], [track(23, 0, 'far')]],
                     published=[rows, rows[:1]], provenance=[sources, sources[:1]])
    assert track_errors(content).exists.tolist() == [False, True, True]


def test_results_without_published_tracks_are_refused():
    with pytest.raises(UserError, match="no table 'published'"):
        track_errors(result([[]], [[]]))
