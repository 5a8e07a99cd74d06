"""Tables of the benchmarks give the mean and the standard deviation, and say where a figure does not exist."""

import modes
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
