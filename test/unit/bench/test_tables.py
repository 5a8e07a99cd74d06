"""Tables of the benchmarks give the mean and the standard deviation, and say where a figure does not exist."""

import bytes_curve
import modes
import rates
from evaluation import cell, cell_of, kept


def row(value, **more):
    """Return a mode of a set."""
    return {**dict.fromkeys((*modes.FIGURES, *modes.MORE, *modes.MOTION), value), 'bytes_per_second': 1000.0, **more}


def test_every_figure_of_a_mode_stands_with_its_spread():
    sets = [{mode: row(v, IDS=n, across='none labelled', oracle=row(1.0)) for mode in modes.NAMES}
            for v, n in ((0.1, 1), (0.3, 4))]
    lines = modes.rows_of(sets)
    assert len([line for line in lines if line.startswith('| cooperative |')]) == 2
    first = next(line for line in lines if line.startswith('| cooperative |'))
    assert first == f'| cooperative | {"0.200 ± 0.141 | " * 7}2.5 ± 2.1 | 1.0 |'
    second = [line for line in lines if line.startswith('| cooperative |')][1]
    assert '| none labelled |' in second and '| 0.2 ± 0.1 |' in second


def test_sets_of_before_have_the_first_table_only():
    sets = [{mode: {**dict.fromkeys(modes.FIGURES, 0.5), 'bytes_per_second': 0.0,
                    'oracle': dict.fromkeys(modes.FIGURES, 1.0)} for mode in modes.NAMES}]
    assert len([line for line in modes.rows_of(sets) if line.startswith('| mode |')]) == 1


def test_modes_that_a_model_has_no_weights_for_have_no_row():
    sets = [{mode: row(0.5, oracle=row(1.0)) for mode in ('none', 'cooperative', 'bev_fusion')}]
    lines = modes.rows_of(sets)
    assert len([line for line in lines if line.startswith('| BEV fusion |')]) == 2
    assert not [line for line in lines if 'AB3DMOT' in line]


def test_the_curve_over_bytes_has_a_row_for_every_point_of_its_picture(tmp_path):
    settings = bytes_curve.settings(4 * 64 * 100)
    assert settings['BEV fusion 1/64'] == ('--mode', 'bev_fusion', '--bev-budget', 400)
    assert sorted(settings) == sorted(key for keys in bytes_curve.LINES.values() for key in keys)
    figures = {f: 0.5 for f in bytes_curve.FIGURES}
    rows = {name: {**figures, 'spread': dict.fromkeys(figures, 0.1), **dict.fromkeys(bytes_curve.BYTES, 1000.0 * i)}
            for i, name in enumerate(settings)}
    bytes_curve.draw(tmp_path / 'curve.png', rows)
    assert (tmp_path / 'curve.png').stat().st_size > 1000
    lines = bytes_curve.table(rows)
    assert lines[0].count('|') == lines[2].count('|') and lines[3] == (
        '| late | 1.0 | 1.0 | 0.500 ± 0.100 | 0.500 ± 0.100 | 0.500 ± 0.100 | 0.5 ± 0.1 |')


def test_figures_of_two_rates_stand_side_by_side():
    def found(value):
        return {**dict.fromkeys(rates.FIGURES, value), 'spread': dict.fromkeys(rates.FIGURES, 0.0), rates.RATE: 500.0}
    head, _, *lines = rates.table({'none 10': found(0.4), 'none 2': found(0.3), 'late 10': found(0.5)})
    assert head.startswith('| mode | mAP at 10 Hz | mAP at 2 Hz | AMOTA at 10 Hz |')
    assert lines[0].startswith('| none | 0.400 ± 0.000 | 0.300 ± 0.000 |') and len(lines) == 2
    assert lines[1].startswith('| late | 0.500 ± 0.000 |  |')


def test_a_row_keeps_its_spread_and_what_it_was_made_from():
    origin = {'version': '1', 'commit': 'c', 'uncommitted_changes': False, 'label_hash': 'h', 'models': {}, 'seed': 3,
              'options': {'mode': 'none'}}
    found = kept({'vehicle': {'mAP': 0.5, 'ATE': 1.0}, **origin,
                  'spread': {'number': 5, 'over': 'scenes', 'vehicle': {'mAP': 0.1}}}, ['mAP'])
    assert found == {'mAP': 0.5, 'spread_over': '5 scenes', 'spread': {'mAP': 0.1}, **origin}


def test_words_and_missing_figures_are_printed_as_they_are():
    assert (cell('class absent'), cell(None), cell(0.5), cell(0.5, 'fewer than two')) == (
        'class absent', '-', '0.500', '0.500')
    assert (cell_of(['none found'] * 2), cell_of([0.5]), cell_of([0.25, 'none found', 0.75], 1)) == (
        'none found', '0.500', '0.5 ± 0.4')
