"""Weights and arrays."""

from __future__ import annotations

import io
import struct
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from cooptrack_ros.common.config import R50
from cooptrack_ros.common.types import Side
from cooptrack_ros.train.checkpoint import read_training
from cooptrack_ros.train.roadside_cache import load_messages
from cooptrack_ros.weights.convert import check_file
from cooptrack_ros.weights.published_keys import expected_entries
from cooptrack_ros.weights.store import open_model

from ..bomb import Bomb
from ..hollow import MIB, add_zeros, hole

_CARD = {'name': 'bomb', 'configuration': {'preset': 'mini'}}


def _model(folder: Path, **card: object) -> Path:
    (folder / 'card.yaml').write_text(yaml.safe_dump({**_CARD, **card}), encoding='utf-8')
    return folder


def _hollow_weights(start: bytes, folder: Path) -> Path:
    hole('vehicle.safetensors', folder, start=start)
    return _model(folder)


def _long_header(folder: Path) -> Path:
    header = b'{' + b','.join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(1_500_000))
    (folder / 'vehicle.safetensors').write_bytes(struct.pack('<Q', len(header) + 1) + header + b'}')
    return _model(folder)


def _wide_flow(folder: Path) -> Path:
    from safetensors.numpy import save
    data = save({'x': np.zeros(1, np.float32)})
    (folder / 'flow.safetensors').write_bytes(data)
    return _model(folder, sides={'roadside': {'sha256': 'a'}},
                  flow={'sha256': None, 'roadside_sha256': 'a', 'hidden': 500_000})


def _packed_checkpoint(name: str, folder: Path) -> Path:
    """Return a checkpoint whose one tensor is compressed zeros."""
    import torch
    stream = io.BytesIO()
    torch.save({'modules': {}, 'state_dict': {'a': torch.zeros(1)}}, stream)
    path = folder / name
    with zipfile.ZipFile(stream) as good, zipfile.ZipFile(path, 'w') as bad:
        for part in good.infolist():
            content = good.read(part)
            if part.filename.endswith('data/0'):
                add_zeros(bad, part.filename, 512 * MIB)
            else:
                bad.writestr(part.filename, content)
    return path


def _stretched(folder: Path) -> Path:
    """Return a checkpoint with one number that stands for ten thousand million."""
    import torch
    name = next(n for n in expected_entries(R50, Side.VEHICLE) if n.endswith('weight'))
    path = folder / 'bomb.pth'
    torch.save({'state_dict': {name: torch.zeros(1).expand(10**10)}}, path)
    return path


def _header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {'descr': '<f4', 'fortran_order': False, 'shape': shape})
    return stream.getvalue()


def _packed_arrays(folder: Path) -> Path:
    path = folder / 'bomb.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        add_zeros(archive, 'tokens.npy', 512 * MIB, _header((512 * MIB // 4,)))
    return path


def _claimed_arrays(folder: Path) -> Path:
    path = folder / 'bomb.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('tokens.npy', _header((10**12,)))
    return path


def _state(path: Path) -> None:
    open_model(str(path)).state(Side.VEHICLE)


BOMBS = {
    'weights_hole': Bomb('weights, a hole of 20 GB', partial(_hollow_weights, b''), _state),
    'weights_named_hole': Bomb('weights, a hole of 20 GB behind a good header', partial(
        _hollow_weights, struct.pack('<Q', 2) + b'{}'), _state),
    'weights_header': Bomb('weights of 80 MB that are one header', _long_header, _state),
    'flow_hidden': Bomb('card that says a flow of 10^12 numbers', _wide_flow,
                        lambda path: open_model(str(path)).flow()),
    'checkpoint_packed': Bomb('checkpoint of 500 kB that becomes 500 MB', partial(_packed_checkpoint, 'bomb.pth'),
                              lambda path: check_file(path, R50, Side.VEHICLE)),
    'checkpoint_stretched': Bomb('checkpoint of 1 kB whose one number stands for 10^10', _stretched,
                                 lambda path: check_file(path, R50, Side.VEHICLE),
                                 lambda: expected_entries(R50, Side.VEHICLE)),
    'training_packed': Bomb('training checkpoint of 500 kB that becomes 500 MB', partial(
        _packed_checkpoint, 'checkpoint.pt'), read_training),
    'arrays_packed': Bomb('array archive of 500 kB that becomes 500 MB', _packed_arrays, load_messages),
    'arrays_claimed': Bomb('array archive of 300 bytes that says 10^12 numbers', _claimed_arrays, load_messages),
}
