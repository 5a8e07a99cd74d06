"""One training run from data folders and a recipe to weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..common.config import ModelConfig, config_to_dict
from ..common.errors import UserError
from ..common.files import write_atomically
from ..common.types import Boxes, InstanceSet, Side
from ..cooperation.feature_flow import FeatureFlow
from ..data.dataset import OpenedData, recordings
from ..data.folders import open_datasets
from ..data.spd.schema import read_json
from ..model.lidar.branch import LidarBranch
from ..model.lidar.sizes import LidarSizes
from ..model.network import ADDED, CoopTrackNetwork
from ..weights.encoder_file import ENCODER_NAME, load_encoder
from ..weights.model_folder import CARD_NAME
from ..weights.published_checkpoint import read_checkpoint
from ..weights.store import ModelPackage, open_model, save_side
from ..weights.store_parts import save_flow, save_lidar
from .checkpoint import read_training
from .clips import RECORD_SIDE, ClipStream, MixedStream, target_boxes
from .feature_flow_stage import FlowStage, FlowStream, measure, split, timelines
from .feed import Stream
from .image_stage import ImageStage
from .loop import CHECKPOINT_NAME, Stage, TrainLoop
from .ranks import Ranks
from .recipe import TrainConfig, recipe_family
from .roadside_cache import load_messages, roadside_messages, save_messages
from .tracking_stage import TrackingStage
from .warm_start import start_association, start_from_objects, start_track_motion

Report = Callable[[str], None]
SETTINGS_NAME = 'settings.json'
_CAMERA_EMBED = 'bev_encoder.camera_embed'


def build_network(config: ModelConfig, side: Side, seed: int, init: Sequence[Path],
                  datasets: OpenedData) -> CoopTrackNetwork:
    """
    Return a network to train: from scratch with queries placed on the training objects, or from earlier weights.

    :param init: run folders, model folders, or files with backbone weights (torchvision's names); what a later one
        holds counts, and what none holds keeps its initial value, so that a later stage can start from an earlier one.
        Those of a network with fewer cameras do, too: further ones begin as its last.
    """
    torch.manual_seed(seed)
    network = CoopTrackNetwork(config, side)
    saved = _for_cameras(_saved_weights(init, side, config), config.max_cameras)
    own_start = recipe_family(config) != 'paper'
    if own_start and 'query_points.weight' not in saved:
        records = [r for _, d in recordings(datasets, RECORD_SIDE[side]) for r in d.training_records(RECORD_SIDE[side])]
        start_from_objects(network, Boxes.concatenate([target_boxes(r, config, side) for r in records]), seed)
    if own_start and side is Side.COOPERATIVE and 'association.query' not in saved:
        start_association(network)
    incompatible = network.load_state_dict(saved, strict=False)
    if incompatible.unexpected_keys:
        raise UserError(f'{", ".join(map(str, init))}: does not fit this configuration: unexpected '
                        f'{incompatible.unexpected_keys[:3]}')
    if config.method.carried_motion and 'track_motion.gains.0.weight' not in saved:
        start_track_motion(network)
    return network


def build_branch(config: ModelConfig, side: Side, sizes: LidarSizes, recipe: TrainConfig,
                 init: Sequence[Path]) -> LidarBranch:
    """
    Return a point cloud branch to train, with the whole branch of a model or run, or the encoder of a pretraining.

    :param init: see ``build_network``; what a later one holds counts.
    :raises UserError: for a branch of other sizes.
    """
    torch.manual_seed(recipe.seed)
    branch = LidarBranch(config, side, sizes, recipe.modalities.gate)
    for source in init:
        if (source / ENCODER_NAME).is_file():
            load_encoder(source, branch.encoder)
            continue
        state = _saved_branch(source, side)
        try:
            branch.load_state_dict(state or branch.state_dict())
        except RuntimeError as error:
            raise UserError(f'{source}: its point cloud branch has other sizes than {sizes}') from error
    return branch


def _saved_branch(source: Path, side: Side) -> dict[str, torch.Tensor]:
    """Return the branch of a model or a run, empty without one; models may have it for one side only."""
    if is_model(source):
        package = open_model(str(source))
        known = (s for s in (side, Side.VEHICLE) if package.has(s))
        found = next(filter(None, (package.branch(s) for s in known)), None)
        return {} if found is None else found.state_dict()
    if source.is_file():
        return {}
    return {k.removeprefix('lidar.'): v for k, v in saved_modules(source).items() if k.startswith('lidar.')}


def saved_modules(folder: Path) -> dict[str, torch.Tensor]:
    """Return what a run trained; raise a UserError if the folder holds no run."""
    path = folder / CHECKPOINT_NAME
    if not path.is_file():
        raise UserError(f'{folder} holds no {CHECKPOINT_NAME} or {CARD_NAME} to start from')
    return read_training(path)['modules']


def is_model(folder: Path) -> bool:
    """Tell whether a folder holds a model."""
    return (folder / CARD_NAME).is_file()


def _saved_weights(init: Sequence[Path], side: Side, config: ModelConfig) -> dict[str, torch.Tensor]:
    saved = {}
    for source in init:
        saved |= _saved_network(source, side, config)
    return saved


def _for_cameras(saved: dict[str, torch.Tensor], count: int) -> dict[str, torch.Tensor]:
    """Return weights with an embedding for so many cameras."""
    known = saved.get(_CAMERA_EMBED)
    if known is None or len(known) >= count:
        return saved
    return saved | {_CAMERA_EMBED: torch.cat([known, known[-1:].expand(count - len(known), -1)])}


def _saved_network(folder: Path, side: Side, config: ModelConfig) -> dict[str, torch.Tensor]:
    if is_model(folder):
        package = open_model(str(folder))
        if config.adds(side) and package.has(side) and not package.config.adds(side):
            # Of a whole cooperative network, what finds and aligns instances is of use beside the vehicle's.
            return package.state(Side.VEHICLE) | {
                k: v for k, v in package.state(side).items() if k.split('.')[0] in ADDED[:2]}
        # The cooperative network starts from the vehicle's.
        return package.state(side if package.has(side) else Side.VEHICLE)
    if folder.is_file():
        weights = read_checkpoint(folder).state
        # The classifier of ImageNet is of no use here.
        return {f'backbone.{k}': v for k, v in weights.items() if not k.startswith('fc.')}
    return {k.removeprefix('network.'): v for k, v in saved_modules(folder).items() if k.startswith('network.')}


def image_run(config: ModelConfig, recipe: TrainConfig, folders: list[Path],
              sides: tuple[Side, ...] = (Side.VEHICLE, Side.ROADSIDE), device: str = 'cpu',
              init: Sequence[Path] = ()) -> tuple[Stage, Stream]:
    """Return stage and stream of the image pretraining on one side or both; :param init: see ``build_network``."""
    datasets = open_datasets(folders, velocity_labels=recipe.velocity_labels)
    torch.manual_seed(recipe.seed)
    share = replace(recipe, batch_size=max(recipe.batch_size // len(sides), 1))
    streams = [ClipStream(datasets, side, config, share) for side in sides]
    network = CoopTrackNetwork(config, sides[0])
    network.load_state_dict(_saved_weights(init, sides[0], config), strict=False)
    return ImageStage(network, recipe, device), MixedStream(streams)


def tracking_run(config: ModelConfig, recipe: TrainConfig, side: Side, folders: list[Path], init: Sequence[Path] = (),
                 messages: dict[tuple[str, str], InstanceSet] | None = None, device: str = 'cpu',
                 flow: FeatureFlow | None = None, lidar: LidarSizes | None = None,
                 early: bool = False) -> tuple[Stage, Stream]:
    """
    Return stage and stream of detection or stage 1 (vehicle, roadside), or stage 2 (cooperative, with messages).

    :param flow: of the model that sent the messages, used with ``method.compensation`` of that name.
    :param lidar: sizes of the point cloud branch that is trained too.
    :param early: the vehicle has the images of its partner too.
    :raises UserError: for a recipe that teaches what this network leaves as it is.
    """
    if recipe.syncl.twin and recipe.syncl.stage2 and config.adds(side):
        raise UserError("syncl.stage2 teaches the decoder, which a cooperative network with method.cooperation "
                        "'additions' takes over as it is; expected 'whole'")
    datasets = open_datasets(folders, velocity_labels=recipe.velocity_labels, early=early)
    network = build_network(config, side, recipe.seed, init, datasets)
    stream = ClipStream(datasets, side, config, recipe, messages, lidar is not None)
    branch = None if lidar is None else build_branch(config, side, lidar, recipe, init)
    stage = TrackingStage(network, recipe, device, flow, branch)
    for source in init:
        if source.is_dir() and not is_model(source):
            stage.start_heads(saved_modules(source))
    return stage, stream


def collect_messages(package: ModelPackage, folders: list[Path], cache: Path, report: Report,
                     device: str = 'cpu', hz: int = 0) -> dict[tuple[str, str], InstanceSet]:
    """
    Return what the roadside model sends on all data, from the cache folder where it is there already.

    :param hz: of the frames, 0: all of them.
    :returns: instances by recording (folder, with the unit where there are several) and roadside token.
    """
    cache = cache / f'{package.model_id(Side.ROADSIDE)}{f"_{hz}_hz" if hz else ""}'
    collected = {}
    tracker = package.tracker(Side.ROADSIDE, device)
    for name, dataset in recordings(open_datasets(folders), RECORD_SIDE[Side.ROADSIDE]):
        path = cache / f'{name}.npz'
        path.parent.mkdir(parents=True, exist_ok=True)
        messages = load_messages(path)
        if messages is None:
            report(f'roadside messages of {name}')
            messages = roadside_messages(dataset, tracker, hz)
            save_messages(path, messages)
        collected |= {(name, token): instances for token, instances in messages.items()}
    return collected


def flow_run(package: ModelPackage, recipe: TrainConfig, folders: list[Path],
             messages: dict[tuple[str, str], InstanceSet]) -> tuple[Stage, Stream]:
    """Return stage and stream of the feature flow of a roadside model."""
    known, held_out = split(timelines(open_datasets(folders), messages))
    return FlowStage(package.config.embed_dims, recipe, held_out), FlowStream(known, recipe.seed)


def train(stage: Stage, stream: Stream, config: ModelConfig, recipe: TrainConfig, out: Path,
          minutes: float | None, report: Callable[[int, float, dict], None] | None = None,
          time_limit_minutes: float | None = None, ranks: Ranks | None = None, workers: int = 0,
          sender: str | None = None, more: Mapping[str, Any] | None = None) -> TrainLoop:
    """
    Run or resume a training in a folder; effective settings and the state of the code are written beside it.

    :param sender: identity of the roadside weights whose messages are learned from. :param more: further settings.
    :raises UserError: for a folder whose run learned from the messages of other weights.
    """
    ranks = ranks or Ranks()
    _check_sender(out, sender)
    loop = TrainLoop(stage, stream, recipe, out, minutes, ranks, workers)
    if ranks.rank == 0:
        settings = {'model': config_to_dict(config), 'recipe': asdict(recipe), 'minutes': minutes,
                    'processes': ranks.count, 'code': code_state(), 'sender': sender, **(more or {})}
        write_atomically(out / SETTINGS_NAME, json.dumps(settings, indent=1))
    loop.run(report, time_limit_minutes)
    return loop


def _check_sender(out: Path, sender: str | None) -> None:
    """Refuse other messages than before: the weights would fit neither."""
    path = out / SETTINGS_NAME
    before = read_json(path, dict).get('sender') if path.is_file() else None
    if before not in (None, sender):
        raise UserError(f'the run in {out} learned from messages of the roadside weights {before}, not of '
                        f'{sender}: choose another run folder')


def code_state() -> dict[str, str]:
    """Return version and, in a clone, commit of this package; ``-dirty`` marks changes that are not committed."""
    state = {'version': __version__, 'torch': torch.__version__}
    command = ['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty', '--abbrev=40']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return state
    return {**state, 'commit': done.stdout.strip()} if done.returncode == 0 else state


def export_flow(folder: Path, stage: FlowStage, recipe: TrainConfig, loop: TrainLoop, data: list[Path]) -> Path:
    """Write the trained flow beside the roadside weights that it goes with; what it is worth goes on the card."""
    stage.flow.eval()
    training = {'steps': loop.step, 'data': [p.name for p in data], 'recipe': asdict(recipe)}
    return save_flow(open_model(str(folder)), stage.flow, {
        'training': training, 'held_out_sequences': len(stage.held_out),
        'measured': measure(stage.flow, stage.held_out)})


def export(folder: Path, stage: TrackingStage, recipe: TrainConfig, loop: TrainLoop, data: list[Path]) -> Path:
    """
    Write the trained network into a model folder with its recipe on the card, and its point cloud branch beside it.

    Where the tracker was frozen the folder has it already, see ``check_export``.
    """
    training = {'steps': loop.step, 'frames': loop.step * recipe.batch_size,
                'minutes': round(loop.elapsed_s / 60, 1), 'data': [p.name for p in data], 'recipe': asdict(recipe)}
    frozen = stage.has_frozen_tracker
    if frozen:
        check_export(folder, stage)
    path = folder if frozen else save_side(folder, stage.config, stage.side, stage.network, training)
    if stage.stages.lidar is not None and not stage.config.adds(stage.side):
        path = save_lidar(open_model(str(folder)), stage.side, stage.stages.lidar, {'training': training})
    return path


def check_export(folder: Path, stage: Stage) -> None:
    """Raise a UserError unless a folder holds the model that a stage leaves as it is."""
    stored = open_model(str(folder)).state(stage.side)
    if any(name not in stored or not torch.equal(stored[name].to(value), value)
           for name, value in stage.network.state_dict().items()):
        raise UserError(f'the {stage.side.value} weights in {folder} are not those that the training stands on: '
                        'expected a copy of the model of --init')
