"""
Whether the uncertainty that a model states holds: on scenes that it was not calibrated on.

    python benchmarks/reliability.py --weights mini --data data/test \
        --results out/reliability --json benchmarks/results/reliability.json --picture docs/reliability.png

Results of the networks that are in the folder already, for the same weights, calibration and data, are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Run the networks, judge what they state, write numbers and picture, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--results', type=Path, help='folder where results are kept')
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    parser.add_argument('--late-rule', default='own', help='of mode late: own or covariance_intersection')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    import torch

    from cooptrack_ros.eval.calibration_run import errors_by_network, named_sources, results_on
    from cooptrack_ros.eval.reliability import reliability, reliability_lines
    from cooptrack_ros.viz.reliability_plot import draw_reliability
    from cooptrack_ros.weights.store import open_model
    torch.set_num_threads(args.threads)
    package = open_model(args.weights)
    if package.uncertainty() is None:
        raise SystemExit(f"model '{package.name}' states no uncertainty: calibrate it first "
                         '(cooptrack weights calibrate)')
    results = results_on(package, args.data, args.results, args.limit, args.late_rule, print)
    figures = reliability(named_sources(errors_by_network(results)))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    print('\n'.join(reliability_lines(figures)))
    print(f"{figures['within']} of {figures['judged']} regions by source and range hold {figures['goal'][0]:.0%} to "
          f"{figures['goal'][1]:.0%}")
    if args.picture:
        draw_reliability(args.picture, figures)
    return 0


if __name__ == '__main__':
    sys.exit(main())
