"""
What a second roadside unit adds: no unit, each alone and both, on scenes with two units.

    cooptrack synth data/units --seeds 20101-20103 --seconds 6 --units 2
    python benchmarks/two_units.py --weights mini --data data/units --json benchmarks/results/two_units.json \
        --picture docs/two_units.png

The labels are those of both units in every row, so that the rows can be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from evaluation import cell, evaluate, kept

FIGURES = ('mAP', 'ATE', 'AMOTA', 'AMOTP', 'recall', 'IDS')
RUNS = {
    'none: vehicle weights, no unit': ('none', ()),
    'cooperative weights, no unit': ('no_messages', ()),
    'late, unit_1': ('late', ('unit_1',)),
    'late, unit_2': ('late', ('unit_2',)),
    'late, both': ('late', ('unit_1', 'unit_2')),
    'cooperative, unit_1': ('cooperative', ('unit_1',)),
    'cooperative, unit_2': ('cooperative', ('unit_2',)),
    'cooperative, both': ('cooperative', ('unit_1', 'unit_2')),
}
"""Name of the row: mode and units; without units it does not matter which ones are there."""
ORACLES = {'vehicle alone': 'none: vehicle weights, no unit', 'vehicle and unit_1': 'cooperative, unit_1',
           'vehicle and unit_2': 'cooperative, unit_2', 'vehicle and both': 'cooperative, both'}
"""What a perfect detector sees, and the row in whose result it stands."""


def measure(weights: str, data: Path, mode: str, units: tuple[str, ...]) -> dict:
    """Return the figures of one row."""
    chosen = ('--units', *units) if units else ()
    measured = evaluate('--data', data, '--weights', weights, '--mode', mode, *chosen)
    return {**kept(measured, FIGURES), 'units': measured['units'],
            'bytes_per_second': measured['payload_bytes_per_second'], 'frames': measured['frames'],
            'oracle': {k: measured['oracle'][k] for k in FIGURES}}


def table(rows: dict[str, dict]) -> list[str]:
    """Return a markdown table."""
    def line(name: str, row: dict, rest: list[str]) -> str:
        spread = row.get('spread', {})
        figures = [cell(row[f], spread.get(f), 1 if f == 'IDS' else 3) for f in FIGURES]
        return f'| {" | ".join([name, *figures, *rest])} |'
    lines = [f'| | {" | ".join(FIGURES)} | fused per frame, by unit | kB/s |', '|---' * (len(FIGURES) + 3) + '|']
    for name, row in rows.items():
        fused = ', '.join(f"{u['fused_per_frame']:.2f}" for u in row['units'].values()) if 'coop' in name else ''
        lines.append(line(name, row, [fused, f"{row['bytes_per_second'] / 1e3:.1f}"]))
    return lines + [line(f'oracle: {name}', rows[where]['oracle'], ['', '']) for name, where in ORACLES.items()]


def draw(weights: str, data: Path, target: Path) -> None:
    """Draw the frame in which both units contribute most, of the first scene."""
    import numpy as np

    from cooptrack_ros.common.geometry import transform_boxes
    from cooptrack_ros.data.folders import open_dataset
    from cooptrack_ros.viz.image_files import write_image
    from cooptrack_ros.viz.result import world_boxes
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
    from unit_contributions import draw_units, unit_views
    scene = sorted(data.glob('seed_*'))[0]
    with tempfile.TemporaryDirectory() as folder:
        evaluate('--data', scene, '--weights', weights, '--mode', 'cooperative', '--results', folder)
        result = json.loads((Path(folder) / 'cooperative.json').read_text(encoding='utf-8'))
    dataset = open_dataset(scene)
    records = dataset.records('cooperative')

    def both(record) -> int:
        named = [link['unit'] for link in result['links'][record.token]]
        return min(named.count(name) for name in dataset.units)
    index = max(range(len(records)), key=lambda i: both(records[i]))
    record = records[index]
    rows = result['predictions'][record.token]
    partners = {name: pairs[index] for name, pairs in dataset.partners(records).items()}
    views = unit_views(partners, rows, result['links'][record.token], record.global_from_lidar)
    tracks = transform_boxes(np.linalg.inv(record.global_from_lidar), world_boxes(rows, result['classes']))
    write_image(target, draw_units(record.boxes, tracks, views))


def main() -> int:
    """Measure all rows, write them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', type=Path, required=True, help='folder of scenes with unit_1 and unit_2')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, help='draw a frame of the first scene there')
    args = parser.parse_args()
    from cooptrack_ros.bench.machine import describe_machine
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    package = open_model(args.weights)
    content = {'model': '-'.join(package.model_id(side) for side in (Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE)),
               'machine': describe_machine(), 'scenes': sorted(p.name for p in args.data.glob('seed_*')),
               'rows': {name: measure(args.weights, args.data, *run) for name, run in RUNS.items()}}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    print('\n'.join(table(content['rows'])))
    if args.picture:
        draw(args.weights, args.data, args.picture)
    return 0


if __name__ == '__main__':
    sys.exit(main())
