"""The encoder of point clouds in a file of its own, as a pretraining leaves it for trackers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import UserError
from ..common.files import write_atomically
from .weight_files import check_safetensors, check_size

if TYPE_CHECKING:
    from ..model.lidar.encoder import PillarEncoder

ENCODER_NAME = 'encoder.safetensors'


def save_encoder(path: Path, encoder: PillarEncoder, origin: Mapping[str, Any]) -> None:
    """Write the weights of an encoder in full precision; :param origin: where they come from, plain data."""
    from safetensors.torch import save
    state = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    write_atomically(path, save(state, {'origin': json.dumps(origin)}))


def load_encoder(source: Path, encoder: PillarEncoder) -> None:
    """
    Give an encoder the weights of a file, or of the run folder that holds one; every entry must be there and fit.

    :raises UserError: if there is no such file, or it holds anything else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    path = source / ENCODER_NAME if source.is_dir() else source
    if not path.is_file():
        raise UserError(f'{path} is missing: expected is the encoder that `cooptrack train lidar-pretraining` leaves '
                        'at its end')
    check_size(path)
    check_safetensors(path)
    try:
        encoder.load_state_dict(load_file(str(path)))
    except (SafetensorError, RuntimeError) as error:
        reason = ' '.join(str(error).split())[:300]
        raise UserError(f'{path} is no encoder of these sizes: {reason}') from error
