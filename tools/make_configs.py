"""Write what is made from the settings classes of the nodes: files in config/ and tables in docs/."""

from __future__ import annotations

import sys
from dataclasses import Field, dataclass, fields
from pathlib import Path

from cooptrack_ros.nodes.settings import (
    EgoSettings,
    LinkEmulatorSettings,
    RoadsideSettings,
    Settings,
    ros_name,
    to_yaml,
)

START, END = '<!-- parameters -->', '<!-- /parameters -->'
"""What is between these in a page is made here."""
_TYPES = {'bool': 'bool', 'int': 'integer', 'float': 'double', 'str': 'string'}
"""Names of ROS parameter types by those of Python."""
_HEAD = ('parameter', 'type', 'default', 'unit', 'allowed', 'live', 'meaning')


@dataclass(frozen=True)
class Product:
    """A node with its settings, its parameter file and its page, relative to the repository."""

    settings: Settings
    node: str
    config: str
    page: str


PRODUCTS = (Product(EgoSettings, 'ego_node', 'config/ego.yaml', 'docs/ego_node.md'),
            Product(RoadsideSettings, 'roadside_node', 'config/roadside.yaml', 'docs/roadside_node.md'),
            Product(LinkEmulatorSettings, 'link_emulator', 'config/link_emulator.yaml', 'docs/link_emulator.md'))


def to_table(settings: Settings) -> str:
    """Return all parameters of a node as a Markdown table."""
    head, *rows = (f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in row)}|\n"
                   for row in (_HEAD, *map(_row, fields(settings))))
    return head + '|---' * len(_HEAD) + '|\n' + ''.join(rows)


def _row(item: Field) -> tuple[str, ...]:
    meta = item.metadata
    allowed = ', '.join(f'`{choice}`' for choice in meta['choices'])
    if meta['low'] is not None:
        allowed = f"{meta['low']:g} to {meta['high']:g}"
    return (f'`{ros_name(item)}`', _TYPES[item.type.removesuffix(' | None')], _default(item.default), meta['unit'],
            allowed, 'yes' if meta['live'] else '', meta['description'].replace('|', '\\|'))


def _default(value: object) -> str:
    """Return a default as a YAML file would have it."""
    if value is None:
        return 'none'
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    return '`""`' if value == '' else f'`{value}`'


def with_table(page: str, settings: Settings) -> str:
    """
    Return the text of a page with the present table between its markers.

    :raises ValueError: if the page does not have both markers once, in order.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in before + after:
        raise ValueError(f"expected one '{START}' and one '{END}' after it")
    return f'{before}{START}\n\n{to_table(settings)}\n{END}{after}'


def products(root: Path) -> dict[Path, str]:
    """Return the text that every made file should have."""
    made = {}
    for product in PRODUCTS:
        made[root / product.config] = to_yaml(product.settings, product.node)
        page = root / product.page
        made[page] = with_table(page.read_text(encoding='utf-8'), product.settings)
    return made


def main() -> int:
    """Write all files."""
    for path, text in products(Path(__file__).resolve().parents[1]).items():
        path.write_text(text, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
