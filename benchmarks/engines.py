"""
The same frames through inference engines and through our fast path: processor time of one thread.

    python -m pip install --target /tmp/engines onnx onnxscript onnxruntime openvino
    rm -rf /tmp/engines/numpy* /tmp/engines/scipy*          # those of the environment are used
    PYTHONPATH=/tmp/engines python benchmarks/engines.py --config mini --json benchmarks/results/engines_mini.json
    PYTHONPATH=/tmp/engines python benchmarks/engines.py --config r50 --threads 1 --frames 10 \
        --json benchmarks/results/engines_r50.json

The step of fixed shapes is exported (`cooptrack export`) and run by ONNX Runtime and OpenVINO; what the host does for a
frame is that of our own tracker of fixed shapes. All take turns with each frame, from the image to the boxes, so that a
busy machine disturbs all alike. Processor time is that of the whole process, which the engines are told to do with one
thread. What they report is compared with what the fast path reports.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from steps import prepared, step_arguments, store
from torch import Tensor

from cooptrack_ros.bench.agreement import Agreement
from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.bench.timing import statistics_ms
from cooptrack_ros.common.types import Side
from cooptrack_ros.tracking.execution import make_tracker
from cooptrack_ros.tracking.fixed_shape.export import Capacity, export
from cooptrack_ros.tracking.fixed_shape.step import StepInput, StepResult, StepState
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.tracking.tracker import AgentTracker

SCHEMA = 'cooptrack-bench-engines/1'
OURS = 'fast'
_NEEDED = ('onnx', 'onnxscript')
_WARMUP = 8
"""Frames until the graphs of the fast path are made."""

Run = Callable[[dict[str, np.ndarray]], list[np.ndarray]]
"""Takes inputs by name, returns the outputs in the order of the file."""


def onnx_runtime(path: Path) -> Run:
    """Return a file in ONNX Runtime."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda given: session.run(None, given)


def openvino(path: Path) -> Run:
    """Return a file in OpenVINO."""
    import openvino as ov
    compiled = ov.Core().compile_model(str(path), 'CPU', {
        'INFERENCE_NUM_THREADS': 1, 'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f32'})
    request = compiled.create_infer_request()

    def run(given: dict[str, np.ndarray]) -> list[np.ndarray]:
        request.infer(given)
        # The next frame writes to the same place.
        return [request.get_output_tensor(i).data.copy() for i in range(len(compiled.outputs))]
    return run


ENGINES: dict[str, Callable[[Path], Run]] = {'onnxruntime': onnx_runtime, 'openvino': openvino}


class _Program:
    """Takes the place of the program of a ``StepTracker``."""

    def __init__(self, program: Any, part: dict[str, Any], run: Run):
        self.step, self.geometry, self._part, self._run = program.step, program.geometry, part, run

    def alone(self, state: StepState, inputs: StepInput) -> StepResult:
        given: dict[str, Tensor] = {
            **{f'last_{n}': v for n, v in state._asdict().items()}, **inputs._asdict(),
            **inputs.frame_transform._asdict(), 'pillars': self.geometry.points[0], 'visible': self.geometry.visible[0]}
        values = self._run({entry['name']: given[entry['name']].numpy() for entry in self._part['inputs']})
        return StepResult(**{entry['name'].removeprefix('new_'): torch.from_numpy(value)
                             for entry, value in zip(self._part['outputs'], values, strict=True)})


class EngineTracker(StepTracker):
    """A tracker whose frames an engine computes."""

    def __init__(self, *network: Any, part: dict[str, Any], run: Run):
        """Take the arguments of ``StepTracker``, the description of the exported file, and what runs it."""
        super().__init__(*network, fixed=True)
        self._engine = part, run

    def _program_for(self, inputs: Any) -> Any:
        return _Program(super()._program_for(inputs), *self._engine)


def measure(trackers: dict[str, AgentTracker], scene: BenchScene, frames: int) -> dict[str, Any]:
    """Return processor times of every tracker, beside those of the fast path in the same frame, and how they agree."""
    states = {name: tracker.initial() for name, tracker in trackers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in trackers}
    agreement = {name: Agreement() for name in trackers if name != OURS}
    names = list(trackers)
    for index in range(_WARMUP + frames):
        frame, said = scene.frame(index), {}
        first = index % len(names)
        for name in [*names[first:], *names[:first]]:
            started = time.process_time()
            states[name], said[name] = trackers[name].step(states[name], frame)
            seconds[name].append(time.process_time() - started)
        for name, differences in agreement.items():
            differences.add(said[OURS].tracks, said[name].tracks)
    times = {name: np.array(values[_WARMUP:]) for name, values in seconds.items()}
    return {'engines': {name: {'cpu_ms': statistics_ms(values), 'over_fast': float(np.median(values / times[OURS]))}
                        for name, values in times.items()},
            'differences': {name: {'largest': a.largest, 'tracks': a.tracks, 'unmatched': a.unmatched}
                            for name, a in agreement.items()}}


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser: argparse.ArgumentParser = step_arguments(__doc__, 40)
    parser.add_argument('--engines', nargs='+', choices=list(ENGINES), default=list(ENGINES))
    # The engines are given one as well.
    parser.set_defaults(threads=1, config='mini')
    args = parser.parse_args(argv)
    missing = [name for name in (*_NEEDED, *args.engines) if find_spec(name) is None]
    if missing:
        parser.error(f"{', '.join(missing)} is missing: see the head of this help")
    if args.side is Side.COOPERATIVE:
        parser.error('--side cooperative is of two files with a decision between them: expected vehicle or roadside')
    config, scene, network = prepared(args)
    machine = describe_machine()
    with TemporaryDirectory() as scratch:
        export(network, Path(scratch), {'model': config.name}, Capacity())
        part, = json.loads((Path(scratch) / f'{args.side.value}.json').read_text(encoding='utf-8'))['parts']
        trackers: dict[str, AgentTracker] = {OURS: make_tracker(network, config, args.side)}
        trackers |= {name: EngineTracker(network, config, args.side, part=part,
                                         run=ENGINES[name](Path(scratch) / part['file'])) for name in args.engines}
        found = measure(trackers, scene, args.frames)
    store(args.json, {'schema': SCHEMA, 'config': args.config, 'side': args.side.value, 'frames': args.frames,
                      'machine': machine, 'versions': {name: version(name) for name in args.engines}, **found})
    for name, engine in found['engines'].items():
        print(f"{name}: {engine['cpu_ms']['p50']:.1f} ms of processor time a frame, "
              f"{engine['over_fast']:.2f} of the fast path")
    return 0


if __name__ == '__main__':
    sys.exit(main())
