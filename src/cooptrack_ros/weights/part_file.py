"""Optional parts of a model, such as heads: one file beside its networks, with a part for each side that has one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..common.config import apply_overrides
from ..common.errors import UserError
from ..common.types import Side
from .model_folder import CARD_NAME, read_card, stored, write_with_card
from .weight_files import checked, filled, halved, read_entries

if TYPE_CHECKING:
    from torch import nn

M = TypeVar('M', bound='nn.Module')
_MOST = 4096
"""Of any size of a part."""


@dataclass(frozen=True)
class Part:
    """
    A kind of part: ``name`` is its entry of the card, ``noun`` what it is in words, ``usual`` any sizes of that kind.

    Beside numbers from 1 on there may be ``zero`` ones, which must be 0, and ``words``, each one of some.
    """

    name: str
    noun: str
    usual: Any
    zero: tuple[str, ...] = ()
    words: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of its file."""
        return f'{self.name}.safetensors'

    def sizes(self, entry: Mapping[str, Any], card: Path) -> Any:
        """
        Return the sizes in an entry of a card.

        :raises UserError: if they are none.
        """
        try:
            sizes = apply_overrides(self.usual, dict(entry['sizes']), f'{self.name}.sizes.')
            values = asdict(sizes)
            if not (all(values[name] in words for name, words in self.words.items())
                    and not any(values[name] for name in self.zero)
                    and all(0 < n <= _MOST for name, v in values.items() if name not in self.zero
                            for n in _numbers(v))):
                raise ValueError(self._expected())
        except (KeyError, TypeError, ValueError, UserError) as error:
            raise UserError(f'{card}: {self.name}.sizes are none of its {self.noun}: {error}') from error
        return sizes

    def _expected(self) -> str:
        others = [f"{name} must be one of {', '.join(words)}" for name, words in self.words.items()]
        others += [f'{name} 0' for name in self.zero]
        numbers = 'other numbers' if others else 'numbers must be'
        return ', '.join([*others, f'{numbers} 1 to {_MOST}'])


def _numbers(value: Any) -> list[int]:
    """Return the numbers in a value, which may be nested; a text has none."""
    if isinstance(value, (list, tuple)):
        return [n for part in value for n in _numbers(part)]
    return [] if isinstance(value, str) else [value]


def is_for(entry: Mapping[str, Any], side: Side, weights_sha256: str) -> bool:
    """Tell whether the entry of a part on a card, which may be empty, has one for these weights of a side."""
    return entry.get('sides', {}).get(side.value, {}).get('weights_sha256') == weights_sha256


def load_part(part: Part, folder: Path, entry: Mapping[str, Any], side: Side, weights_sha256: str,
              make: Callable[[Any], M]) -> M | None:
    """
    Return the part of a side, in evaluation mode; None if the card lists none for these weights of the side.

    :param entry: that of the card; :param make: creates a part of given sizes.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    if not is_for(entry, side, weights_sha256):
        return None
    card = folder / CARD_NAME
    sizes = part.sizes(entry, card)

    def made() -> M:
        try:
            return make(sizes)
        except (ValueError, ZeroDivisionError) as error:
            raise UserError(f'{card}: its {part.noun} does not fit its network: {error}') from error
    path = checked(stored(folder / part.file, entry['sha256']), entry)
    start = f'{side.value}.'
    state = {k.removeprefix(start): v for k, v in read_entries(path).items() if k.startswith(start)}
    return filled(made, state, path)


def save_part(part: Part, folder: Path, side: Side, weights_sha256: str, module: nn.Module, sizes: Any,
              origin: Mapping[str, Any]) -> Path:
    """
    Write the part of a side as float16 and enter it in the card; parts of other sides stay.

    :param weights_sha256: of the network of that side; :param sizes: a dataclass.
    :param origin: training and measured figures, plain data for the card. :returns: the weights file.
    :raises UserError: if there are parts of other sizes.
    """
    from safetensors.torch import save
    path, card_path = folder / part.file, folder / CARD_NAME
    card, start, plain = read_card(card_path), f'{side.value}.', _plain(sizes)
    entry = card.get(part.name, {})
    state = {}
    if entry:
        if entry['sizes'] != plain:
            raise UserError(f"{path}: the sizes of its {part.noun} are {entry['sizes']}, those of this one {plain}")
        old = read_entries(checked(stored(path, entry['sha256']), entry))
        state = {k: v for k, v in old.items() if not k.startswith(start)}
    state |= {start + k: v for k, v in halved(module.state_dict()).items()}
    data = save(state)
    sides = entry.get('sides', {}) | {side.value: {'weights_sha256': weights_sha256, **origin}}
    card[part.name] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data), 'sizes': plain, 'sides': sides}
    write_with_card(path, data, entry.get('sha256'), card_path, card)
    return path


def _plain(sizes: Any) -> dict[str, Any]:
    def lists(value: Any) -> Any:
        return [lists(v) for v in value] if isinstance(value, tuple) else value
    return {k: lists(v) for k, v in asdict(sizes).items()}
