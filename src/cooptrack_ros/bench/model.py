"""Time of one tracker step on every execution path, and of the backbone alone, in turn in one run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..common.config import ModelConfig
from ..common.types import InstanceSet, Side
from ..tracking.execution import make_tracker
from ..tracking.tracker import AgentTracker
from ..weights.int8_ranges import activation_ranges
from .agreement import Agreement
from .arithmetic import arithmetic
from .machine import MIB, describe_machine, peak_rss_mib
from .networks import bench_network, settle_live_tracks
from .scene import BenchScene
from .timing import Stopwatch, in_turn

PATHS = ('reference', 'fast')
_CALIBRATION_FRAMES = 6
SCHEMA = 'cooptrack-bench-model/1'

Codec = Callable[[InstanceSet], Mapping[str, float]]
"""Sends an instance set through the wire format and returns the seconds of each step."""


@dataclass(frozen=True)
class ModelSetting:
    """
    What is measured; ``num_tracks`` tracks are aimed at in every frame, 0: whatever the weights give.

    ``execution`` is what the path ``fast`` runs: ``fast`` or ``int8``, with ranges measured on the scene itself.
    """

    config: ModelConfig
    side: Side = Side.VEHICLE
    weights: str | None = None
    instances: int = 0
    units: int = 1
    num_tracks: int = 30
    camera_size: tuple[int, int] = (1920, 1080)
    execution: str = 'fast'


@dataclass(frozen=True)
class Repeats:
    """How often; the first ``warmup`` frames are not counted."""

    warmup: int
    frames: int

    @staticmethod
    def default(device: str) -> Repeats:
        """Return what gives a stable 99th percentile on a GPU, and on a CPU a bearable run once its graphs are made."""
        return Repeats(50, 500) if torch.device(device).type == 'cuda' else Repeats(8, 20)


@dataclass
class _Path:
    """One execution path on its way through the frames."""

    tracker: AgentTracker
    state: Any
    stages: Stopwatch = field(default_factory=Stopwatch)
    peak_mib: float = 0.0
    live: list[int] = field(default_factory=list)


def measure_model(setting: ModelSetting, device: str = 'cpu', repeats: Repeats | None = None,
                  paths: tuple[str, ...] = PATHS, codec: Codec | None = None) -> dict[str, Any]:
    """
    Run all paths over the same frames, one frame at a time each, and return times, memory and agreement.

    A step is all from the decoded image to the output; the image comes as uint8 in its own size.

    :param codec: times the wire format with what the last path sends; None: left out.
    """
    config, side = setting.config, setting.side
    repeats = repeats or Repeats.default(device)
    scene = BenchScene(config, side, setting.camera_size, setting.instances, setting.units)
    network = bench_network(config, side, setting.weights)
    readable = make_tracker(network, config, side, device, 'reference')
    if setting.num_tracks:
        settle_live_tracks(readable, scene, setting.num_tracks)
    clip, executions = map(scene.frame, range(_CALIBRATION_FRAMES)), {'fast': setting.execution}
    ranges = activation_ranges(network, config, side, [clip]) if setting.execution == 'int8' else None
    running = {}
    for name in paths:
        tracker = make_tracker(copy.deepcopy(network), config, side, device, executions.get(name, name), ranges=ranges)
        running[name] = _Path(tracker, tracker.initial())
    run = _Run(scene, running, readable.network.backbone, torch.device(device), codec)
    for index in range(repeats.warmup):
        run.frame(index)
    run.start_counting()
    for index in range(repeats.warmup, repeats.warmup + repeats.frames):
        run.frame(index)
    result = {
        'schema': SCHEMA, 'config': config.name, 'side': side.value, 'weights': setting.weights or 'deterministic',
        'input_size': list(config.input_size), 'camera_size': list(setting.camera_size),
        'queries': config.num_queries, 'instances': setting.instances, 'units': setting.units,
        'execution': setting.execution, 'live_wanted': setting.num_tracks, 'warmup': repeats.warmup,
        'frames': repeats.frames, 'machine': describe_machine(device)}
    return result | run.summary() | {'arithmetic': arithmetic(readable, scene)}


class _Run:
    """Goes through the frames and collects."""

    def __init__(self, scene: BenchScene, paths: Mapping[str, _Path], backbone: torch.nn.Module,
                 device: torch.device, codec: Codec | None):
        self._scene, self._paths, self._backbone, self._device = scene, paths, backbone, device
        self._codec, self._jpeg = codec, JpegImages(scene)
        self._clock, self._wire = Stopwatch(device), Stopwatch()
        self._agreement = Agreement()
        first = next(iter(paths.values())).tracker
        self._images = first.prepare(scene.frame(0)).images.to(device)

    def start_counting(self) -> None:
        """Forget what warming up took."""
        for clock in (self._clock, self._wire, *(p.stages for p in self._paths.values())):
            clock.clear()
        for path in self._paths.values():
            path.live.clear()

    @torch.inference_mode()
    def frame(self, index: int) -> None:
        """Run everything once."""
        frame, messages = self._scene.frame(index), self._scene.messages(index)
        actions = {name: lambda path=path: self._step(path, frame, messages) for name, path in self._paths.items()}
        actions['backbone'] = lambda: self._backbone(self._images)
        if self._jpeg.available:
            actions['decode'] = lambda: self._jpeg.decode(self._scene.image_number(index))
        outputs = in_turn(actions, index, self._clock)
        results = [outputs[name] for name in self._paths]
        for path, output in zip(self._paths.values(), results, strict=True):
            path.live.append(len(output.instances))
            for stage, seconds in output.stage_seconds.items():
                path.stages.add(stage, seconds)
        for other in results[1:]:
            self._agreement.add(results[0].tracks, other.tracks)
        if self._codec is not None:
            for name, seconds in self._codec(results[-1].instances).items():
                self._wire.add(name, seconds)

    def _step(self, path: _Path, frame, messages):
        if self._device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self._device)
        path.state, output = path.tracker.step(path.state, frame, messages)
        if self._device.type == 'cuda':
            path.peak_mib = max(path.peak_mib, torch.cuda.max_memory_allocated(self._device) / MIB)
        return output

    def summary(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        times = self._clock.statistics()
        p50 = {name: values['p50'] for name, values in times.items()}
        figures = {f'{name}_ms': p50[name] for name in (*self._paths, 'backbone')}
        if 'fast' in self._paths:
            figures['step_over_backbone'] = p50['fast'] / p50['backbone']
        if 'reference' in self._paths:
            figures['reference_over_backbone'] = p50['reference'] / p50['backbone']
        if {'reference', 'fast'} <= self._paths.keys():
            figures['speedup'] = p50['reference'] / p50['fast']
        return figures | {
            'max_difference': self._agreement.max_difference,
            'differences': {**self._agreement.largest, 'tracks': self._agreement.tracks,
                            'unmatched': self._agreement.unmatched},
            'times_ms': times,
            'stages': {name: path.stages.statistics() for name, path in self._paths.items()},
            'wire': self._wire.statistics(),
            'jpeg_bytes': self._jpeg.mean_bytes,
            'live': {name: _spread(path.live) for name, path in self._paths.items()},
            'memory': {'peak_rss_mib': peak_rss_mib(),
                       **{f'cuda_peak_mib_{n}': p.peak_mib for n, p in self._paths.items() if p.peak_mib}}}


def _spread(counts: list[int]) -> dict[str, float]:
    return {'mean': float(np.mean(counts)), 'least': min(counts), 'most': max(counts)}


class JpegImages:
    """The images of a scene as JPEG of quality 90, where OpenCV is installed."""

    def __init__(self, scene: BenchScene):
        """Encode them."""
        try:
            import cv2
        except ImportError:
            self._codes = []
            return
        self._decode = lambda code: cv2.imdecode(code, cv2.IMREAD_COLOR)
        self._codes = [cv2.imencode('.jpg', p, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for p in scene.images]

    @property
    def available(self) -> bool:
        """Tell whether they can be decoded here."""
        return bool(self._codes)

    @property
    def mean_bytes(self) -> float:
        """Return the mean size of an image, 0 without any."""
        return float(np.mean([len(code) for code in self._codes])) if self._codes else 0.0

    def decode(self, number: int) -> np.ndarray:
        """Return image ``number`` (H, W, 3) uint8."""
        return self._decode(self._codes[number])
