"""
What a bad link and wrong poses cost: the three curves of the paper's Figure 7, as JSON and pictures.

    python benchmarks/robustness.py --weights mini --data data/test --json benchmarks/results/robustness.json \
        --pictures docs

Loss (alone and in bursts), latency (without compensation, by geometry, with the feature flow), and noise of the
relative pose (with and without online correction). What of the networks does not depend on the link is computed once.
An interrupted measurement goes on; settings that were measured with the same weights are not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation import cell

FLOOR = ('mAP', 'AMOTA')
"""Figures that are compared with those of the vehicle alone, scene by scene."""
FIGURES = ('mAP', 'AMOTA', 'AMOTP', 'recall', 'IDS', 'ATE')
PICTURES = {'loss': 'robustness_loss.png', 'latency': 'robustness_latency.png', 'noise': 'robustness_noise.png'}


@dataclass(frozen=True)
class Setting:
    """One point of a curve: ``x`` on the curve ``line`` of ``panel``, and what is different from a good link."""

    panel: str
    line: str
    x: float
    channel: dict = field(default_factory=dict)
    corrects: bool = False
    method: dict = field(default_factory=dict)
    mode: str = 'cooperative'

    @property
    def key(self) -> str:
        """Name in the JSON file; settings that measure the same share it."""
        content = [self.mode, self.corrects, sorted(self.channel.items()), sorted(self.method.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def changed(**settings: float | bool | str) -> dict:
    """Return settings of the channel that differ from the default."""
    return {k: v for k, v in settings.items() if v}


def loss_settings() -> list[Setting]:
    """Return Figure 7 a: the paper's protocol (nothing in frames without a message), and as the ego node does it."""
    found = []
    for percent in (0, 10, 20, 30, 40, 50, 90):
        rate = percent / 100
        for line, more in (('no message in lost frames (paper)', {}), ('last message kept up to 1 s', {
                'max_age_ms': 1000.0}), ('kept, bursts of 5', {'max_age_ms': 1000.0, 'burst_length': 5.0})):
            found.append(Setting('loss', line, percent, changed(drop_rate=rate, **(more if percent else {}))))
        found.append(Setting('loss', 'vehicle alone', percent, mode='none'))
    return [*found, Setting('loss', 'unit at 2 Hz, kept up to 1 s', 80, {'rate_hz': 2.0, 'max_age_ms': 1000.0}),
            Setting('loss', 'no messages', 100, mode='no_messages'), Setting('loss', 'vehicle alone', 100, mode='none')]


def latency_settings(has_flow: bool) -> list[Setting]:
    """Return Figure 7 b; without a flow the model has two lines only."""
    names = {'none': 'no compensation', 'geometry': 'geometry'}
    names |= {'flow': 'geometry and feature flow'} if has_flow else {}
    delays_ms = (*range(0, 501, 100), 1000)
    found = [Setting('latency', name, ms, changed(latency_ms=float(ms)), method={'compensation': kind})
             for ms in delays_ms for kind, name in names.items()]
    return found + [Setting('latency', 'vehicle alone', ms, mode='none') for ms in delays_ms]


def noise_settings() -> list[Setting]:
    """Return Figure 7 c, and what the online correction regains of errors that stay."""
    found = []
    for degrees in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
        for scope, line in (('everywhere', 'turn in every frame, everywhere'),
                            ('alignment', 'turn in every frame, alignment only')):
            noise = changed(rotation_noise_deg=degrees, noise_scope=scope if degrees and scope != 'everywhere' else '')
            found.append(Setting('noise', line, degrees, noise))
        for corrects in (False, True):
            found.append(Setting('noise', f"constant turn{', corrected' * corrects}", degrees,
                                 changed(yaw_error_deg=degrees), corrects))
        found.append(Setting('noise', 'vehicle alone', degrees, mode='none'))
    for metres in (0, 0.5, 1.0):
        for corrects in (False, True):
            noise = changed(translation_noise_m=metres, constant_noise=bool(metres))
            found.append(Setting('shift', f"constant shift{', corrected' * corrects}", metres, noise, corrects))
        found.append(Setting('shift', 'vehicle alone', metres, mode='none'))
    return found


def settings_of(panel: str, has_flow: bool) -> list[Setting]:
    """Return the settings of a panel; :param has_flow: whether the model has a feature flow."""
    return {'loss': loss_settings, 'noise': noise_settings,
            'latency': lambda: latency_settings(has_flow)}[panel]()


def evaluation_of(args: argparse.Namespace):
    """Return the evaluation that all settings are runs of."""
    from cooptrack_ros.data.folders import open_datasets
    from cooptrack_ros.eval.runner import Evaluation
    from cooptrack_ros.eval.selection import Selection
    from cooptrack_ros.weights.store import open_model
    from cooptrack_ros.wire.features import transmission
    package = open_model(args.weights)
    transmit = transmission('float16', True, 900, package.sender().complete)
    return Evaluation(open_datasets(args.data), package, Selection(limit=args.limit), transmit,
                      caches_bev=True)


def measure(evaluation, setting: Setting) -> dict:
    """Return the figures of a setting."""
    from cooptrack_ros.eval.channel import Channel
    from cooptrack_ros.eval.report import by_scene, spread
    from cooptrack_ros.eval.report import measure as figures_of
    started = time.monotonic()
    run = evaluation.under(Channel(**setting.channel), setting.corrects, **setting.method)
    result, cost = run.run(setting.mode)
    measured = figures_of(result)
    figures, scenes = measured['vehicle'], by_scene(result, measured)
    deviation = spread(scenes)
    return {**{k: figures[k] for k in FIGURES}, 'spread': {k: deviation['vehicle'][k] for k in FIGURES},
            'spread_over': f"{deviation['number']} {deviation['over']}", 'frames': cost.frames,
            'scenes': {name: {k: row[k] for k in FLOOR} for name, row in scenes.items()},
            'instances_per_frame': round(cost.instances / max(cost.frames, 1), 2),
            'minutes': round((time.monotonic() - started) / 60, 2), 'mode': setting.mode, 'channel': setting.channel,
            'online_extrinsics': setting.corrects, 'method': setting.method}


def draw(panel: str, path: Path, settings: list[Setting], rows: dict[str, dict]) -> None:
    """Write mAP and AMOTA of a panel; noise has its shifts below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    labels = {'loss': 'lost messages, %', 'latency': 'latency, ms',
              'noise': 'turn of the relative pose, degrees (standard deviation, or constant)',
              'shift': 'shift of the relative pose, m (standard deviation per axis)'}
    panels = [p for p in labels if any(s.panel == p for s in settings)]
    figure = Figure(figsize=(11, 4.2 * len(panels)), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for line_of_axes, name in zip(figure.subplots(len(panels), 2, squeeze=False), panels, strict=True):
        lines = dict.fromkeys(s.line for s in settings if s.panel == name)
        for axes, measure_name in zip(line_of_axes, ('mAP', 'AMOTA'), strict=True):
            for line, colour in zip(lines, LINE_COLOURS):
                points = sorted((s.x, rows[s.key][measure_name]) for s in settings
                                if s.panel == name and s.line == line and s.key in rows)
                style = 's' if len(points) == 1 else 'o-'
                axes.plot([p[0] for p in points], [p[1] for p in points], style, color=colour, label=line)
            axes.set_xlabel(labels[name])
            axes.set_ylabel(measure_name)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        line_of_axes[0].legend(fontsize=8)
    figure.savefig(path)


def table(settings: list[Setting], rows: dict[str, dict]) -> str:
    """Return the measured settings as a Markdown table."""
    lines = [f'| setting | value | {" | ".join(FIGURES)} |', '|---' * (len(FIGURES) + 2) + '|']
    for s in (s for s in settings if s.key in rows):
        row = rows[s.key]
        lines.append(f'| {s.line} | {s.x:g} | ' + ' | '.join(
            cell(row[f], row.get('spread', {}).get(f), 1 if f == 'IDS' else 3) for f in FIGURES) + ' |')
    return '\n'.join(lines)


def options(description: str) -> argparse.ArgumentParser:
    """Return the options of a measurement that goes on where it was interrupted."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set (a short version)')
    parser.add_argument('--threads', type=int, default=1)
    return parser


def measured_rows(args: argparse.Namespace, settings: Sequence[Setting]) -> dict[str, dict]:
    """Measure the settings that the JSON file does not have of these weights and data, write it after each one."""
    import torch

    from cooptrack_ros.common.files import write_atomically
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    torch.set_num_threads(args.threads)
    package = open_model(args.weights)
    flow = package.flow()
    identity = {'model': '-'.join(package.model_id(s) for s in Side),
                'flow': package.card['flow']['sha256'][:16] if flow else None,
                'data': [folder.name for folder in args.data], 'limit': args.limit}
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if {k: found.get(k) for k in identity} == identity else {}
    wanted: dict[str, Setting] = {}
    for setting in settings:
        wanted.setdefault(setting.key, setting)
    missing = [s for key, s in wanted.items() if key not in rows]
    evaluation = evaluation_of(args)
    for number, setting in enumerate(missing, 1):
        rows[setting.key] = {'panel': setting.panel, 'line': setting.line, 'x': setting.x,
                             **measure(evaluation, setting)}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.json, json.dumps({**identity, 'rows': rows}, indent=1) + '\n')
        row = rows[setting.key]
        print(f'{number}/{len(missing)} {setting.panel}: {setting.line}, {setting.x:g}: mAP {row["mAP"]:.3f} '
              f'AMOTA {row["AMOTA"]:.3f} ({row["minutes"]:.1f} min)', flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, write it after each setting, draw, print the tables."""
    parser = options(__doc__)
    parser.add_argument('--pictures', type=Path, required=True, help='folder of the three pictures')
    parser.add_argument('--only', nargs='+', default=list(PICTURES), choices=list(PICTURES))
    args = parser.parse_args(arguments)
    from cooptrack_ros.weights.store import open_model
    has_flow = open_model(args.weights).flow() is not None
    panels = {panel: settings_of(panel, has_flow) for panel in args.only}
    rows = measured_rows(args, [s for settings in panels.values() for s in settings])
    for panel, settings in panels.items():
        draw(panel, args.pictures / PICTURES[panel], settings, rows)
        print(f'\n{table(settings, rows)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
