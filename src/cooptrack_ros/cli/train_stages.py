"""What ``cooptrack train`` does for each of its stages: one entry of a table, in which alone its name stands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.config import NOMINAL_HZ
from ..common.errors import UserError

if TYPE_CHECKING:
    from ..common.config import ModelConfig
    from ..train.feed import Stream
    from ..train.loop import Stage, TrainLoop
    from ..train.ranks import Ranks
    from ..train.recipe import TrainConfig
    from ..weights.store import ModelPackage

_BOTH = ('vehicle', 'roadside')


@dataclass(frozen=True)
class Call:
    """One call of the command; ``sizes`` are those of what the stage adds to the network, None without."""

    args: argparse.Namespace
    config: ModelConfig
    sizes: Any
    recipe: TrainConfig
    ranks: Ranks

    @property
    def hz(self) -> float:
        """Frames a second that are learned from."""
        return self.recipe.hz or NOMINAL_HZ

    @property
    def cache(self) -> Path:
        """The folder that keeps what others send."""
        return self.args.messages or self.args.out / 'messages'

    def by_turns(self, collect: Callable[[], Any]) -> Any:
        """Return what is collected from a folder; the first process alone computes what is not there yet."""
        collected = collect() if self.ranks.rank == 0 else None
        self.ranks.agree(1)
        return collected or collect()


@dataclass(frozen=True)
class TrainedStage:
    """
    A stage that trains the network of one side, which its name or ``--side`` says; others override what they do.

    ``options`` are those that not every stage takes; ``sides`` are the values of ``--side``.
    """

    name: str
    summary: str
    options: tuple[str, ...] = ('export',)
    sides: tuple[str, ...] = ()
    own_recipe: bool = False
    """Whether its recipe is one for all configurations, and learns from all frames; else each family has its own."""
    takes_branch: bool = True
    """Whether a point cloud branch is trained too."""
    needs_roadside: bool = False

    def takes_early(self, args: argparse.Namespace) -> bool:
        """Tell whether the network may have the images of a partner."""
        return 'early' in self.options

    def check(self, args: argparse.Namespace) -> None:
        """Raise a UserError for options that do not go together."""
        if self.needs_roadside and args.roadside is None:
            raise UserError(f'stage {self.name} needs --roadside MODEL, whose network sends the messages')

    def configuration(self, args: argparse.Namespace) -> tuple[ModelConfig, Any]:
        """Return the configuration of the network, and the sizes of what the stage adds to it, or None."""
        from ..common.config import named_config
        from ..model.lidar.sizes import BRANCHES, named_branch
        if args.config not in BRANCHES:
            return named_config(args.config), None
        if not self.takes_branch:
            raise UserError(f'--config {args.config} has a point cloud branch, which the stage {self.name} does not '
                            'train')
        return named_branch(args.config)

    def recipe_of(self, args: argparse.Namespace) -> str:
        """Return the name of the recipe that is taken by default, without its family."""
        return self.name

    def scenes(self, args: argparse.Namespace, sizes: Any) -> dict[str, Any]:
        """Return the options of synthetic scenes that hold what is learned from."""
        return {'lidar': sizes is not None}

    def sender(self, call: Call) -> ModelPackage | None:
        """Return the model whose roadside network sends what is learned from, or None."""
        from ..weights.store import open_model
        return open_model(call.args.roadside).at_rate(call.hz) if call.args.roadside else None

    def identity(self, call: Call, sender: ModelPackage | None) -> str | None:
        """Return what changes with the weights that send; :param sender: see there."""
        from ..common.types import Side
        return sender and sender.model_id(Side.ROADSIDE)

    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        """Return stage and stream."""
        from ..common.types import Side
        from ..train import run as runs
        args = call.args
        return runs.tracking_run(call.config, call.recipe, Side(args.side or self.name), args.data, args.init,
                                 *_heard(call, sender), call.sizes, args.early)

    def check_export(self, call: Call, stage: Stage) -> None:
        """Raise a UserError unless the result of the stage can go to ``--export``."""
        from ..train import run as runs
        if call.sizes is not None and stage.has_frozen_tracker:
            runs.check_export(call.args.export, stage)

    def settings(self, stage: Stage) -> dict[str, Any]:
        """Return what tells a run of this stage from others, for its run folder."""
        return {}

    def exporter(self, call: Call) -> Callable[..., Path]:
        """Return what writes the result into a model folder."""
        from ..train import run as runs
        return runs.export

    def finish(self, call: Call, stage: Stage, loop: TrainLoop) -> None:
        """Write the result of a training that is complete."""
        args = call.args
        if args.export:
            print('weights:', self.exporter(call)(args.export, stage, call.recipe, loop, args.data))


def _collected(call: Call, sender: ModelPackage) -> dict:
    """Return what the roadside network of a model sends."""
    from ..train import run as runs
    return call.by_turns(lambda: runs.collect_messages(sender, call.args.data, call.cache, print, call.ranks.device,
                                                       call.recipe.hz))


def _heard(call: Call, sender: ModelPackage | None) -> tuple:
    """Return messages, device and flow for a network that may receive messages."""
    messages = None if sender is None else _collected(call, sender)
    wants_flow = sender is not None and call.config.method.compensation == 'flow'
    return messages, call.ranks.device, sender.flow() if wants_flow else None


class _Image(TrainedStage):
    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        from ..common.types import Side
        from ..train import run as runs
        args = call.args
        sides = tuple(map(Side, [args.side] if args.side else self.sides))
        return runs.image_run(call.config, call.recipe, args.data, sides, call.ranks.device, args.init)

    def finish(self, call: Call, stage: Stage, loop: TrainLoop) -> None:
        """Leave the backbone in the run folder."""


class _Detection(TrainedStage):
    def takes_early(self, args: argparse.Namespace) -> bool:
        return args.side == 'vehicle'

    def check(self, args: argparse.Namespace) -> None:
        if args.side is None:
            raise UserError(f'stage {self.name} needs --side vehicle or --side roadside')

    def recipe_of(self, args: argparse.Namespace) -> str:
        return f'{self.name}-{args.side}'


class _Flow(TrainedStage):
    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        from ..train import run as runs
        return runs.flow_run(sender, call.recipe, call.args.data, _collected(call, sender))

    def exporter(self, call: Call) -> Callable[..., Path]:
        from ..train import run as runs
        return runs.export_flow


class _Occupancy(TrainedStage):
    def check(self, args: argparse.Namespace) -> None:
        if args.roadside and args.side not in (None, 'cooperative'):
            raise UserError(f'--roadside sends messages to the cooperative side, not to --side {args.side}')
        if args.export and args.queries == 'own':
            raise UserError('--export is for --queries tracker: a head with queries of its own is used from its run '
                            'folder')

    def configuration(self, args: argparse.Namespace) -> tuple[ModelConfig, Any]:
        from ..train.occupancy.start import head_of
        return head_of(args.config, args.queries or 'tracker', args.init)

    def recipe_of(self, args: argparse.Namespace) -> str:
        return f'{self.name}-{args.queries or "tracker"}'

    def scenes(self, args: argparse.Namespace, sizes: Any) -> dict[str, Any]:
        from ..model.occupancy.sizes import HEADS
        return {'lidar': False, 'occupancy': HEADS[args.config][1].profile}

    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        from ..common.types import Side
        from ..train.occupancy.start import occupancy_run
        args = call.args
        return occupancy_run(call.config, call.sizes, call.recipe, Side(args.side or 'cooperative'), args.data,
                             args.init, *_heard(call, sender))

    def check_export(self, call: Call, stage: Stage) -> None:
        from ..train import run as runs
        runs.check_export(call.args.export, stage)

    def settings(self, stage: Stage) -> dict[str, Any]:
        from ..train.occupancy.start import head_settings
        return head_settings(stage)

    def exporter(self, call: Call) -> Callable[..., Path]:
        from ..train.occupancy.start import export_head
        return export_head


class _LidarPretraining(TrainedStage):
    def configuration(self, args: argparse.Namespace) -> tuple[ModelConfig, Any]:
        from ..model.lidar.sizes import named_branch
        return named_branch(args.config)

    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        from ..train.lidar.run import lidar_run
        args = call.args
        return lidar_run(args.config, call.recipe, args.data, call.ranks.device, args.init)

    def finish(self, call: Call, stage: Stage, loop: TrainLoop) -> None:
        """Write encoder, figures and a picture."""
        from ..train.lidar.measure import picture_of
        from ..train.lidar.run import finish
        from ..viz.image_files import write_image
        from ..viz.reconstruction import draw_reconstruction
        out, lidar = call.args.out, call.recipe.lidar
        figures = finish(out, stage, call.recipe, loop, call.args.data)
        for name, row in figures['chamfer_l1'].items():
            print(f'{name}: {row["cells"]} hidden cells, rebuilt {row["rebuilt_m"]} m, neighbour '
                  f'{row["neighbour_m"]} m')
        if stage.held_out:
            parts = picture_of(stage, stage.held_out[0], lidar)
            write_image(out / 'reconstruction.png', draw_reconstruction(lidar.agents, **parts))
        print(f'encoder and figures: {out}')


class _BevFusion(TrainedStage):
    def configuration(self, args: argparse.Namespace) -> tuple[ModelConfig, Any]:
        from ..train.bev_fusion.start import FusedModels
        return FusedModels.of(args.init, args.roadside).vehicle.config, None

    def _fused(self, call: Call):
        """Return the models whose BEV features are fused."""
        from ..train.bev_fusion.start import FusedModels
        return FusedModels.of(call.args.init, call.args.roadside, call.recipe.hz)

    def sender(self, call: Call) -> ModelPackage:
        return self._fused(call).roadside

    def identity(self, call: Call, sender: ModelPackage | None) -> str:
        return self._fused(call).identity

    def prepare(self, call: Call, sender: ModelPackage | None) -> tuple[Stage, Stream]:
        from ..train.bev_fusion.maps import collect_maps
        from ..train.bev_fusion.start import bev_fusion_run
        models = self._fused(call)
        if call.args.export:
            models.check_export(call.args.export)

        def collect(datasets):
            return call.by_turns(lambda: collect_maps(models.vehicle, models.roadside, datasets, call.cache, print,
                                                      call.ranks.device, call.recipe.hz))
        return bev_fusion_run(models.vehicle, call.recipe, call.args.data, collect, call.ranks.device)

    def exporter(self, call: Call) -> Callable[..., Path]:
        return self._fused(call).export


STAGES = {stage.name: stage for stage in (
    _Image('image', 'backbone on single images', ('export', 'side'), _BOTH, takes_branch=False),
    _Detection('detection', 'one side without tracks', ('export', 'side', 'early'), _BOTH),
    TrainedStage('vehicle', 'stage 1', ('export', 'early')),
    TrainedStage('roadside', 'stage 1'),
    TrainedStage('cooperative', 'stage 2', ('export', 'roadside'), needs_roadside=True),
    _Flow('flow', 'how roadside features go on in time', ('export', 'roadside'), own_recipe=True, takes_branch=False,
          needs_roadside=True),
    _Occupancy('occupancy', 'voxels on the frames of a tracker', ('export', 'roadside', 'side', 'queries'),
               (*_BOTH, 'cooperative')),
    _LidarPretraining('lidar-pretraining', 'encoder of point clouds, without labels', ('agents',), own_recipe=True),
    _BevFusion('bev-fusion', 'fusion of the BEV features of both sides, for the mode of that name',
               ('export', 'roadside')))}
"""All stages by name, in the order in which they are listed."""
