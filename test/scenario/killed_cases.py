"""Commands that write what somebody needs again, and a process in which one is stopped at any of its writes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZE = '64x36'


@dataclass(frozen=True)
class Case:
    """
    One command in a folder of its own.

    ``given`` writes what is there before; ``act`` does it; ``found`` returns what a user has under the final names,
    None for nothing, or raises a UserError.
    """

    given: Callable[[Path], None]
    act: Callable[[Path], None]
    found: Callable[[Path], Any]
    may_lose_old: bool = False
    """Nothing may be left of what was there before; it never is a part of it."""
    needs: tuple[str, ...] = ()
    """Packages that the command cannot do without and the product can."""


def command(*words: str | Path) -> None:
    """Run ``cooptrack``."""
    from cooptrack_ros.cli.main import main
    assert main([str(word) for word in words]) == 0


def tree(folder: Path) -> dict[str, bytes] | None:
    """Return the files of a folder by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()
            } if folder.exists() else None


def messages_of(bag: Path) -> list[tuple[str, int, int]] | None:
    """Return topic, time and length of all messages; what lies between the fields of one differs from run to run."""
    from cooptrack_ros.data.bags.reader import BagReader
    if not bag.exists():
        return None
    with BagReader(bag) as reader:
        return [(c.topic, log_ns, len(data)) for c, log_ns, data in reader.messages(reader.connections)]


def make_scene(folder: Path) -> None:
    """Write a data set."""
    command('synth', folder / 'scene', '--seed', 700, '--seconds', 0.5, '--size', SIZE)


def make_bag(folder: Path) -> None:
    """Write a data set and a bag of it."""
    make_scene(folder)
    command('bag', 'convert', folder / 'scene', '--output', folder / 'bag')


def save(folder: Path, side: str, seed: int) -> None:
    """Write random weights as a training does."""
    import torch
    from support.configs import TINY

    from cooptrack_ros.common.types import Side
    from cooptrack_ros.model.network import CoopTrackNetwork
    from cooptrack_ros.weights.store import save_side
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    save_side(folder / 'model', TINY, Side(side), CoopTrackNetwork(TINY, Side(side)), {})


def save_flow(folder: Path, seed: int) -> None:
    """Write a flow beside the networks as its training does."""
    import torch

    from cooptrack_ros.cooperation.feature_flow import FeatureFlow
    from cooptrack_ros.weights import store_parts
    from cooptrack_ros.weights.store import open_model
    torch.manual_seed(seed)
    package = open_model(str(folder / 'model'))
    store_parts.save_flow(package, FeatureFlow(package.config.embed_dims, 8), {})


def model(folder: Path) -> dict[str, str] | None:
    """Return the identities of all weights of the model, verified."""
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    from cooptrack_ros.weights.verify import verify_side
    if not (folder / 'model/card.yaml').is_file():
        return None
    package, flow = open_model(str(folder / 'model')), None
    sides = [s for s in Side if package.has(s)]
    for side in sides:
        verify_side(package, side)
    if package.has(Side.ROADSIDE):
        flow = package.flow()
    return {**{s.value: package.model_id(s) for s in sides},
            'flow': str([v.tolist() for v in flow.state_dict().values()]) if flow else ''}


def make_checkpoint(folder: Path) -> None:
    """Write a model of the vehicle and a checkpoint of the same network."""
    from support.configs import write_config
    save(folder, 'vehicle', 1)
    command('weights', 'export', folder / 'model', '--out', folder)
    write_config(folder)


def exported(folder: Path) -> dict[str, bytes] | None:
    """Return the files that a description names, and itself."""
    import json
    path = folder / 'onnx/vehicle.json'
    if not path.is_file():
        return None
    names = [part['file'] for part in json.loads(path.read_text(encoding='utf-8'))['parts']]
    return {name: (folder / 'onnx' / name).read_bytes() for name in (*names, path.name)}


def export(folder: Path, content: bytes) -> None:
    """Export the vehicle's network; what the exporter of PyTorch would write is given."""
    from unittest.mock import Mock, patch
    program = Mock(save=lambda path: Path(path).write_bytes(content))
    with patch('torch.onnx.export', return_value=program):
        command('export', '--weights', folder / 'model', '--side', 'vehicle', '--out', folder / 'onnx')


def first_export(folder: Path) -> None:
    """Write a model and export it."""
    save(folder, 'vehicle', 1)
    export(folder, b'old')


def save_messages(folder: Path, count: int) -> None:
    """Write roadside messages as training keeps them."""
    from cooptrack_ros.common.types import InstanceSet
    from cooptrack_ros.train.roadside_cache import save_messages
    save_messages(folder / 'messages.npz', {f'frame {i}': InstanceSet.empty(4) for i in range(count)})


def messages(folder: Path) -> list[str]:
    """Return the frames that there are messages of."""
    from cooptrack_ros.train.roadside_cache import load_messages
    return list(load_messages(folder / 'messages.npz'))


def both_sides(folder: Path) -> None:
    """Write a model of vehicle and roadside with a flow."""
    save(folder, 'vehicle', 1)
    save(folder, 'roadside', 1)
    save_flow(folder, 1)


CASES = {
    'synth': Case(lambda f: None, make_scene, lambda f: tree(f / 'scene')),
    'bag convert': Case(make_scene, lambda f: command('bag', 'convert', f / 'scene', '--output', f / 'bag'),
                        lambda f: messages_of(f / 'bag')),
    'bag cut': Case(make_bag, lambda f: command('bag', 'cut', f / 'bag', '--output', f / 'cut', '--to', 0.3),
                    lambda f: messages_of(f / 'cut')),
    'weights import': Case(
        make_checkpoint, lambda f: command(
            'weights', 'import', f / 'model_veh.pth', '--config', f / 'config.yaml', '--side', 'roadside', '--name',
            'model', '--models', f), model),
    'weights export': Case(
        make_checkpoint, lambda f: (save(f, 'vehicle', 2),
                                    command('weights', 'export', f / 'model', '--out', f))[0],
        lambda f: tree(f)['model_veh.pth']),
    'export of a training': Case(both_sides, lambda f: save(f, 'vehicle', 2), model),
    'flow of a training': Case(both_sides, lambda f: save_flow(f, 2), model),
    'export': Case(first_export, lambda f: export(f, b'new'), exported, may_lose_old=True,
                   needs=('onnx', 'onnxscript')),
    'messages of a training': Case(lambda f: save_messages(f, 1), lambda f: save_messages(f, 2), messages),
}


def log_of(folder: Path) -> Path:
    """Return where a case in a folder writes its output."""
    return folder.with_name(f'{folder.name}.log')


def run(name: str, folder: Path, stop_at: int, answer) -> None:
    """
    Do a case, to be the target of a process; writes in the folder are counted.

    :param stop_at: write before which it stands still until it is killed, 0 for none; the first one has number 1.
    :param answer: gets the number of writes, at the stop or at the end.
    """
    log = os.open(log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    count = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal count
        if not _writes(event, arguments, folder):
            return
        count += 1
        if count == stop_at:
            answer.send(count)
            while True:
                signal.pause()
    sys.addaudithook(watch)
    CASES[name].act(folder)
    answer.send(count)


def _writes(event: str, arguments: tuple, folder: Path) -> bool:
    """Tell whether an audit event of Python opens a file of the folder for writing, moves or removes it."""
    if event == 'open':
        path, mode, flags = arguments
        if isinstance(path, int) or not (set(mode or '') & set('wax+') or flags & (os.O_WRONLY | os.O_RDWR)):
            return False
    elif event == 'os.rename':
        path = arguments[1]
    elif event == 'os.remove':
        path = arguments[0]
    else:
        return False
    return os.fsdecode(path).startswith(f'{folder}{os.sep}')
