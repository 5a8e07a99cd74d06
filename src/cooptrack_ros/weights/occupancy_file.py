"""Occupancy heads of a model: one file beside its networks, with a head for each side that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.config import ModelConfig, apply_overrides
from ..common.errors import UserError
from ..common.types import Side
from ..model.occupancy.head import OccupancyHead
from ..model.occupancy.sizes import TRACKOCC_R50, OccupancySizes
from ..occupancy.grids import GRIDS
from .model_folder import CARD_NAME
from .part_file import Part, is_for, load_part, save_part

PART = Part('occupancy', 'occupancy head')
OCCUPANCY_NAME = PART.file
_MOST = 4096
"""Of any size of a head."""


def load_head(folder: Path, entry: Mapping[str, Any], config: ModelConfig, side: Side,
              weights_sha256: str) -> OccupancyHead | None:
    """
    Return the head of a side, in evaluation mode; None if the card lists none for these weights of the side.

    :param entry: that of the card.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    if not is_for(entry, side, weights_sha256):
        return None
    card = folder / CARD_NAME
    sizes = _sizes(entry, card)
    return load_part(PART, folder, entry, side, lambda: _head(config, sizes, card))


def save_head(folder: Path, side: Side, weights_sha256: str, head: OccupancyHead, origin: dict[str, Any]) -> Path:
    """
    Write the head of a side as float16 and enter it in the card; heads of other sides stay.

    :param weights_sha256: of the network of that side.
    :param origin: training and measured figures, plain data for the card. :returns: the weights file.
    :raises UserError: for a head that follows things of its own, and if there are heads of other sizes.
    """
    if head.sizes.queries != 'tracker':
        raise UserError('a head with queries of its own is used from its run folder; a model has those of its tracker')
    return save_part(PART, folder, side, weights_sha256, head, head.sizes, origin)


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
