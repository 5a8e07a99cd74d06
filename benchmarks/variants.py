"""Time and memory of one frame and one training step of every configuration, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path


def measure(preset: str, train: bool, limit_gib: float) -> dict:
    """Return seconds and peak memory of this process for a preset of ``common.config.PRESETS``."""
    resource.setrlimit(resource.RLIMIT_AS, (int(limit_gib * 2 ** 30),) * 2)
    import torch

    from cooptrack_ros.common.config import PRESETS
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.model.instances.boxes import encode_boxes
    from cooptrack_ros.model.network import CoopTrackNetwork
    from cooptrack_ros.parity.scenes import make_truth, tracker_input
    from cooptrack_ros.tracking.tracker import AgentTracker
    from cooptrack_ros.train.matching import Targets
    from cooptrack_ros.train.recipe import RECIPES
    from cooptrack_ros.train.tracking_stage import TrackingStage
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    torch.manual_seed(0)
    config = PRESETS[preset]
    network = CoopTrackNetwork(config, Side.VEHICLE)
    result = {'preset': preset, 'parameters': sum(p.numel() for p in network.parameters())}
    inputs = [tracker_input(1, frame, 'veh', config.input_size) for frame in range(2)]
    if train:
        stage = TrackingStage(network, RECIPES['paper-vehicle'])
        boxes, labels, ids = (torch.from_numpy(x) for x in make_truth(1, 0, 'veh'))
        started = time.perf_counter()
        losses = stage.frame_losses(0, inputs[0], Targets(encode_boxes(boxes), labels, ids))
        sum(term.value for term in losses.values()).backward()
        norms = [p.grad.norm() for p in network.parameters() if p.grad is not None]
        if not torch.stack(norms).isfinite().all():
            raise RuntimeError('a gradient is not finite')
    else:
        tracker = AgentTracker(network, config, Side.VEHICLE)
        state, _ = tracker.advance(tracker.initial(), inputs[0])
        started = time.perf_counter()
        _, output = tracker.advance(state, inputs[1])
        result['stage_seconds'] = output.stage_seconds
    result['seconds'] = time.perf_counter() - started
    result['peak_gib'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20
    return result


def run_in_process(preset: str, train: bool, limit_gib: float) -> dict:
    """Measure in a fresh process; a run that does not fit into the memory says so."""
    command = [sys.executable, __file__, '--one', preset, '--limit-gib', str(limit_gib)] + ['--train'] * train
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ['killed'])[-1]
        return {'preset': preset, 'failed': f'not within {limit_gib:g} GiB: {reason[:120]}'}
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Print a table; with --json also write all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--presets', nargs='+', default=['mini', 'r50', 'r101', 'convnext_s', 'r50_full', 'r101_full'])
    parser.add_argument('--limit-gib', type=float, default=18, help='address space of each process')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--one', help=argparse.SUPPRESS)
    parser.add_argument('--train', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.train, args.limit_gib)))
        return 0
    rows = []
    print(f'{"preset":<12}{"million par.":>13}{"frame s":>9}{"peak GiB":>10}{"training step s":>17}{"peak GiB":>10}')
    for preset in args.presets:
        frame, step = (run_in_process(preset, train, args.limit_gib) for train in (False, True))
        rows.append({'frame': frame, 'training_step': step})
        cells = [frame.get('seconds'), frame.get('peak_gib'), step.get('seconds'), step.get('peak_gib')]
        text = [f'{c:.2f}' if c is not None else '-' for c in cells]
        print(f'{preset:<12}{frame.get("parameters", 0) / 1e6:>13.1f}',
              f'{text[0]:>8}{text[1]:>10}{text[2]:>17}{text[3]:>10}', frame.get('failed', ''), step.get('failed', ''),
              flush=True)
    if args.json:
        threads = os.environ.get('OMP_NUM_THREADS', '1')
        args.json.write_text(json.dumps({'machine': platform.processor() or platform.machine(), 'threads': threads,
                                         'rows': rows}, indent=1), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
