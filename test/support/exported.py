"""Exported steps in onnxruntime, frame by frame, as a program without PyTorch would run them."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import torch

from cooptrack_ros.tracking.fixed_shape.cooperative import Layout, Perceived, Slots
from cooptrack_ros.tracking.fixed_shape.step import StepInput, StepResult, StepState


class Exported:
    """The files of one side, with the functions of the steps that they are made from."""

    def __init__(self, folder: Path, side: str):
        """Load the files that the description names."""
        self.description = json.loads((folder / f'{side}.json').read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._sessions = [onnxruntime.InferenceSession(str(folder / part['file']), options)
                          for part in self.description['parts']]

    def alone(self, state: StepState, inputs: StepInput, geometry) -> StepResult:
        """Do what ``FrameStep`` does."""
        return StepResult(**self._run(0, self._given(state, inputs, geometry)))

    def first(self, state: StepState, inputs: StepInput, slots: Slots, geometry) -> Perceived:
        """Do what the first part of ``CooperativeStep`` does."""
        return Perceived(**self._run(0, {**self._given(state, inputs, geometry), **_received(slots)}))

    def second(self, perceived: Perceived, slots: Slots, layout: Layout, next_id) -> StepResult:
        """Do what its second part does."""
        given = {**perceived._asdict(), **_received(slots), **layout._asdict(), 'next_id': next_id}
        return StepResult(**self._run(1, given), bev=perceived.bev)

    @staticmethod
    def _given(state, inputs, geometry):
        return {**{f'last_{n}': v for n, v in state._asdict().items()}, **inputs._asdict(),
                **inputs.frame_transform._asdict(), 'pillars': geometry.points[0], 'visible': geometry.visible[0]}

    def _run(self, part, given):
        names = [entry['name'] for entry in self.description['parts'][part]['outputs']]
        wanted = {entry['name']: given[entry['name']].numpy() for entry in self.description['parts'][part]['inputs']}
        values = self._sessions[part].run(names, wanted)
        return {name.removeprefix('new_'): torch.from_numpy(v) for name, v in zip(names, values, strict=True)}


def _received(slots):
    return {f'received_{n}': v for n, v in slots._asdict().items()}
