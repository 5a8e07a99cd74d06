"""Models: take over published checkpoints, write them back, list and verify."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.text import for_table, readable, readable_lines
from . import weights_calibrate, weights_quantize

SUMMARY = 'import, export, list, verify, quantize and calibrate models'
_SIDES = ('vehicle', 'roadside', 'cooperative')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    add = actions.add_parser('import', help='convert published .pth checkpoints into a model folder')
    add.add_argument('files', nargs='+', type=Path, metavar='FILE.pth')
    add.add_argument('--side', choices=_SIDES, help='side of a file whose name and MD5 do not tell it')
    add.add_argument('--name', help='model name (default: from the file)')
    add.add_argument('--models', type=Path, help='folder of models (default: where models are looked up by name)')
    add.add_argument('--config', default='r50', help='preset or YAML that the files must fit (default: r50)')
    out = actions.add_parser('export', help='write a model as published .pth checkpoints')
    out.add_argument('model', help='name or folder')
    out.add_argument('--side', choices=_SIDES, help='one side only (default: all it has)')
    out.add_argument('--out', type=Path, default=Path('.'), help='folder for NAME_{veh,inf,coop}.pth')
    actions.add_parser('list', help='show the models here, and the published files')
    check = actions.add_parser('verify', help='check hashes, names, shapes and values; nothing named: all models')
    check.add_argument('targets', nargs='*', metavar='MODEL|FILE.pth')
    check.add_argument('--config', default='r50', help='preset or YAML that .pth files must fit (default: r50)')
    check.add_argument('--side', choices=_SIDES, help='side of a .pth file whose name and MD5 do not tell it')
    weights_quantize.add_arguments(actions.add_parser(
        'quantize', help='measure the activations of a model on data, for execution int8'))
    weights_calibrate.add_arguments(actions.add_parser(
        'calibrate', help='fit covariances and the probability of existence of the tracks of a model on data'))


def run(args: argparse.Namespace) -> int:
    """Run the action; return 0 if everything was in order."""
    return {'import': _import, 'export': _export, 'list': _list, 'verify': _verify,
            'quantize': weights_quantize.run, 'calibrate': weights_calibrate.run}[args.action](args)


def _side(args: argparse.Namespace):
    from ..common.types import Side
    return Side(args.side) if args.side else None


def _import(args: argparse.Namespace) -> int:
    from ..common.config import named_config
    from ..common.errors import UserError
    from ..weights.convert import import_file
    if args.side and len(args.files) > 1:
        raise UserError('--side says the side of one file; import the others in calls of their own')
    config = named_config(args.config)
    for path in args.files:
        package, checked = import_file(path, config, _side(args), args.name, args.models)
        origin = (f'the published {checked.published.name}' if checked.published
                  else f'not one of the published files (MD5 {checked.md5})')
        print('; '.join([f'{path}: {origin}', *map(readable, checked.checkpoint.unwrapping),
                         f'all {checked.entries} entries fit {checked.side.value}']))
        print(f'  -> {package.folder / (checked.side.value + ".safetensors")}, '
              f'model_id {package.model_id(checked.side)}')
    name = package.folder if args.models else package.folder.name
    if not package.detection_only:
        print(f'use it with --weights {name}')
    else:
        print(f'detection only: start a training from it with --init {package.folder}')
    return 0


def _export(args: argparse.Namespace) -> int:
    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..common.types import Side
    from ..weights.convert import export_file
    from ..weights.published_files import FILE_SUFFIX
    from ..weights.store import open_model
    package = open_model(args.model)
    if package.folder is None:
        raise UserError(f"'{args.model}' has no files; only stored models can be exported")
    sides = [Side(args.side)] if args.side else [s for s in Side if package.has(s)]
    check_folder(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    for side in sides:
        path = args.out / f'{package.name}_{FILE_SUFFIX[side]}.pth'
        print(f'{path}: {export_file(package, side, path)} entries of {side.value}')
    return 0


def _list(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from ..common.types import Side
    from ..weights.convert import configuration_summary
    from ..weights.published_files import PUBLISHED_FILES
    from ..weights.store import installed_models
    models = Table('model', 'configuration', 'side', 'MB', 'source', title='models here')
    imported = {}
    for package in installed_models():
        first = f'{package.config.name}: {configuration_summary(package.config)}'
        for side in (s for s in Side if package.has(s)):
            entry = package.card.get('sides', {}).get(side.value, {})
            source = entry.get('source', {})
            imported[source.get('md5')] = package.name
            models.add_row(for_table(package.name), for_table(first), ' + '.join([side.value, *package.parts(side)]),
                           f'{entry.get("bytes", 0) / 1e6:.1f}',
                           for_table(str(source.get('published') or source.get('file') or 'trained here')))
            first = ''
    published = Table('file', 'side', 'MD5', 'imported as', title='published files')
    for file in PUBLISHED_FILES:
        published.add_row(f'{file.name}.pth', file.side.value + (', detection only' if file.detection_only else ''),
                          file.md5, for_table(imported.get(file.md5, '-')))
    console = Console(width=150)
    console.print(models)
    console.print(published)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from ..common.config import named_config
    from ..common.errors import UserError
    from ..common.types import Side
    from ..weights.convert import check_file
    from ..weights.store import installed_models, open_model
    from ..weights.verify import VERIFIED_ENTRIES, verify_side
    failed = 0

    def report(name: str, check) -> None:
        nonlocal failed
        try:
            print(f'{name}: ok, {check()}')
        except UserError as error:
            failed += 1
            print(f'{name}: FAILED\n  ' + readable_lines(str(error)))

    def file_text(path: Path) -> str:
        checked = check_file(path, named_config(args.config), _side(args))
        what = checked.published.name if checked.published else f'no published file (MD5 {checked.md5})'
        return ', '.join([what, checked.side.value, *checked.checkpoint.unwrapping,
                          f'all {checked.entries} entries fit'])

    targets = args.targets or [str(p.folder) for p in installed_models()]
    for target in targets:
        if Path(target).is_file() or target.endswith(('.pth', '.pt')):
            report(target, lambda path=Path(target): file_text(path))
            continue
        try:
            package = open_model(target)
        except UserError as error:
            report(target, lambda error=error: _raise(error))
            continue
        for side in (s for s in Side if package.folder and package.has(s)):
            report(f'{package.name} {side.value}', lambda side=side, package=package: verify_side(package, side))
        for entry, verify in VERIFIED_ENTRIES.items():
            if package.card.get(entry) is not None:
                report(f'{package.name} {entry}', lambda verify=verify, package=package: verify(package))
    if not targets:
        print('no models here')
    return 1 if failed else 0


def _raise(error: Exception) -> str:
    raise error
