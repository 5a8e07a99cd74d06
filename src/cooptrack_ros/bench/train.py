"""Training steps per second, and how long they wait for data."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.config import ModelConfig
from ..common.types import Side
from ..data.synth import generate
from ..train.loop import TrainLoop
from ..train.ranks import Ranks
from ..train.recipe import load_recipe, recipe_family
from ..train.run import tracking_run
from .machine import describe_machine, peak_rss_mib

SCENE_SEED = 9999
_SCENE_SECONDS = 2.0


@dataclass(frozen=True)
class TrainSetting:
    """What is trained for ``warmup`` and then ``steps`` timed steps; ``data`` None: a small scene made for this."""

    config: ModelConfig
    side: Side = Side.VEHICLE
    data: list[Path] | None = None
    steps: int = 20
    warmup: int = 5
    batch_size: int | None = None
    workers: int = 1
    device: str = 'cpu'


def measure_train(setting: TrainSetting) -> dict[str, Any]:
    """Train a few steps in a scratch folder and return seconds per step and the share of waiting for data."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = setting.data
        if folders is None:
            folders = [Path(scratch) / 'scene']
            generate(folders[0], SCENE_SEED, _SCENE_SECONDS)
        return _measure(setting, folders, Path(scratch) / 'run')


def _measure(setting: TrainSetting, folders: list[Path], out: Path) -> dict[str, Any]:
    recipe = load_recipe(f'{recipe_family(setting.config)}-{setting.side.value}')
    recipe = replace(recipe, epochs=0.0, steps=max(setting.warmup, 1),
                     batch_size=setting.batch_size or recipe.batch_size)
    stage, stream = tracking_run(setting.config, recipe, setting.side, folders, device=setting.device)
    loop = TrainLoop(stage, stream, recipe, out, ranks=Ranks(device=setting.device), workers=setting.workers)
    loop.run()
    elapsed_s, waited_s = loop.elapsed_s, loop.waited_s
    loop.config = replace(recipe, steps=recipe.steps + setting.steps)
    loop.run()
    seconds, waited = loop.elapsed_s - elapsed_s, loop.waited_s - waited_s
    return {
        'schema': 'cooptrack-bench-train/1', 'config': setting.config.name, 'side': setting.side.value,
        'input_size': list(setting.config.input_size), 'batch_size': recipe.batch_size,
        'precision': recipe.precision, 'workers': setting.workers, 'warmup': recipe.steps, 'steps': setting.steps,
        'step_ms': seconds / setting.steps * 1e3, 'wait_ms': waited / setting.steps * 1e3,
        'wait_share': waited / seconds, 'steps_per_second': setting.steps / seconds,
        'frames_per_second': setting.steps * recipe.batch_size / seconds,
        'memory': {'peak_rss_mib': peak_rss_mib()}, 'machine': describe_machine(setting.device)}
