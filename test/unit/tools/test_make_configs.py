"""What is made from the settings classes is up to date, and made right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from make_configs import END, START, products, to_table, with_table

from cooptrack_ros.common.declaration import parameter

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Settings:
    """One parameter of each kind."""

    on: bool = parameter(True, 'switch')
    known: bool | None = parameter(None, 'need not be stated')
    count: int = parameter(3, 'how many', low=1, high=900)
    wait__longest: float = parameter(0.5, 'how long', unit='s', low=0.0, high=60, live=True)
    kind: str = parameter('a', 'which', choices=('a', 'b'))
    name: str = parameter('', 'who')


@pytest.mark.parametrize('path', products(ROOT), ids=lambda path: path.name)
def test_files_agree_with_the_settings(path):
    assert path.read_text(encoding='utf-8') == products(ROOT)[path], 'run python tools/make_configs.py'


def test_table_has_type_default_unit_range_and_meaning():
    assert to_table(Settings).splitlines()[2:] == [
        '| `on` | bool | `true` | | | | switch |',
        '| `known` | bool | none | | | | need not be stated |',
        '| `count` | integer | `3` | | 1 to 900 | | how many |',
        '| `wait.longest` | double | `0.5` | s | 0 to 60 | yes | how long |',
        '| `kind` | string | `a` | | `a`, `b` | | which |',
        '| `name` | string | `""` | | | | who |']


def test_only_what_is_between_the_markers_is_replaced():
    page = f'before\n{START}\nold\n{END}\nafter\n'
    made = with_table(page, Settings)
    assert made.startswith(f'before\n{START}\n\n| parameter |')
    assert made.endswith(f'{END}\nafter\n')
    assert 'old' not in made
    assert with_table(made, Settings) == made


@pytest.mark.parametrize('page', ['', START, f'{END}{START}', f'{START}{END}{START}{END}', f'{START}{START}{END}'])
def test_page_without_both_markers_is_refused(page):
    with pytest.raises(ValueError, match='parameters'):
        with_table(page, Settings)
