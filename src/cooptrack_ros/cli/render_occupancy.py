"""``cooptrack render`` of the volumes that ``cooptrack eval --task occupancy --results`` wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

FRAMES = 5
"""So many are shown from above."""


def render_volumes(args: argparse.Namespace, folder: Path) -> list[Path]:
    """
    Draw pictures of a folder of volumes; return their files.

    :raises UserError: if it holds none of the frames of the data.
    """
    from rich.progress import track

    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..common.types import Side
    from ..occupancy.grids import GRIDS
    from ..occupancy.volume_files import VolumeFolder
    from ..viz.image_files import write_image
    from ..viz.voxels import voxel_sheet
    if args.rrd or not args.data or args.output is None:
        raise UserError(f'{folder} holds volumes: expected it with --data DIR and --output OUT, without --rrd')
    found = VolumeFolder.open(folder)
    sequence, records = _records(args, folder, found)
    check_folder(args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    profile, files = GRIDS[found.grid], []
    grid = profile.grid(Side.ROADSIDE if found.side == 'infrastructure-side' else Side.VEHICLE)
    wanted = sorted({round(k * (len(records) - 1) / max(args.pictures - 1, 1)) for k in range(args.pictures)})
    for place in track(wanted, 'drawing', transient=True):
        shown = records[max(place - FRAMES + 1, 0):place + 1]
        image, projection = records[place].cameras[0].read()
        sheet = voxel_sheet(image, projection, [found.read(sequence, r.token) for r in shown], grid, profile.taxonomy,
                            [f'{(r.stamp_us - records[place].stamp_us) / 1e6:+.1f} s' for r in shown])
        files.append(args.output / f'voxels_{place:04d}.png')
        write_image(files[-1], sheet)
    return files


def _records(args: argparse.Namespace, folder: Path, found) -> tuple[str, list]:
    """Return the name of the sequence to draw, and its records that have volumes."""
    from ..common.errors import UserError
    from ..data.folders import open_datasets
    from ..eval.selection import token_prefix
    datasets = open_datasets(args.data)
    there = {token_prefix(folder, datasets) + sequence: (dataset, sequence)
             for folder, dataset in datasets for sequence in dataset.sequences()}
    named = {name: where for name, where in there.items()
             if name in found.files and args.sequence in (None, name, where[1])}
    if len(named) != 1:
        raise UserError(f"{folder} has the sequences {', '.join(found.files)} and --data "
                        f"{', '.join(there)}: choose one that both have with --sequence")
    (name, (dataset, sequence)), = named.items()
    records = [r for r in dataset.records(found.side, sequence) if r.token in found.files[name]]
    if not records:
        where = ', '.join(str(Path(p)) for p in args.data)
        raise UserError(f'{where}: sequence {sequence} has none of the frames of {folder}')
    return name, records
