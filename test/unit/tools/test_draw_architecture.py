"""The drawing of the layers and the table beside it say what the check of the layers allows."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / 'tools'))

from draw_architecture import describe, draw, imports_of, listing, package, rows_of, table_of, with_listing  # noqa: E402

LAYERS = (('common',), ('cooperation', 'model'), ('tracking',), ('data',))
MAY = {name: {n for row in LAYERS[:level] for n in row} for level, row in enumerate(LAYERS) for name in row}
TABLE = table_of({*MAY, 'cli'}, MAY.get)


def test_the_drawing_is_of_the_present_table():
    table, _ = package()
    assert describe(table) in (ROOT / 'docs/architecture.svg').read_text(encoding='utf-8')


def test_the_page_has_the_present_table():
    page = (ROOT / 'docs/architecture.md').read_text(encoding='utf-8')
    assert page == with_listing(page, listing(*package()))


def test_every_folder_is_in_the_table_and_says_what_it_holds():
    table, summaries = package()
    folders = {path.parent.name for path in (ROOT / 'src/cooptrack_ros').glob('*/__init__.py')}
    assert folders == set(table)
    assert [name for name in table if not summaries[name]] == []


def test_a_folder_stands_above_all_that_it_may_import():
    assert rows_of(TABLE) == [*map(list, LAYERS), ['cli']]
    assert imports_of('tracking', TABLE, rows_of(TABLE)) == 'all layers below'
    assert imports_of('common', TABLE, rows_of(TABLE)) == 'nothing of the package'


def test_folders_that_import_each_other_share_a_row():
    table = {'a': {'b'}, 'b': {'a'}, 'c': {'a'}}
    assert rows_of(table) == [['a', 'b'], ['c']]
    assert imports_of('c', table, rows_of(table)) == 'a'


def test_every_folder_is_drawn():
    written = {text.get_text() for text in draw(TABLE, {}).axes[0].texts}
    assert set(TABLE) <= written
