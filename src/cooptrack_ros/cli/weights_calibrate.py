"""``cooptrack weights calibrate``: fit how sure tracks of a model are, and store it with the model."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from .flags import add_json, add_threads
    parser.add_argument('--weights', required=True, metavar='MODEL', help='name or folder, which the file goes into')
    parser.add_argument('--data', nargs='+', required=True, type=Path,
                        help='data folders, or folders of seed_* folders: two scenes or more that no network was '
                        'trained on and that no figure is measured on')
    parser.add_argument('--results', type=Path, help='folder for results of the networks; what is there from the same '
                        'model, data and options is not run again')
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    add_threads(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the networks, fit, store what was fitted and print how it holds in scenes left out; return 0."""
    import torch

    from ..common.config import LATE_RULE
    from ..common.errors import UserError
    from ..common.outputs import check_folder, write_figures
    from ..common.types import Side
    from ..eval.calibration_run import errors_by_network, name_of, results_on
    from ..eval.reliability import reliability, reliability_lines
    from ..eval.uncertainty_fit import fit
    from ..weights.store import open_model
    from ..weights.uncertainty_file import save_uncertainty
    package = open_model(args.weights)
    if package.folder is None:
        raise UserError(f"'{args.weights}' has no files to go with; only stored models can be calibrated")
    for folder in filter(None, (package.folder, args.results)):
        check_folder(folder)
    torch.set_num_threads(args.threads)
    results = results_on(package.without_uncertainty(), args.data, args.results, args.limit, LATE_RULE.default, print)
    class_names = package.config.class_names
    model, held = fit(errors_by_network(results), len(class_names))
    if not model.sources:
        raise UserError('too few tracks with an object in these scenes for any source; expected more scenes')
    left = sorted(name_of(source) for source in held.keys() - model.sources.keys())
    if left:
        print(f"too few tracks, nothing is stated: {'; '.join(left)}")
    figures = reliability({name_of(source): held[source] for source in model.sources})
    print('\n'.join(['', 'in scenes that the fit did not see:', *reliability_lines(figures), '']))
    origin = {'data': [path.name for path in args.data], 'limit': args.limit,
              'scenes': len({s for rows in held.values() for s in rows.scene.tolist()}),
              'tracks': {name_of(source): held[source][held[source].exists].num_tracks() for source in model.sources}}
    ids = {side: package.model_id(side) for side in Side if package.has(side)}
    path = save_uncertainty(package.folder, model, class_names, ids, origin)
    print(f'{path}: {len(model.sources)} sources; {package.folder / "card.yaml"} lists it')
    if args.json:
        write_figures(args.json, figures)
    return 0
