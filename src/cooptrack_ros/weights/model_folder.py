"""Weights and the card that names their hash: two files that change as one, whenever the program stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.files import write_atomically
from ..common.reading import dump_yaml
from .weight_files import sha256_of


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
