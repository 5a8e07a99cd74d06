"""Occupancy heads of a model: one file beside its networks, with a head for each side that has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.config import ModelConfig
from ..common.errors import UserError
from ..common.types import Side
from ..model.occupancy.head import OccupancyHead
from ..model.occupancy.sizes import TRACKOCC_R50
from ..occupancy.grids import GRIDS
from .part_file import Part, load_part, save_part

PART = Part('occupancy', 'occupancy head', TRACKOCC_R50, zero=('thing_queries',), words={'profile': GRIDS})
OCCUPANCY_NAME = PART.file


def load_head(folder: Path, entry: Mapping[str, Any], config: ModelConfig, side: Side,
              weights_sha256: str) -> OccupancyHead | None:
    """
    Return the head of a side, in evaluation mode; None if the card lists none for these weights of the side.

    :param entry: that of the card.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    return load_part(PART, folder, entry, side, weights_sha256, lambda sizes: OccupancyHead(config, sizes))


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
