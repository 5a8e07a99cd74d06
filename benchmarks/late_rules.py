"""
Late fusion by each of its rules on the same outputs of the networks: tracks as a whole, and errors of what was fused.

    python benchmarks/late_rules.py --weights mini --data data/validation --json benchmarks/results/late_rules.json

The model must be calibrated (cooptrack weights calibrate), else both rules are one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

FIGURES = ('AMOTA', 'AMOTP', 'MOTA', 'IDS', 'recall')


def errors_of(result: dict) -> dict[str, float]:
    """Return errors of the fused tracks of a result, and the part of them that the stated regions hold."""
    from cooptrack_ros.eval.regions import beyond
    from cooptrack_ros.eval.track_errors import track_errors
    rows = track_errors(result)
    found = rows[(rows.source == 'fused') & rows.exists]
    distance = np.linalg.norm(found.centre[:, :2], axis=1)
    speed = np.linalg.norm(found.velocity[np.isfinite(found.velocity).all(1)], axis=1)
    held = {name: float((squared[np.isfinite(squared)] <= 1).mean())
            for name, squared in beyond(found, found.stated).items() if np.isfinite(squared).any()}
    return {'rows': len(found), 'tracks': found.num_tracks(), 'position_median_m': float(np.median(distance)),
            'position_rms_m': float(np.sqrt((distance ** 2).mean())),
            'heading_median_deg': float(np.degrees(np.median(np.abs(found.turn)))),
            'length_rms_m': float(np.sqrt((found.size[:, 0] ** 2).mean())),
            'velocity_mean_mps': float(speed.mean()), 'held': held}


def main() -> int:
    """Measure both rules, write the figures and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    import torch

    from cooptrack_ros.common.config import LATE_RULE
    from cooptrack_ros.data.folders import open_datasets
    from cooptrack_ros.eval.report import measure
    from cooptrack_ros.eval.runner import Evaluation
    from cooptrack_ros.eval.selection import Selection
    from cooptrack_ros.weights.store import open_model
    torch.set_num_threads(args.threads)
    evaluation = Evaluation(open_datasets(args.data), open_model(args.weights), Selection(None, args.limit))
    figures = {}
    for rule in LATE_RULE.choices:
        result, _ = evaluation.with_late_rule(rule).run('late')
        vehicle = measure(result)['vehicle']
        figures[rule] = {**{name: vehicle[name] for name in FIGURES}, 'fused': errors_of(result)}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
        print(rule, json.dumps(figures[rule]), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
