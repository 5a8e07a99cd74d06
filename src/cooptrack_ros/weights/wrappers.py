"""What other tools put around a state, and files that only stand for weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

STATE_KEYS = ('state_dict', 'model_state_dict', 'model')
"""Under which checkpoints hold their entries; the first that is there counts."""
_PREFIXES = ('module.', 'model.', '_orig_mod.', 'ema_')
_COPIES = 'ema_'
_LFS = b'version https://git-lfs.github.com/spec/'
_HTML = (b'<!doctype html', b'<html', b'<?xml')


def refuse_placeholder(path: Path) -> None:
    """
    See that a file holds weights and does not only stand for them.

    :raises UserError: for a pointer of Git LFS and for a page of a website, which says how to get the file.
    """
    with path.open('rb') as stream:
        start = stream.read(512).lstrip()
    if start.startswith(_LFS):
        raise UserError(f'{path} is a pointer of Git LFS, not the weights: fetch them with `git lfs pull`')
    if start.lower().startswith(_HTML):
        raise UserError(f'{path} is a page of a website, not the weights: the download needs a login or another '
                        'address, open it in a browser')


def entries_of(content: Mapping[Any, Any]) -> tuple[Any, str]:
    """Return what holds the entries of a checkpoint, and under which key; the content itself without one."""
    for key in STATE_KEYS:
        if isinstance(content.get(key), Mapping):
            return content[key], key
    return content, ''


def unwrapped(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """
    Return entries under the names of the network itself, and what was done for it.

    Wrappers for several GPUs, for compilation and for averages put a prefix before every name. Averages may also lie
    beside the weights, as ``ema_NAME`` with underscores; then the weights themselves count.
    """
    done = []
    while prefix := next((p for p in _PREFIXES if state and all(n.startswith(p) for n in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        done.append(f"the prefix '{prefix}' was taken off all names")
    own = {name: value for name, value in state.items() if not name.startswith(_COPIES)}
    copies = {_COPIES + name.replace('.', '_') for name in own}
    if len(own) < len(state) and all(name in copies for name in state.keys() - own.keys()):
        done.append(f"{len(state) - len(own)} averages '{_COPIES}*' beside the weights were left out")
        state = own
    return dict(state), tuple(done)
