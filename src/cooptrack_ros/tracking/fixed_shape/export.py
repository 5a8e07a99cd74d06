"""The step of fixed shapes as ONNX files, and a description of what goes in and out."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from ...common.errors import UserError
from ...common.files import write_atomically
from ...common.types import Side
from ...model.bev.geometry import BevGeometry
from ...model.fast.network import FastNetwork
from ...model.network import CoopTrackNetwork
from ..lifecycle import FrameTransform
from .cooperative import CooperativeStep, Layout, Perceived, Slots
from .step import FrameStep, StepInput, StepState

_FRAME = (*(n for n in StepInput._fields if n not in ('frame_transform', 'next_id')), *FrameTransform._fields,
          'next_id')
_CALIBRATION = ('pillars', 'visible')
_CARRIED = tuple(n for n in Perceived._fields if n not in ('bev', 'decoder_scores', 'reported', 'logits'))
"""What the second cooperative part takes from the first; the rest is for the host and the next frame."""
_LAST = 'last_'
"""Put before the names of the state that a frame starts from; what it leaves has the names without."""


@dataclass(frozen=True)
class Capacity:
    """Sizes that are fixed in an exported file."""

    cameras: int = 1
    units: int = 1
    slots: int = 64
    """Instances of each unit."""


@dataclass(frozen=True)
class _Part:
    """One file: a function of named tensors, which are grouped by where they come from."""

    name: str
    function: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    inputs: dict[str, dict[str, Tensor]]


class _Module(nn.Module):
    """A part as the exporter wants it, with the weights where it finds them."""

    def __init__(self, part: _Part, network: nn.Module):
        super().__init__()
        self._names, self._function, self.network = list(_flat(part.inputs)), part.function, network

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._function(dict(zip(self._names, tensors, strict=True))).values())


def export(network: CoopTrackNetwork, folder: Path, title: dict[str, Any], capacity: Capacity) -> list[Path]:
    """
    Write the frame of a network, on a CPU, as one ONNX file, or two for the cooperative side, and a description.

    The description is there only with the files that it describes, also when the program is stopped.

    :param title: is put at the head of the description.
    :returns: the files.
    :raises UserError: if the packages for it are missing, or fusion takes place before the decoder.
    """
    missing = [name for name in ('onnx', 'onnxscript') if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"export needs {' and '.join(missing)}: pip install onnx onnxscript")
    if network.config.method.fusion_stage != 'after_decoder':
        raise UserError('only networks that fuse after the decoder can be exported')
    # It reports every package that it can do without.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    network = network.eval().requires_grad_(False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{network.side.value}.json'
    with torch.no_grad(), TemporaryDirectory(prefix='.export.', dir=folder) as scratch:
        parts = _parts(FrameStep(FastNetwork(network, fixed=True)), capacity)
        entries = [_write(part, network, Path(scratch)) for part in parts]
        files = [folder / entry['file'] for entry in entries]
        path.unlink(missing_ok=True)
        for file in files:
            (Path(scratch) / file.name).replace(file)
    write_atomically(path, json.dumps({**title, **_description(network, capacity), 'parts': entries}, indent=1) + '\n')
    return [*files, path]


def _description(network: CoopTrackNetwork, capacity: Capacity) -> dict[str, Any]:
    config, side = network.config, network.side
    settings = config.tracker_of(side)
    values = {
        'side': side.value, 'classes': list(config.class_names), 'queries': config.num_queries,
        'cameras': capacity.cameras, 'input_size': list(config.input_size), 'bev_size': list(config.bev_size),
        'range_m': list(config.range_of(side).pc_range), 'score_threshold': settings.score_threshold,
        'output_threshold': settings.output_threshold, 'reset_gap_s': settings.reset_gap_s}
    if side is Side.COOPERATIVE:
        values |= {'units': capacity.units, 'slots': capacity.slots}
    return values


def _parts(step: FrameStep, capacity: Capacity) -> list[_Part]:
    config, side = step.network.config, step.network.side
    cells = torch.arange(config.bev_size[0] * config.bev_size[1])

    def seen(t: dict[str, Tensor]) -> tuple[StepState, StepInput, BevGeometry]:
        frame_transform = FrameTransform(*(t[n] for n in FrameTransform._fields))
        inputs = StepInput(*(frame_transform if n == 'frame_transform' else t[n] for n in StepInput._fields))
        return (StepState(*(t[_LAST + n] for n in StepState._fields)), inputs,
                BevGeometry(t['pillars'][None], t['visible'][None], (cells,) * capacity.cameras))
    groups = {'state': {_LAST + n: v for n, v in step.initial()._asdict().items()},
              'frame': _frame(config, capacity.cameras), 'calibration': _calibration(config, capacity.cameras)}
    if side is Side.COOPERATIVE:
        return _cooperative_parts(CooperativeStep(step), groups, seen, capacity)
    return [_Part(side.value, lambda t: step(*seen(t))._asdict(), groups)]


def _cooperative_parts(cooperative: CooperativeStep, groups: dict[str, dict[str, Tensor]], seen: Callable,
                       capacity: Capacity) -> list[_Part]:
    config, count = cooperative.step.network.config, capacity.units * capacity.slots
    widths = (*(config.embed_dims,) * 3, 3, 10, len(config.class_names))
    blank = Slots(*(torch.zeros(capacity.units, capacity.slots, w) for w in widths),
                  torch.eye(4).repeat(capacity.units, 1, 1))
    # What boxes candidates have matters in the second part only, what they are where that is a matter of opinion.
    later = ('received_codes', 'received_logits')
    second_takes = ('received_ref_points', *(later if config.method.cooperation == 'additions' else later[:1]))
    received = {f'received_{n}': v for n, v in blank._asdict().items()}
    layout = Layout(*(torch.zeros(n, dtype=torch.int64) for n in (count, count, *(config.num_queries,) * 2)))
    unused = torch.zeros(0)

    def first(t: dict[str, Tensor]) -> dict[str, Tensor]:
        state, inputs, geometry = seen(t)
        slots = Slots(*(t.get(f'received_{n}', blank.codes) for n in Slots._fields))
        return cooperative.first(state, inputs, slots, geometry)._asdict()

    def second(t: dict[str, Tensor]) -> dict[str, Tensor]:
        perceived = Perceived(**{n: t[n] for n in _CARRIED}, bev=unused, decoder_scores=unused, reported=unused,
                              logits=unused)
        slots = blank._replace(**{n.removeprefix('received_'): t[n] for n in second_takes})
        result = cooperative.second(perceived, slots, Layout(*(t[n] for n in Layout._fields)), t['next_id'])
        return {n: v for n, v in result._asdict().items() if n != 'bev'}
    groups = {**groups, 'messages': {n: v for n, v in received.items() if n not in later}}
    perceived = first(_flat(groups))
    return [_Part('cooperative_first', first, groups),
            _Part('cooperative_second', second, {
                'first': {n: perceived[n] for n in _CARRIED},
                'messages': {n: received[n] for n in second_takes},
                'layout': layout._asdict(), 'frame': {'next_id': groups['frame']['next_id']}})]


def _frame(config: Any, cameras: int) -> dict[str, Tensor]:
    rows, columns = config.bev_size
    eye = torch.eye(3)
    values = StepInput(
        torch.zeros(cameras, 3, *config.input_size), torch.zeros(1, 18), torch.zeros(1, 2),
        torch.zeros(1, rows, columns, 2), torch.tensor([True]), torch.arange(config.num_queries), torch.zeros(1),
        FrameTransform(eye, torch.zeros(3), torch.zeros(3), eye.clone()), torch.tensor([1]))
    known = {**values._asdict(), **values.frame_transform._asdict()}
    return {n: known[n] for n in _FRAME}


def _calibration(config: Any, cameras: int) -> dict[str, Tensor]:
    shape = (cameras, config.bev_size[0] * config.bev_size[1], config.pillar_heights)
    return dict(zip(_CALIBRATION, (torch.full((*shape, 2), 0.5), torch.ones(shape, dtype=torch.bool)), strict=True))


def _flat(groups: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {n: v for group in groups.values() for n, v in group.items()}


def _write(part: _Part, network: CoopTrackNetwork, folder: Path) -> dict[str, Any]:
    """Write one file; return its entry in the description."""
    inputs = _flat(part.inputs)
    with warnings.catch_warnings():
        # The exporter warns of its own use of deprecated functions.
        warnings.simplefilter('ignore')
        outputs = part.function(inputs)
        results = {n if n not in inputs else f'new_{n}': v for n, v in outputs.items()}
        program = torch.onnx.export(
            _Module(part, network), tuple(inputs.values()), input_names=list(inputs), output_names=list(results),
            dynamo=True, verbose=False)
    path = folder / f'{part.name}.onnx'
    program.save(str(path))
    return {'file': path.name,
            'inputs': [{**_entry(n, v), 'from': group} for group, named in part.inputs.items()
                       for n, v in named.items()],
            'outputs': [_entry(n, v) for n, v in results.items()]}


def _entry(name: str, tensor: Tensor) -> dict[str, Any]:
    return {'name': name, 'type': str(tensor.dtype).removeprefix('torch.'), 'shape': list(tensor.shape)}
