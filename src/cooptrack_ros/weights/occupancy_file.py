"""Occupancy heads of a model: one file beside its networks, with a head for each side that has one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.config import ModelConfig, apply_overrides
from ..common.errors import UserError
from ..common.types import Side
from ..model.occupancy.head import OccupancyHead
from ..model.occupancy.sizes import TRACKOCC_R50, OccupancySizes
from ..occupancy.grids import GRIDS
from .model_folder import CARD_NAME, read_card, stored, write_with_card
from .weight_files import check_fit, checked

if TYPE_CHECKING:
    from torch import Tensor

OCCUPANCY_NAME = 'occupancy.safetensors'
_MOST = 4096
"""Of any size of a head."""


def load_head(folder: Path, entry: Mapping[str, Any], config: ModelConfig, side: Side,
              weights_sha256: str) -> OccupancyHead | None:
    """
    Return the head of a side, in evaluation mode; None if the card lists none for these weights of the side.

    :param entry: that of the card.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    import torch
    if entry['sides'].get(side.value, {}).get('weights_sha256') != weights_sha256:
        return None
    card = folder / CARD_NAME
    sizes = _sizes(entry, card)
    path = checked(stored(folder / OCCUPANCY_NAME, entry['sha256']), entry)
    start = f'{side.value}.'
    state = {k.removeprefix(start): v for k, v in _load(path).items() if k.startswith(start)}
    with torch.device('meta'):
        # Nothing is allocated for more than the file holds, whatever the card says.
        expected = _head(config, sizes, card).state_dict()
    check_fit(expected, state, path)
    head = OccupancyHead(config, sizes)
    head.load_state_dict({k: state[k].to(v.dtype) for k, v in head.state_dict().items()})
    return head.eval()


def save_head(folder: Path, side: Side, weights_sha256: str, head: OccupancyHead, origin: dict[str, Any]) -> Path:
    """
    Write the head of a side as float16 and enter it in the card; heads of other sides stay.

    :param weights_sha256: of the network of that side.
    :param origin: training and measured figures, plain data for the card. :returns: the weights file.
    :raises UserError: for a head that follows things of its own, and if there are heads of other sizes.
    """
    from safetensors.torch import save
    if head.sizes.queries != 'tracker':
        raise UserError('a head with queries of its own is used from its run folder; a model has those of its tracker')
    path, card_path = folder / OCCUPANCY_NAME, folder / CARD_NAME
    card, start, sizes = read_card(card_path), f'{side.value}.', _plain(head.sizes)
    entry = card.get('occupancy', {})
    state = {}
    if entry:
        if entry['sizes'] != sizes:
            raise UserError(f"{path} holds heads of other sizes ({entry['sizes']}); these are {sizes}")
        old = _load(checked(stored(path, entry['sha256']), entry))
        state = {k: v for k, v in old.items() if not k.startswith(start)}
    state |= {start + k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in head.state_dict().items()}
    data = save(state)
    sides = entry.get('sides', {}) | {side.value: {'weights_sha256': weights_sha256, **origin}}
    card['occupancy'] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data), 'sizes': sizes,
                         'sides': sides}
    write_with_card(path, data, entry.get('sha256'), card_path, card)
    return path


def _plain(sizes: OccupancySizes) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(sizes).items()}


def _sizes(entry: Mapping[str, Any], card: Path) -> OccupancySizes:
    """Return the sizes on a card."""
    try:
        sizes = apply_overrides(TRACKOCC_R50, dict(entry['sizes']), 'occupancy.sizes.')
        numbers = [n for name, v in asdict(sizes).items() if name not in ('profile', 'thing_queries')
                   for n in (v if isinstance(v, tuple) else (v,))]
        if sizes.profile not in GRIDS or sizes.thing_queries or not all(0 < n <= _MOST for n in numbers):
            raise ValueError(f'profile must be one of {", ".join(GRIDS)}, thing_queries 0, other numbers 1 to {_MOST}')
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{card}: occupancy.sizes are none of a head: {error}') from error
    return sizes


def _head(config: ModelConfig, sizes: OccupancySizes, card: Path) -> OccupancyHead:
    try:
        return OccupancyHead(config, sizes)
    except (ValueError, ZeroDivisionError) as error:
        raise UserError(f'{card}: its occupancy head does not fit its network: {error}') from error


def _load(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise UserError(f'{path} is not a readable safetensors file: {error}') from error
