"""Action ``cooptrack bag markers``: draw what RViz would show of a recorded bag."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.errors import UserError


def add_markers_action(actions) -> None:
    """Declare the action and its options."""
    markers = actions.add_parser('markers', help='draw the markers of a recorded bag as RViz would show them')
    markers.add_argument('bag', metavar='BAG', help='bag with the outputs of a node, such as out/demo/recording')
    markers.add_argument('-o', '--output', required=True, metavar='OUT', help='folder for the pictures')
    markers.add_argument('--node', default='/ego/ego_node', metavar='NAME',
                         help='whose markers, with its namespace (default: %(default)s)')
    markers.add_argument('--step', type=int, default=10, metavar='N',
                         help='draw every N-th frame (default: %(default)s)')
    markers.add_argument('--reach', type=float, default=50.0, metavar='M',
                         help='metres to each side in the view from above (default: %(default)g)')
    markers.add_argument('--without', nargs='+', default=[], metavar='NAMESPACE', help='namespaces to leave out')


def draw_markers(args: argparse.Namespace) -> int:
    """Draw; return 0 if there was something to draw."""
    from ..data.bag_markers import read_markers
    from ..viz.marker_album import write_marker_pictures
    if args.step < 1 or args.reach <= 0:
        raise UserError(f'--step is {args.step}, --reach is {args.reach:g}: both must be positive')
    files = write_marker_pictures(
        Path(args.output), read_markers(Path(args.bag), args.node), args.step, args.reach, args.without)
    print(f'{args.output}: {len(files)} pictures')
    return 0 if files else 1
