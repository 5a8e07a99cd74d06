"""Optional parts of a model, such as heads: one file beside its networks, with a part for each side that has one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..common.errors import UserError
from ..common.types import Side
from .model_folder import CARD_NAME, read_card, stored, write_with_card
from .weight_files import check_fit, checked

if TYPE_CHECKING:
    from torch import Tensor, nn

M = TypeVar('M', bound='nn.Module')


@dataclass(frozen=True)
class Part:
    """A kind of part: ``name`` is its entry of the card, ``noun`` what it is in words."""

    name: str
    noun: str

    @property
    def file(self) -> str:
        """Name of its file."""
        return f'{self.name}.safetensors'


def is_for(entry: Mapping[str, Any], side: Side, weights_sha256: str) -> bool:
    """Tell whether the entry of a part on a card, which may be empty, has one for these weights of a side."""
    return entry.get('sides', {}).get(side.value, {}).get('weights_sha256') == weights_sha256


def load_part(part: Part, folder: Path, entry: Mapping[str, Any], side: Side, make: Callable[[], M]) -> M:
    """
    Return the part of a side, in evaluation mode.

    :param entry: that of the card; :param make: creates the part with the sizes of the card.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    import torch
    path = checked(stored(folder / part.file, entry['sha256']), entry)
    start = f'{side.value}.'
    state = {k.removeprefix(start): v for k, v in _load(path).items() if k.startswith(start)}
    with torch.device('meta'):
        # Nothing is allocated for more than the file holds, whatever the card says.
        expected = make().state_dict()
    check_fit(expected, state, path)
    module = make()
    module.load_state_dict({k: state[k].to(v.dtype) for k, v in module.state_dict().items()})
    return module.eval()


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
        old = _load(checked(stored(path, entry['sha256']), entry))
        state = {k: v for k, v in old.items() if not k.startswith(start)}
    state |= {start + k: (v.half() if v.is_floating_point() else v).contiguous()
              for k, v in module.state_dict().items()}
    data = save(state)
    sides = entry.get('sides', {}) | {side.value: {'weights_sha256': weights_sha256, **origin}}
    card[part.name] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data), 'sizes': plain, 'sides': sides}
    write_with_card(path, data, entry.get('sha256'), card_path, card)
    return path


def _plain(sizes: Any) -> dict[str, Any]:
    def lists(value: Any) -> Any:
        return [lists(v) for v in value] if isinstance(value, tuple) else value
    return {k: lists(v) for k, v in asdict(sizes).items()}


def _load(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise UserError(f'{path} is not a readable safetensors file: {error}') from error
