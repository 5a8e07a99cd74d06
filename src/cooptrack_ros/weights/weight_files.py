"""Files of weights as others may give them: what their headers say is checked before anything of them is read."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..common.errors import UserError
from ..common.reading import MIB
from .wrappers import refuse_placeholder

if TYPE_CHECKING:
    from torch import Tensor, nn

M = TypeVar('M', bound='nn.Module')
MAX_BYTES = 2048 * MIB
"""Ten times the published networks in single precision."""
_MAX_HEADER = 4 * MIB
_BLOCK = MIB


def sha256_of(path: Path) -> str:
    """
    Return the SHA-256 of a file in hexadecimal digits.

    :raises UserError: if it is larger than weights are.
    """
    digest = hashlib.sha256()
    add_file(digest, path)
    return digest.hexdigest()


def add_file(digest: Any, path: Path) -> None:
    """Add the content of a file to a digest of ``hashlib``, block by block; raise a UserError as ``check_size``."""
    check_size(path)
    with path.open('rb') as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)


def check_size(path: Path, expected: int | None = None) -> None:
    """
    See that a file has a size that weights can have; :param expected: bytes that the card names.

    :raises UserError: for any other size.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UserError(f'{path} has {size} bytes, expected weights of at most {MAX_BYTES}')
    if isinstance(expected, int) and size != expected:
        raise UserError(f'{path} is damaged or was replaced: it has {size} bytes, the card says {expected}')


def check_safetensors(path: Path) -> None:
    """
    See that the header of a safetensors file fits into it and is not larger than such headers are.

    :raises UserError: if it is.
    """
    with path.open('rb') as stream:
        length = int.from_bytes(stream.read(8), 'little')
    if not 2 <= length <= min(_MAX_HEADER, path.stat().st_size - 8):
        raise UserError(f'{path} is not a readable safetensors file: its header would have {length} bytes')


def check_torch_file(path: Path) -> None:
    """
    See that nothing in a PyTorch file unfolds: its parts are stored as they are, and together no larger than it.

    Files of PyTorch before 1.6 are no archives; what they hold lies in them as it is.

    :raises UserError: for archives of which that is not true.
    """
    check_size(path)
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f'{path} is not a complete PyTorch file: {error}') from error
    packed = next((part.filename for part in parts if part.file_size != part.compress_size), None)
    if packed is not None:
        raise UserError(f"{path} is no PyTorch file: its part '{packed}' is compressed")
    total = sum(part.file_size for part in parts)
    if total > path.stat().st_size:
        raise UserError(f'{path} is no PyTorch file: its parts have {total} bytes, more than the file')


def checked(path: Path, entry: Mapping[str, Any]) -> Path:
    """Return the path of a file that is what its entry on the card says, if it says anything."""
    if not path.is_file():
        raise UserError(f'{path} is missing, but the card names it')
    refuse_placeholder(path)
    check_size(path, entry.get('bytes'))
    check_safetensors(path)
    expected, actual = entry.get('sha256'), sha256_of(path)
    if expected is not None and expected != actual:
        raise UserError(f'{path} is damaged or was replaced: SHA-256 is {actual}, the card says {expected}')
    return path


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    """Raise a UserError unless a file holds exactly the entries that are expected, in their shapes."""
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    shapes = [f'{k}: {tuple(state[k].shape)} instead of {tuple(v.shape)}'
              for k, v in expected.items() if k in state and state[k].shape != v.shape]
    if missing or unexpected or shapes:
        raise UserError(
            f'{path} does not fit its configuration: {len(missing)} entries missing {missing[:3]}, '
            f'{len(unexpected)} unexpected {unexpected[:3]}, {len(shapes)} of another shape {shapes[:3]}')


def read_entries(path: Path) -> dict[str, Tensor]:
    """Return the entries of a safetensors file that is ``checked``; raise a UserError if it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise UserError(f'{path} is not a readable safetensors file: {error}') from error


def filled(make: Callable[[], M], state: Mapping[str, Tensor], path: Path) -> M:
    """
    Return a module with the entries of a file, in evaluation mode.

    :param make: creates it with the sizes of the card; :param path: of the file, for the error.
    :raises UserError: unless the file holds exactly its entries, in their shapes.
    """
    import torch
    with torch.device('meta'):
        # Nothing is allocated for more than the file holds, whatever the card says.
        check_fit(make().state_dict(), state, path)
    module = make()
    module.load_state_dict({k: state[k].to(v.dtype) for k, v in module.state_dict().items()})
    return module.eval()


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return entries as they are stored: numbers that have fractions as float16."""
    return {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}
