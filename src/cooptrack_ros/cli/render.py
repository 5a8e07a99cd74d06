"""Sub-command ``cooptrack render``: curves, losses, a report, and pictures and videos of result files."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.files import printable, write_atomically
from .flags import add_truth

if TYPE_CHECKING:
    from ..viz.scene import SceneView

_LONGEST = 80
"""Characters of the name of a result in that of a file."""
SUMMARY = 'draw results: curves, where the loss is, an HTML report, pictures and a video'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('results', metavar='RESULT.json', type=Path, nargs='+',
                        help='result files (cooptrack-eval-golden/1, or results_nusc.json with --truth) of the same '
                        'frames, to be compared; for --rrd alone also a recorded bag of the ego node; or, with --data '
                        'and --output, one folder of `cooptrack eval --task occupancy --results`, alone or beside '
                        'result files, whose report then shows its voxels')
    add_truth(parser)
    parser.add_argument('--data', nargs='+', type=Path, metavar='DIR', default=[],
                        help='data set, or several, of the results: draws the first result into the camera images')
    parser.add_argument('-o', '--output', type=Path, metavar='OUT', help='folder for what is drawn')
    parser.add_argument('--rrd', type=Path, metavar='OUT.rrd',
                        help='file for the Rerun viewer, of a bag, or with --data of '
                        'the first result (needs rerun-sdk)')
    parser.add_argument('--sequence', metavar='ID', help='sequence for pictures; may be left out if there is only one')
    parser.add_argument('--pictures', type=int, default=5, metavar='N', help='pictures to write (default: %(default)s)')
    parser.add_argument('--no-video', action='store_true', help='no tracks.mp4')


def run(args: argparse.Namespace) -> int:
    """Draw; return 0 when the files are there."""
    from rich.progress import Progress

    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..eval.exchange import same_frames
    from ..eval.result_files import read_exchange
    if args.pictures < 1:
        raise UserError(f'--pictures is {args.pictures}, expected 1 or more')
    if args.output is None and args.rrd is None:
        raise UserError('nothing to write: expected --output OUT, --rrd OUT.rrd or both')
    voxels = _draw_voxels(args)
    if not args.results:
        return 0
    is_bag = _check_rrd(args) if args.rrd else False
    if is_bag:
        from ..viz.bag_scenes import bag_scenes
        return _write_rrd(args.rrd, bag_scenes(args.results[0]), printable(args.results[0]))
    contents = [read_exchange(path, args.truth) for path in args.results]
    for path, content in zip(args.results[1:], contents[1:]):
        if not same_frames(contents[0], content):
            raise UserError(f'{args.results[0]} and {path} differ in their frames or ground truth: '
                            'only results of the same frames can be compared')
        if content['classes'] != contents[0]['classes']:
            raise UserError(f'{args.results[0]} and {path} differ in their classes: only results of the same classes '
                            'can be compared')
    chosen = _choose(args, contents[0]) if args.data else None
    if not any(scene['samples'] for scene in contents[0]['scenes']):
        raise UserError(f'{args.results[0]} has no frames')
    if args.rrd:
        from ..viz.recording_scenes import scenes
        records, partners, frames = chosen
        _write_rrd(args.rrd, zip((1000 * r.stamp_us for r in records), scenes(records, partners, frames, '')),
                   contents[0]['name'])
    if args.output is None:
        return 0
    check_folder(args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    with Progress(transient=True) as progress:
        task = progress.add_task('measuring', total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)
        files = _write_figures(args.output, _labelled(args.results, contents), advance, voxels)
        if chosen:
            progress.update(task, description='drawing')
            files += _draw(args, chosen, contents[0]['name'], advance)
    print(f'{args.output}: {", ".join(f.name for f in files)}')
    return 0


def _draw_voxels(args: argparse.Namespace) -> list[Path]:
    """Draw the volumes that are among the results, and take them out; return the pictures."""
    from ..common.errors import UserError
    from ..occupancy.volume_files import is_volume_folder
    folders = [path for path in args.results if is_volume_folder(path)]
    if not folders:
        return []
    if len(folders) > 1:
        raise UserError(f'{folders[0]} and {folders[1]} both hold volumes: expected one folder')
    from .render_occupancy import render_volumes
    pictures = render_volumes(args, folders[0])
    args.results = [path for path in args.results if path not in folders]
    print(f'{args.output}: {len(pictures)} pictures of {folders[0]}')
    return pictures


def _check_rrd(args: argparse.Namespace) -> bool:
    """See that the file for Rerun can be made, before any work; tell whether it is made of a bag."""
    from ..common.errors import UserError
    from ..common.outputs import check_file
    from ..viz.rerun_file import check_rerun
    first = args.results[0]
    is_bag = first.is_dir() or first.suffix in ('.mcap', '.db3')
    if is_bag and (len(args.results) > 1 or args.output or args.data):
        raise UserError(f'{first} is a bag: expected it alone with --rrd, without --output and --data')
    if not is_bag and not args.data:
        raise UserError('--rrd of a result needs the data set: expected --data DIR')
    check_rerun()
    check_file(args.rrd)
    return is_bag


def _write_rrd(path: Path, scenes: Iterable[tuple[int, SceneView]], title: str) -> int:
    """Write a file for Rerun, say so, and return the exit status."""
    from ..viz.rerun_file import write_rrd
    count = write_rrd(path, scenes, title)
    print(f'{printable(path)}: {count} frames; open it with: rerun {printable(path)}')
    return 0


def _choose(args: argparse.Namespace, result: Mapping[str, Any]) -> tuple[list, dict, dict]:
    """Return the records of the sequence to draw, the pairs of each unit with them, and their tracks."""
    from ..common.errors import UserError
    from ..data.folders import open_datasets
    from ..eval.selection import token_prefix
    from ..viz.result import tracked_frames
    datasets = open_datasets(args.data)
    sequences = {token_prefix(folder, datasets) + sequence: (folder, dataset, sequence)
                 for folder, dataset in datasets for sequence in dataset.sequences()}
    names = [n for n in sequences if args.sequence in (None, n, sequences[n][2])]
    if len(names) != 1:
        where = ', '.join(str(path) for path in args.data)
        raise UserError(f"{where} has the sequences {', '.join(sequences)}: choose one with --sequence")
    folder, dataset, sequence = sequences[names[0]]
    records = dataset.records('cooperative', sequence)
    frames = tracked_frames(result, records, token_prefix(folder, datasets)[:-1] or folder.name)
    if not frames:
        raise UserError(f'{args.results[0]} has no frame of {folder}, sequence {sequence}')
    drawn = [r for r in records if r.token in frames]
    return drawn, dataset.partners(drawn), frames


def _labelled(paths: list[Path], contents: list[dict]) -> dict[str, dict]:
    """Return results by name; where names repeat, by name and file."""
    names = [content['name'] for content in contents]
    return {name if names.count(name) == 1 else f'{name} ({printable(path)})': content
            for path, name, content in zip(paths, names, contents)}


def _write_figures(folder: Path, results: Mapping[str, dict], advance: Callable[[int, int], None],
                   voxels: Sequence[Path]) -> list[Path]:
    """
    Write curves, analyses and the report, of class car or else the first one; return the files.

    :param voxels: pictures for the report.
    """
    from ..eval import report
    from ..eval.analysis import analyse
    from ..eval.error_kinds import error_kinds
    from ..eval.nuscenes import evaluate_with_curves
    from ..viz.analysis_plot import draw_analysis
    from ..viz.curves import Measured, draw_curves
    from ..viz.error_plot import draw_errors
    from ..viz.html_report import ReportedResult, write_report
    measured, reported, analyses = [], [], {}
    classes = next(iter(results.values()))['classes']
    shown = 'car' if 'car' in classes else classes[0]
    for done, (label, content) in enumerate(results.items(), 1):
        figures, curves = evaluate_with_curves(content)
        measured.append(Measured(label, figures, curves))
        analyses[label] = analyse(content)
        name = 'analysis.png' if done == 1 else f'analysis_{done}_{re.sub("[^0-9A-Za-z]+", "_", label)[:_LONGEST]}.png'
        draw_analysis(folder / name, analyses[label], label)
        found = report.measure(content, figures, shown)
        reported.append(ReportedResult(label, content, found['vehicle'], found['per_class'],
                                       report.motion_row(found['motion']), folder / name))
        advance(done, len(results))
    errors = {label: error_kinds(content) for label, content in results.items() if content.get('agents')}
    for label, found in errors.items():
        analyses[label]['errors'] = found
    if errors:
        draw_errors(folder / 'errors.png', errors)
    draw_curves(folder / 'curves.png', measured, shown)
    write_atomically(folder / 'analysis.json', json.dumps(analyses, indent=1) + '\n')
    write_report(folder / 'report.html', reported, folder / 'curves.png', shown, voxels)
    return [folder / 'curves.png', *(r.analysis_picture for r in reported), *([folder / 'errors.png'] * bool(errors)),
            folder / 'analysis.json', folder / 'report.html']


def _draw(args: argparse.Namespace, chosen: tuple[list, dict, dict], title: str,
          advance: Callable[[int, int], None]) -> list[Path]:
    """Write pictures, animation and video; return the files."""
    from ..viz.recording_files import write_album
    records, partners, frames = chosen
    files = write_album(args.output, records, partners, frames, title, args.pictures, advance=advance,
                        video=not args.no_video)
    if not args.no_video and not any(f.suffix == '.mp4' for f in files):
        print('no tracks.mp4: OpenCV here cannot write MPEG-4')
    return files
