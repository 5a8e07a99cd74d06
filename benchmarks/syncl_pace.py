"""
Time of a training step with and without SynCL, and of a frame of what both train, in turns on one machine.

    python benchmarks/syncl_pace.py --json benchmarks/results/syncl_pace.json

CPU seconds of the process, medians; the network reads images, frames are those of the parity scenes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cooptrack_ros.common.config import named_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.instances.boxes import encode_boxes
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.parity.scenes import make_truth, tracker_input
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.losses import combine, divisors
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import load_recipe
from cooptrack_ros.train.syncl.settings import SynclConfig
from cooptrack_ros.train.tracking_stage import TrackingStage

_FRAMES = 2
"""Of a scene, over and over; a new pass through it has a first frame without tracks, which is not timed."""


def training_step(stage: TrackingStage, size: tuple[int, int]) -> Callable[[], float]:
    """Return a function that trains on a frame with tracks and returns the seconds that it took."""
    optimiser = torch.optim.AdamW(stage.modules.parameters(), lr=1e-6)
    inputs = [tracker_input(1, frame, 'veh', size) for frame in range(_FRAMES)]
    boxes, labels, ids = (torch.from_numpy(x) for x in make_truth(1, 0, 'veh'))
    targets = Targets(encode_boxes(boxes), labels.clamp(max=len(stage.config.class_names) - 1), ids)

    def step() -> float:
        for frame in inputs:
            started = time.process_time()
            optimiser.zero_grad()
            terms = [stage.frame_losses(0, frame, targets)]
            sum(combine(terms, divisors(terms)).values()).backward()
            optimiser.step()
        seconds = time.process_time() - started
        if stage.train_config.syncl.twin != ('syncl_threshold' in stage.figures()):
            raise RuntimeError('a second pass is missing, or there is one too many')
        return seconds
    return step


def inference_frame(network: CoopTrackNetwork) -> Callable[[], float]:
    """Return a function that tracks a frame and returns the seconds that it took."""
    tracker = AgentTracker(network, network.config, network.side, execution='fast')
    inputs = [tracker_input(1, frame, 'veh', network.config.input_size) for frame in range(_FRAMES)]

    def frame() -> float:
        state, _ = tracker.advance(tracker.initial(), inputs[0])
        started = time.process_time()
        tracker.advance(state, inputs[1])
        return time.process_time() - started
    return frame


def in_turns(what: dict[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """Return the median of each, measured in turns, so that load from outside falls on all."""
    seconds: dict[str, list[float]] = {name: [] for name in what}
    for turn in range(turns + 1):
        for name, measure in what.items():
            taken = measure()
            if turn:
                seconds[name].append(taken)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def main() -> int:
    """Measure, write the figures, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='mini')
    parser.add_argument('--recipe', default='mini-vehicle')
    parser.add_argument('--turns', type=int, default=6)
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config, stages = named_config(args.config), {}
    for name, syncl in (('plain', SynclConfig()), ('SynCL', SynclConfig(twin=True))):
        torch.manual_seed(0)
        recipe = load_recipe(args.recipe)
        # Every matched row becomes a track, however badly random weights place it.
        selection = replace(recipe.selection, min_iou=-1.0, drop_probability=0.0, carry_score=2.0)
        stages[name] = TrackingStage(
            CoopTrackNetwork(config, Side.VEHICLE), replace(recipe, syncl=syncl, selection=selection))
    steps = in_turns({name: training_step(stage, config.input_size) for name, stage in stages.items()}, args.turns)
    keys = [list(stage.network.state_dict()) for stage in stages.values()]
    frames = in_turns({name: inference_frame(stage.network) for name, stage in stages.items()}, args.turns)
    found = {'config': args.config, 'recipe': args.recipe, 'turns': args.turns, 'training_step_s': steps,
             'training_ratio': steps['SynCL'] / steps['plain'], 'frame_s': frames,
             'frame_ratio': frames['SynCL'] / frames['plain'], 'same_keys': keys[0] == keys[1]}
    args.json.write_text(json.dumps(found, indent=1), encoding='utf-8')
    print(json.dumps(found, indent=1))
    return 0


if __name__ == '__main__':
    sys.exit(main())
