"""``cooptrack eval --task occupancy``: voxels with class and identity, and the baselines of the paper beside them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from ..common.config import NOMINAL_HZ
from ..common.outputs import check_folder, write_figures
from ..common.types import Sensors
from .eval_options import options_of, print_differences
from .flags import settings_of

_SIDES = {'none': 'vehicle', 'no_messages': 'cooperative', 'cooperative': 'cooperative', 'vehicle': 'vehicle',
          'roadside': 'roadside'}
"""Whose network runs, by mode."""
_RECORDS = {'vehicle': 'vehicle-side', 'roadside': 'infrastructure-side'}
"""Whose frames, by mode; those of pairs otherwise."""


def run_occupancy(args: argparse.Namespace, recorded: Mapping[str, dict]) -> int:
    """
    Measure a head and print the tables; return 0 when that is done.

    :param recorded: figures of the same by mode, with which these are compared; it is then 0 if they are equal.
    """
    from rich.console import Console
    from rich.progress import Progress

    from ..common.errors import UserError
    from ..data.folders import open_datasets
    from ..data.rate import frame_rate_hz
    from ..eval.occupancy import report
    from ..eval.occupancy.run import measure
    from ..eval.selection import Selection
    from ..occupancy.volume_files import VolumeWriter
    for name in ('errors', 'config', 'compensation', 'online_extrinsics', 'bev_budget'):
        if getattr(args, name):
            raise UserError(f"--{name.replace('_', '-')} is for --task tracking")
    if {args.sensors, args.unit_sensors} - {Sensors.CAMERA, None}:
        raise UserError('--task occupancy has heads on cameras, not on --sensors or --unit-sensors with point clouds')
    if args.mode not in _SIDES:
        raise UserError(f"--task occupancy has the modes {', '.join(_SIDES)}, not '{args.mode}'")
    if args.results:
        check_folder(args.results)
    datasets = open_datasets(args.data, args.units)
    selection = Selection(None if args.split == 'all' else args.split, args.limit, args.hz)
    source, listens = _source(args)
    sent, arrivals, units = [], None, None
    if listens:
        arrivals, units = _arrivals(args, datasets, selection, sent), _units(args, source.profile)
    side = _RECORDS.get(args.mode, 'cooperative')
    records = [selection.records(dataset, side) for _, dataset in datasets]
    keep = VolumeWriter(args.results, source.profile, side, f'{args.weights} {args.mode}') if args.results else None
    with Progress(transient=True) as progress:
        task = progress.add_task('occupancy', total=sum(map(len, records)))
        measured = measure(source, datasets, selection, side, arrivals, lambda n: progress.advance(task, n), keep,
                           units)
    if keep:
        keep.close()
    rate = frame_rate_hz([r.stamp_us for r in part] for part in records)
    payload = sum(sent) / max(measured.frames, 1) * rate if listens else None
    figures = {**report.figures_of(measured, source.profile, payload, rate if units else None), **_origin(args)}
    console = Console(width=200)
    for table in report.tables(figures):
        console.print(table)
    if args.json:
        write_figures(args.json, figures)
    return int(print_differences(recorded, {args.mode: figures})) if recorded else 0


def _source(args: argparse.Namespace):
    """Return the head that runs, and whether it receives messages."""
    from ..common.errors import UserError
    from ..common.types import Side
    from ..eval.occupancy.run import OwnSource, TrackedSource
    from ..tracking.own_things import ThingTracker
    from ..tracking.panoptic import PanopticReader
    from ..tracking.tracker import AgentTracker
    from ..train.occupancy.start import is_run, open_run
    from ..weights.store import open_model
    folder, rate_hz = Path(args.weights), args.hz or NOMINAL_HZ
    if is_run(folder):
        network, head = open_run(folder)
        if (network.side is Side.ROADSIDE) != (args.mode == 'roadside'):
            raise UserError(f"{folder} is a head on the {network.side.value} network, --mode is '{args.mode}': only a "
                            'head on the roadside network has the mode roadside, and it has no other')
        config = network.config.at_rate(rate_hz)
        if head.sizes.queries == 'own':
            return OwnSource(ThingTracker(network, head, config, network.side), config), False
        listens = args.mode == 'cooperative' and network.side is Side.COOPERATIVE
        if listens and args.roadside is None:
            raise UserError('--mode cooperative with a run folder needs --roadside MODEL, whose network sends')
        tracker = AgentTracker(network, config, network.side)
        return TrackedSource(tracker, PanopticReader(head, config, network.side)), listens
    package, side = open_model(args.weights).at_rate(rate_hz), Side(_SIDES[args.mode])
    reader = package.occupancy(side)
    if reader is None:
        raise UserError(f"model '{package.name}' has no occupancy head for its {side.value} weights "
                        '(`cooptrack train occupancy --export` makes one)')
    return TrackedSource(package.tracker(side, execution=args.execution), reader), args.mode == 'cooperative'


def _units(args: argparse.Namespace, profile: str):
    """Return the heads of units, None if their model has none of that grid."""
    from ..common.types import Side
    from ..eval.occupancy.units import UnitHeads
    from ..weights.store import open_model
    package = open_model(args.roadside or args.weights).at_rate(args.hz or NOMINAL_HZ)
    reader = package.occupancy(Side.ROADSIDE) if package.has(Side.ROADSIDE) else None
    if reader is None or reader.profile != profile:
        return None
    return UnitHeads(package.tracker(Side.ROADSIDE, execution=args.execution), reader)


def _arrivals(args: argparse.Namespace, datasets, selection, sent: list[int]):
    """Return what gives the messages of the units; :param sent: gets the bytes of each message."""
    from ..eval.channel import Channel
    from ..eval.runner import Evaluation, payload_of
    from ..weights.store import open_model
    sender = open_model(args.roadside or args.weights)
    evaluation = Evaluation(datasets, sender, selection, channel=settings_of(args, Channel), execution=args.execution)

    def arrivals(folder, dataset, records):
        for messages in evaluation.arrivals(folder, dataset, records):
            sent.extend(payload_of(message) for message in messages)
            yield messages
    return arrivals


def _origin(args: argparse.Namespace) -> dict:
    """Return what the figures were made from."""
    from ..common.types import Side
    from ..eval.origin import code_origin
    from ..train.loop import CHECKPOINT_NAME
    from ..train.occupancy.start import is_run
    from ..weights.store import open_model
    from ..weights.weight_files import sha256_of
    folder, side = Path(args.weights), Side(_SIDES[args.mode])
    used = sha256_of(folder / CHECKPOINT_NAME) if is_run(folder) else open_model(args.weights).model_id(side)
    models = {'head': used} | ({'roadside': open_model(args.roadside).model_id(Side.ROADSIDE)} if args.roadside else {})
    return {'mode': args.mode, 'weights': args.weights, 'data': [str(p) for p in args.data], **code_origin(),
            'models': models, 'options': options_of(args, args.mode)}
