"""Sub-command ``cooptrack replay``: play a bag to the nodes and collect what they answer, or run without nodes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..common.errors import UserError
from ..common.outputs import write_figures
from ..common.text import readable
from ..common.types import SENSORS, Sensors
from .flags import add_json

SUMMARY = 'play a bag to the nodes, in lockstep or in real time, or run it without ROS nodes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('bag', metavar='BAG', help='bag made by `cooptrack bag convert`')
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument('--lockstep', action='store_true',
                      help='publish an image only when the one before was answered (nodes need lockstep:=true)')
    pace.add_argument('--rate', type=float, default=1.0, metavar='R',
                      help='pace of the recording (default: %(default)s)')
    pace.add_argument('--offline', action='store_true',
                      help='run the core on the bag in this process: no nodes, same answers as in lockstep')
    looks = parser.add_argument_group('for RViz and other tools that only look')
    looks.add_argument('--as-recorded', action='store_true',
                             help='play everything that is in the bag, with /clock, and wait for nobody')
    looks.add_argument('--loop', action='store_true', help='with --as-recorded: again and again, until Ctrl+C')
    offline = parser.add_argument_group('with --offline')
    offline.add_argument('--weights', metavar='NAME', help='model name, folder, or random:PRESET (default: mini)')
    offline.add_argument('--mode', choices=('auto', 'cooperative', 'distance_association', 'late', 'none'),
                         help='what the vehicle may use, as its parameter fusion.mode (default: auto)')
    offline.add_argument('--confirm-only', metavar='UNITS',
                         help='units, separated by commas, that may add no objects, as the parameter '
                         'fusion.confirm_only (default: none)')
    offline.add_argument('--occupancy', action='store_true',
                         help='also find voxels, as the parameter occupancy.enabled of the nodes')
    parser.add_argument('--sensors', choices=SENSORS, default=SENSORS[0], help='what vehicle and units look with; '
                        'nodes have the parameters camera.enabled and lidar.enabled for it: with lidar alone point '
                        'clouds are what makes frames, in place of images (default: %(default)s)')
    parser.add_argument('--record', metavar='OUT', help='bag (folder) for what the nodes publish; must not exist')
    add_json(parser)
    parser.add_argument('--limit', type=int, metavar='N', help='images of the ego vehicle to play at most')
    without = parser.add_mutually_exclusive_group()
    without.add_argument('--ego-only', action='store_true', help='no roadside node runs')
    without.add_argument('--features', metavar='RECORDING',
                         help='bag made with --record: play the features that the units sent there in place of their '
                         'images; no roadside node is needed')
    parser.add_argument('--timeout', type=float, default=60.0, metavar='S',
                        help='longest wait for a node or an answer, seconds (default: %(default)s)')


def run(args: argparse.Namespace) -> int:
    """Play or run; return 0 if there are tracks."""
    if args.rate <= 0:
        raise UserError(f'--rate is {args.rate}, expected more than 0')
    if args.limit is not None and args.limit < 1:
        raise UserError(f'--limit is {args.limit}, expected 1 or more')
    if not args.offline and (args.weights or args.mode or args.confirm_only or args.occupancy):
        raise UserError('--weights, --mode, --confirm-only and --occupancy belong to --offline; nodes have the '
                        'parameters weights, fusion.mode, fusion.confirm_only and occupancy.enabled')
    if args.loop and not args.as_recorded:
        raise UserError('--loop belongs to --as-recorded; a second pass through nodes would only repeat the first')
    if args.as_recorded:
        return _play_as_recorded(args)
    play = run_offline if args.offline else replay
    with _played_bag(args) as bag:
        result = play(bag, args)
    if args.json:
        write_figures(args.json, result)
    print(f"{result['ego_images']} images, {result['tracks']} answers in {result['wall_s']:.1f} s; "
          f"modes: {result['modes'] or 'none'}")
    if result['fused']:
        print(readable('fused into tracks: ' + ', '.join(
            f'{count} of {unit}' for unit, count in result['fused'].items())))
    for name, latency in result['latency_ms'].items():
        print(f"{name}: total p50 {latency['total']['p50']:.1f} ms, p95 {latency['total']['p95']:.1f} ms")
    for name, drops in result['dropped'].items():
        if drops:
            print(readable(f'{name}: {drops}'))
    return 0 if result['tracks'] else 1


def _play_as_recorded(args: argparse.Namespace) -> int:
    """Play everything; no answers are awaited, so there is nothing to count."""
    others = {'--lockstep': args.lockstep, '--offline': args.offline, '--record': args.record, '--json': args.json,
              '--limit': args.limit, '--ego-only': args.ego_only, '--features': args.features}
    given = [name for name, value in others.items() if value]
    if given:
        raise UserError(f'--as-recorded plays all there is and awaits no answers; it does not go with {given[0]}')
    from ..replay.as_recorded import play_as_recorded
    passes, messages = play_as_recorded(Path(args.bag), args.rate, args.loop)
    print(f'played {passes} time(s), {messages} messages')
    return 0


@contextmanager
def _played_bag(args: argparse.Namespace) -> Iterator[Path]:
    """Give the bag to play: with recorded features in place of roadside images, if that is wanted."""
    if args.features is None:
        yield Path(args.bag)
        return
    from ..data.bags.merge import FEATURES_AHEAD_NS, merge_features
    with TemporaryDirectory(prefix='cooptrack_replay_') as folder:
        merged = Path(folder) / 'bag'
        # Frame by frame they must be there before the image; in real time they come when they were recorded.
        ahead_ns = FEATURES_AHEAD_NS if args.lockstep or args.offline else 0
        merge_features(Path(args.bag), Path(args.features), merged, ahead_ns)
        yield merged


def replay(bag: Path, args: argparse.Namespace) -> dict:
    """Return the result of one pass through the nodes as plain data."""
    from ..replay.player import PlayOptions
    from ..replay.session import play
    options = PlayOptions(args.timeout, args.limit, args.ego_only, args.rate, Sensors(args.sensors))
    return play(bag, options, args.lockstep, Path(args.record) if args.record else None, _progress())


def run_offline(bag: Path, args: argparse.Namespace) -> dict:
    """Return the result of the core alone in the same form."""
    from ..data.bags.info import describe_bag
    from ..data.bags.writer import BagWriter
    from ..replay.offline import OfflineOptions, OfflineReplay
    from ..replay.session import played_seconds
    from ..weights.store import open_model
    summary, package = describe_bag(bag), open_model(args.weights or 'mini')
    options = OfflineOptions(args.mode or 'auto', args.limit, args.ego_only, args.confirm_only or '',
                             args.occupancy, Sensors(args.sensors))
    with ExitStack() as stack:
        writer = stack.enter_context(BagWriter(Path(args.record))) if args.record else None
        result = OfflineReplay(bag, package, options, writer).run(_progress())
    seconds = played_seconds(summary, result['ego_images'], options.sensors)
    rates = {f'{name}_per_second': result.pop(name) / seconds if seconds > 0 else 0.0
             for name in ('serialized_bytes', 'occupancy_bytes')}
    return {'schema': 'cooptrack-replay/1', 'pace': 'offline', **result, **rates}


def _progress():
    """Return a callback that counts images on a terminal; a silent one elsewhere."""
    done = 0

    def show(count: int) -> None:
        nonlocal done
        done += count
        if sys.stderr.isatty():
            print(f'\r{done} images', end='', file=sys.stderr, flush=True)
    return show
