"""A real node in a process of its own, fed with one frame after another: times, memory, start."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..common.config import MINI, ModelConfig, named_config
from ..common.errors import UserError
from ..common.types import Side
from ..demo.domains import reserve_domains
from ..demo.processes import Process, environment
from ..tracking.execution import make_tracker
from ..weights.store import open_model, save_side
from .machine import cpu_seconds, describe_machine, rss_mib
from .networks import bench_network, settle_live_tracks
from .ros_feeder import UNIT, Answer, Feeder
from .scene import BenchScene
from .timing import statistics_ms

TINY = replace(
    MINI, input_size=(96, 160), embed_dims=24, num_heads=2, num_queries=60, bev_size=(10, 10),
    encoder_layers=1, decoder_layers=1, ffn_dims=24, reasoning_ffn_dims=24, alignment_blocks=2,
    backbone=replace(MINI.backbone, widths=(8, 8, 16, 16)))
"""A network that costs next to nothing; ``--config tiny``."""
NETWORK_STAGES = frozenset({'upload', 'propagate', 'image_features', 'bev_encoder', 'alignment', 'decoder',
                            'reasoning', 'fusion', 'output'})
"""Stages of the tracker; all other time of a frame is outside the network, the preparation of the image included."""
_SHARE = 0.1
"""Part of the samples of memory at either end that are compared with each other."""
_MEMORY_SAMPLES = 50
_PARTS, _COMPARED = 10, 3
"""Into how many parts a run is cut for its tail, and how many at either end are compared by their median."""


@dataclass(frozen=True)
class NodeSetting:
    """Which node, with what network, over how many frames; ``config`` may be ``tiny``."""

    node: str = 'ego'
    config: str = 'mini'
    frames: int = 200
    warmup: int = 20
    threads: int = 1
    device: str = 'cpu'
    num_tracks: int = 30
    instances: int = 16
    camera_size: tuple[int, int] = (1920, 1080)
    markers: bool = True
    rate_hz: float = 0.0
    """Of the frames, 0 for each after the answer to the one before."""

    @property
    def model_config(self) -> ModelConfig:
        """Configuration of the network."""
        return TINY if self.config == 'tiny' else named_config(self.config)


def measure_node(setting: NodeSetting) -> dict[str, Any]:
    """
    Start the node, send it frames, and return what they took.

    :raises UserError: if the node ends or stops answering; the text holds the end of its log.
    """
    side = Side.COOPERATIVE if setting.node == 'ego' else Side.ROADSIDE
    config = setting.model_config
    scene = BenchScene(config, side, setting.camera_size, setting.instances if setting.node == 'ego' else 0)
    with tempfile.TemporaryDirectory() as scratch:
        model_id = _write_model(Path(scratch) / 'model', config, side, scene, setting.num_tracks)
        with _running(setting, Path(scratch)) as start:
            result = _measure(setting, scene, model_id, start)
    return {'schema': 'cooptrack-bench-node/1', 'node': setting.node, 'config': setting.config,
            'input_size': list(config.input_size), 'camera_size': list(setting.camera_size),
            'instances': setting.instances if setting.node == 'ego' else 0, 'live_wanted': setting.num_tracks,
            'markers': setting.markers, 'rate_hz': setting.rate_hz, 'warmup': setting.warmup,
            'frames': setting.frames,
            'machine': describe_machine(setting.device) | {'threads': setting.threads}} | result


def _write_model(folder: Path, config: ModelConfig, side: Side, scene: BenchScene, live: int) -> str:
    """Write a model whose network keeps about ``live`` tracks; return the identity that its unit sends."""
    network = bench_network(config, side, None)
    settle_live_tracks(make_tracker(network, config, side, execution='reference'), scene, live)
    for part in (Side.VEHICLE, side) if config.adds(side) else (side,):
        save_side(folder, config, part, network, {})
    if side is not Side.ROADSIDE:
        save_side(folder, config, Side.ROADSIDE, bench_network(config, Side.ROADSIDE, None), {})
    return open_model(str(folder)).model_id(Side.ROADSIDE)


@contextmanager
def _running(setting: NodeSetting, scratch: Path) -> Iterator[Callable[[], Process]]:
    """Give what starts the node, in a domain that this process joins too; ends it."""
    domain = reserve_domains()
    variables = environment(domain.first, scratch)
    os.environ.update({k: v for k, v in variables.items() if k.startswith(('ROS_', 'FASTDDS_'))})
    parameters = {'weights': scratch / 'model', 'threads': setting.threads, 'device': setting.device}
    parameters |= {'infra_units': UNIT} if setting.node == 'ego' else {'unit_id': UNIT}
    command = [sys.executable, '-m', 'cooptrack_ros.programs', f'{setting.node}_node', '--ros-args']
    command += [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    running: list[Process] = []

    def start() -> Process:
        running.append(Process(f'{setting.node} node', command, scratch / 'node.log', variables))
        return running[0]
    try:
        yield start
    finally:
        for process in running:
            process.__exit__()
        domain.close()


def _measure(setting: NodeSetting, scene: BenchScene, model_id: str, start: Callable[[], Process]) -> dict[str, Any]:
    with Feeder(setting.node, scene, model_id, setting.markers, setting.rate_hz) as feeder:
        process = start()
        started = time.monotonic()
        feeder.first_answer(process)
        start_s = time.monotonic() - started
        for _ in range(setting.warmup):
            feeder.frame(process)
        feeder.rest()
        answers, memory, cpu_s = [], [rss_mib(process.pid)], cpu_seconds(process.pid)
        every = max(setting.frames // _MEMORY_SAMPLES, 1)
        for number in range(setting.frames):
            answers += feeder.frame(process)
            if (number + 1) % every == 0:
                memory.append(rss_mib(process.pid))
        answers += feeder.rest()
        cpu_s = cpu_seconds(process.pid) - cpu_s
    if not answers:
        raise UserError(f'no frame was answered at {setting.rate_hz:g} Hz')
    return {'start_s': start_s, 'jpeg_bytes': feeder.jpeg_bytes, 'answered': len(answers),
            'cpu_ms_per_frame': cpu_s / setting.frames * 1e3, **_times(answers),
            'tracks': _spread([a.tracks for a in answers]),
            'memory': _memory(memory)}


def _memory(samples: list[float]) -> dict[str, Any]:
    """Return the largest resident memory of the first and of the last part: from frame to frame it goes up and down."""
    part = max(round(len(samples) * _SHARE), 1)
    start, end = max(samples[:part]), max(samples[-part:])
    return {'start_mib': start, 'end_mib': end, 'growth_mib': end - start,
            'samples_mib': [round(value, 1) for value in samples]}


def _times(answers: list[Answer]) -> dict[str, Any]:
    """Return the statistics of every stage, and how the tail changed from the first part to the last."""
    outside = [a.total_s - sum(s for name, s in a.stages.items() if name in NETWORK_STAGES) for a in answers]
    columns = {'from message to tracks, as the client sees it': [a.round_trip_s for a in answers],
               'whole frame': [a.total_s for a in answers], 'outside the network': outside}
    for stage in dict.fromkeys(name for a in answers for name in a.stages):
        columns[f'stage {stage}'] = [a.stages[stage] for a in answers if stage in a.stages]
    tails = [float(np.percentile(part, 99) * 1e3) for part in np.array_split([a.total_s for a in answers], _PARTS)
             if len(part)]
    first, last = (float(np.median(part)) for part in (tails[:_COMPARED], tails[-_COMPARED:]))
    return {'times_ms': {name: statistics_ms(values) for name, values in columns.items()},
            'outside_ms': float(np.percentile(outside, 50) * 1e3), 'outside_p99_ms': float(
                np.percentile(outside, 99) * 1e3),
            'p99_parts_ms': tails, 'p99_start_ms': first, 'p99_end_ms': last, 'p99_growth': last / first - 1}


def _spread(counts: list[int]) -> dict[str, float]:
    return {'mean': float(np.mean(counts)), 'least': min(counts), 'most': max(counts)}
