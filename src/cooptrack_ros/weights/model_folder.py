"""Weights and the card that names their hash: two files that change as one, whenever the program stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.files import write_atomically
from ..common.reading import dump_yaml, read_yaml
from .weight_files import sha256_of

CARD_NAME = 'card.yaml'
PARTS = ('occupancy', 'lidar')
"""Entries of optional parts, see ``weights.part_file``."""
_FLOW_KEYS, _MAX_HIDDEN = {'sha256', 'roadside_sha256', 'hidden'}, 65536
_BEV_FUSION_KEYS = {'sha256', 'vehicle_sha256', 'roadside_sha256'}


def stored(path: Path, sha256: str | None) -> Path:
    """
    Return where the weights are that the card means: ``path``, or beside it if a writer was stopped before its end.

    :param sha256: what the card says, None for weights that it does not know.
    """
    waiting = _waiting(path)
    return waiting if sha256 is not None and waiting.is_file() and sha256_of(waiting) == sha256 else path


def write_with_card(path: Path, data: bytes, before: str | None, card_path: Path, card: Mapping[str, Any]) -> None:
    """
    Write weights and the card that names their hash.

    The new weights wait beside the old ones until the card is there; until then the card means the old ones, from
    then on ``stored`` finds the new ones.

    :param before: hash of these weights on the card so far, None without.
    """
    waiting = _waiting(path)
    if stored(path, before) == waiting:
        # What a stopped writer left is all there is of the weights on the card.
        waiting.replace(path)
    write_atomically(waiting, data)
    write_atomically(card_path, dump_yaml(card))
    waiting.replace(path)


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + '.new')


def read_card(path: Path) -> dict[str, Any]:
    """Return the content of a model card; raise a UserError if it is none."""
    try:
        card = read_yaml(path)
        if not all(isinstance(side, dict) for side in dict(card.get('sides', {})).values()):
            raise ValueError("'sides' must map the names of sides to what is known of them")
        flow = card.get('flow')
        if flow is not None and not (isinstance(flow, dict) and flow.keys() >= _FLOW_KEYS
                                     and type(flow['hidden']) is int and 0 < flow['hidden'] <= _MAX_HIDDEN):
            raise ValueError(f"'flow' must have {', '.join(sorted(_FLOW_KEYS))}, 'hidden' from 1 to {_MAX_HIDDEN}")
        for name in PARTS:
            part = card.get(name)
            if part is not None and not (isinstance(part, dict) and part.keys() >= {'sha256', 'sizes', 'sides'}
                                         and isinstance(part['sizes'], dict) and isinstance(part['sides'], dict)
                                         and all(isinstance(side, dict) for side in part['sides'].values())):
                raise ValueError(f"'{name}' must have sha256, sizes and sides")
        uncertainty = card.get('uncertainty')
        if uncertainty is not None and not (isinstance(uncertainty, dict)
                                            and isinstance(uncertainty.get('sha256'), str)):
            raise ValueError("'uncertainty' must have sha256")
        fusion = card.get('bev_fusion')
        if fusion is not None and not (isinstance(fusion, dict) and fusion.keys() >= _BEV_FUSION_KEYS):
            raise ValueError(f"'bev_fusion' must have {', '.join(sorted(_BEV_FUSION_KEYS))}")
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f'{path} is not a model card: {error}') from error
    return card
