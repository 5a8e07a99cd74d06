"""Networks for other inference engines: the frame of a side as ONNX files."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--weights', default='mini', help='model name or folder (default: mini)')
    parser.add_argument('--side', choices=('vehicle', 'roadside', 'cooperative'), required=True)
    parser.add_argument('--out', type=Path, required=True, help='folder for the .onnx files and the description')
    parser.add_argument('--cameras', type=int, default=1, help='images of a frame (default: 1)')
    parser.add_argument('--units', type=int, default=1, help='roadside units, cooperative only (default: 1)')
    parser.add_argument('--slots', type=int, default=64, help='instances of each unit (default: 64)')


def run(args: argparse.Namespace) -> int:
    """Write the files."""
    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..common.types import Side
    from ..tracking.fixed_shape.export import Capacity, export
    from ..weights.store import open_model
    for name in ('cameras', 'units', 'slots'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} must be at least 1, not {getattr(args, name)}')
    check_folder(args.out)
    package, side = open_model(args.weights), Side(args.side)
    if args.cameras > package.config.max_cameras:
        raise UserError(f"--cameras {args.cameras}, but '{package.name}' knows {package.config.max_cameras} cameras")
    title = {'model': package.name, 'model_id': package.model_id(side)}
    for path in export(package.network(side), args.out, title, Capacity(args.cameras, args.units, args.slots)):
        print(path)
    return 0
