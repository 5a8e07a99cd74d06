"""Texts of others can only be read, wherever they are shown."""

import io

import pytest

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.text import MAX_SHOWN, for_plot, for_table, readable, readable_lines


@pytest.mark.parametrize(('text', 'shown'), [
    ('rsu_1', 'rsu_1'), ('Straße 5', 'Straße 5'), ('\x1b[31mred\x07', r'\x1b[31mred\x07'),
    ('one\ntwo\r', r'one\ntwo\r'), ('\u202egnp', r'\u202egnp'), ('a\u2028b\x9b', r'a\u2028b\x9b'),
    ('\ud800', r'\ud800')])
def test_what_steers_a_terminal_or_ends_a_line_stands_as_an_escape(text, shown):
    assert readable(text) == shown and readable(shown) == shown


def test_long_texts_are_cut_before_and_after_they_are_escaped():
    assert len(readable('x' * 40_000_000)) == MAX_SHOWN and readable('x' * 40_000_000).endswith('x...')
    assert len(readable('\x1b' * 40_000_000)) == MAX_SHOWN
    assert readable('x' * MAX_SHOWN) == 'x' * MAX_SHOWN


def test_an_error_about_a_message_is_one_line():
    assert str(WireError('wrong_unit', "unit 'a\n[ERROR] all is lost\x1b[0m'")) == (
        r"unit 'a\n[ERROR] all is lost\x1b[0m'")


def test_no_line_but_the_first_stands_on_its_own():
    assert readable_lines('two lines:\ncooptrack: forged\x1b') == 'two lines:\n  cooptrack: forged\\x1b'


def test_no_markup_of_tables_is_read():
    from rich.console import Console
    from rich.table import Table
    table, out = Table(), io.StringIO()
    table.add_column(for_table('[bold'))
    table.add_row(for_table('[/red][link=http://x]me[/link]\n\x1b[2J'))
    Console(file=out, width=100).print(table)
    assert r'[/red][link=http://x]me[/link]\n\x1b[2J' in out.getvalue() and '[bold' in out.getvalue()


def test_no_formula_is_read_in_pictures():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure()
    figure.suptitle(for_plot(r'$\frac{ $x$ \undefined'))
    FigureCanvasAgg(figure).draw()
