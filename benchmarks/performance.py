"""
All measurements of ``docs/performance.md``, one after another, each in a process of its own.

    python benchmarks/performance.py --set cpu          # needs an idle machine, about an hour
    python benchmarks/performance.py --set gpu --device cuda
    cooptrack bench report

What is measured already is left out; ``--again`` measures it anew. The set ``gpu`` needs nothing but torch, numpy,
scipy, OpenCV and PyYAML.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIDES = ('vehicle', 'roadside', 'cooperative')


def _model(config: str, side: str, *options: object) -> tuple[object, ...]:
    fused = ('--instances', 16) if side == 'cooperative' else ()
    return ('model', '--config', config, '--side', side, *fused, *options)


CPU: dict[str, tuple[object, ...]] = {
    **{f'model_r50_{side}': _model('r50', side, '--threads', 2) for side in SIDES},
    'model_r50_vehicle_int8': _model('r50', 'vehicle', '--threads', 2, '--execution', 'reference', 'int8'),
    **{f'model_mini_{side}': _model('mini', side, '--threads', 1, '--frames', 100) for side in SIDES},
    'codec': ('codec', '--frames', 2000),
    'node_ego': ('node', '--node', 'ego', '--config', 'tiny', '--frames', 1000),
    'node_roadside': ('node', '--node', 'roadside', '--config', 'tiny', '--frames', 1000),
    'node_ego_mini': ('node', '--node', 'ego', '--config', 'mini', '--frames', 500),
    'node_roadside_mini': ('node', '--node', 'roadside', '--config', 'mini', '--frames', 500),
    'node_ego_mini_10_hz': ('node', '--node', 'ego', '--config', 'mini', '--frames', 500, '--rate-hz', 10),
    'node_roadside_mini_10_hz': ('node', '--node', 'roadside', '--config', 'mini', '--frames', 500, '--rate-hz', 10),
    'node_ego_long': ('node', '--node', 'ego', '--config', 'tiny', '--frames', 10000, '--warmup', 200),
    'node_roadside_long': ('node', '--node', 'roadside', '--config', 'tiny', '--frames', 10000, '--warmup', 200),
    'data': ('data', '--seconds', 5),
    'train_mini_workers_0': ('train', '--config', 'mini', '--workers', 0, '--steps', 40),
    'train_mini_workers_1': ('train', '--config', 'mini', '--workers', 1, '--steps', 40),
}
"""Result and command; on CPU cores."""

GPU: dict[str, tuple[object, ...]] = {
    **{f'model_r50_{side}_gpu': _model('r50', side) for side in SIDES},
    **{f'model_r50_{side}_gpu_graph': _model('r50', side, '--execution', 'reference', 'graph') for side in SIDES},
    'model_mini_vehicle_gpu': _model('mini', 'vehicle'),
    'train_r50_better_gpu': ('train', '--config', 'r50_better', '--workers', 8, '--steps', 40),
    'train_mini_gpu': ('train', '--config', 'mini', '--workers', 8, '--steps', 60, '--batch-size', 8),
}
"""The same on a GPU."""


def main() -> int:
    """Measure what is missing; return 0 if nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--set', choices=['cpu', 'gpu'], default='cpu')
    parser.add_argument('--device', default='cuda', help='of the set gpu (default: %(default)s)')
    parser.add_argument('--only', default='', help='results whose name contains this')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'results')
    parser.add_argument('--again', action='store_true')
    args = parser.parse_args()
    commands = CPU if args.set == 'cpu' else {k: (*v, '--device', args.device) for k, v in GPU.items()}
    failed = []
    for name, command in commands.items():
        path = args.results / f'{name}.json'
        if args.only not in name or (path.is_file() and not args.again):
            continue
        words = [sys.executable, '-m', 'cooptrack_ros.cli.main', 'bench', *map(str, command), '--json', str(path)]
        print('cooptrack', *words[3:], flush=True)
        variables = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT / 'src'), os.environ.get('PYTHONPATH', '')])}
        if subprocess.run(words, check=False, env=variables).returncode:
            failed.append(name)
    if failed:
        print('failed:', ', '.join(failed), file=sys.stderr)
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
