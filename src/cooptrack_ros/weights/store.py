"""Model packages: a folder with ``card.yaml`` and one safetensors file per side, found by name or path."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.config import EXECUTIONS, ModelConfig, config_to_dict, named_config, own_choices, stored_config
from ..common.errors import UserError
from ..common.types import Side
from ..model.lidar.sizes import BRANCHES
from .model_folder import CARD_NAME, PARTS, read_card, stored, write_with_card
from .part_file import is_for
from .weight_files import add_file, checked, filled, halved, read_entries, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..cooperation.feature_flow import FeatureFlow
    from ..model.fast.int8 import Ranges
    from ..model.lidar.branch import LidarBranch
    from ..model.network import CoopTrackNetwork
    from ..tracking.panoptic import PanopticReader
    from ..tracking.tracker import AgentTracker
    from ..tracking.uncertainty import UncertaintyModel
    from .compact_messages import SenderModel

FLOW_NAME = 'flow.safetensors'
"""Weights that carry features of the roadside network on in time, see ``cooperation.feature_flow``."""
RANDOM_PREFIX = 'random:'
_RANDOM_SEED = {Side.VEHICLE: 1, Side.ROADSIDE: 2, Side.COOPERATIVE: 3}


@dataclass(frozen=True)
class ModelPackage:
    """
    One model: configuration, card and weights of up to three sides.

    ``folder`` is None for seeded random weights, which serve tests and a first look without training.
    """

    name: str
    config: ModelConfig
    card: dict[str, Any]
    folder: Path | None

    def with_method(self, **changes: Any) -> ModelPackage:
        """Return the same weights with other switches; those that are None stay."""
        changes = {k: v for k, v in changes.items() if v is not None}
        return replace(self, config=replace(self.config, method=replace(self.config.method, **changes)))

    def at_rate(self, hz: float) -> ModelPackage:
        """Return the same weights for so many frames a second, see ``ModelConfig.at_rate``."""
        return replace(self, config=self.config.at_rate(hz))

    def has(self, side: Side) -> bool:
        """Tell whether weights of a side are there."""
        return self.folder is None or self._file(side).is_file()

    def network(self, side: Side, device: str = 'cpu') -> CoopTrackNetwork:
        """
        Return the network of a side in evaluation mode.

        :raises UserError: if the file is missing, damaged, or does not fit the configuration or the card; for a device
            that is not there.
        """
        import torch

        from ..model.device import check_available
        from ..model.network import CoopTrackNetwork
        check_available(device)
        if self.folder is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_RANDOM_SEED[side])
                network = CoopTrackNetwork(self.config, side)
        else:
            state = self.state(side)
            if self.detection_only:
                raise UserError(f"model '{self.name}' holds detection weights only, which cannot track: "
                                'use it to start a training (train vehicle|roadside --init)')
            network = filled(lambda: CoopTrackNetwork(self.config, side), state, self._file(side))
        return network.to(device).eval()

    @property
    def detection_only(self) -> bool:
        """Tell whether the weights lack everything that tracking adds to detection."""
        return bool(self.card.get('detection_only', False))

    def state(self, side: Side) -> dict[str, Tensor]:
        """
        Return the stored entries of a side under our names; where cooperation adds to the vehicle's network, with that.

        :raises UserError: if the file is missing, damaged, or not the one on the card.
        """
        state = {}
        for path in self._files(side):
            state |= read_entries(path)
        return state

    def tracker(self, side: Side, device: str = 'cpu', execution: str = EXECUTIONS[0],
                takes_clouds: bool = False) -> AgentTracker:
        """
        Return a tracker that runs the network of a side.

        :param execution: see ``tracking.execution.make_tracker``; :param takes_clouds: with its point cloud branch.
        :raises UserError: if there is no such network, or no branch where one is asked for.
        """
        from ..tracking.execution import check_device, make_tracker
        check_device(execution, device)
        flow = self.flow() if side is Side.COOPERATIVE and self.config.method.compensation == 'flow' else None
        network, ranges = self.network(side, device), self.ranges(side) if execution == 'int8' else None
        branch = self.branch(side) if takes_clouds else None
        if takes_clouds and branch is None:
            raise UserError(f"model '{self.name}' has no point cloud branch for its {side.value} weights (train "
                            f'{side.value} --config {self.config.name}_lidar makes one)')
        return make_tracker(network, self.config, side, device, execution, flow, ranges, branch)

    def branch(self, side: Side) -> LidarBranch | None:
        """
        Return the point cloud branch of a side; None if there is none for its weights.

        A network that adds to the vehicle's has that of the vehicle.

        :raises UserError: if there should be one and cannot be used.
        """
        from .lidar_file import load_branch, random_branch
        base = self.base_of(side)
        if self.folder is None:
            return random_branch(self.name.removeprefix(RANDOM_PREFIX), base, _RANDOM_SEED[base])
        entry = self.card.get('lidar')
        return None if entry is None else load_branch(self.folder, entry, self.config, base,
                                                      self.weights_sha256(base))

    def ranges(self, side: Side) -> Ranges:
        """
        Return the ranges of the activations of a side, which the execution ``int8`` needs.

        :raises UserError: if there are none for its weights.
        """
        from .int8_ranges import load_ranges
        if self.folder is None:
            raise UserError(f"execution 'int8' needs a stored model whose activations are known, not '{self.name}'")
        base = self.base_of(side)
        return load_ranges(self.folder, base, self.weights_sha256(base))

    def base_of(self, side: Side) -> Side:
        """Return whose weights make the features of a side: where cooperation adds to the vehicle, its own."""
        return Side.VEHICLE if self.config.adds(side) else side

    def weights_sha256(self, side: Side) -> str:
        """
        Return the SHA-256 of the stored weights of a side.

        :raises UserError: if they are missing, damaged or not those on the card.
        """
        return self._sha256(side) or sha256_of(self._checked_file(side))

    def flow(self) -> FeatureFlow | None:
        """
        Return how features of the roadside network go on in time; None without weights for that network.

        :raises UserError: if the file is missing, damaged or not the one on the card.
        """
        entry, roadside = self.card.get('flow'), self.card.get('sides', {}).get(Side.ROADSIDE.value, {})
        if entry is None or entry['roadside_sha256'] != roadside.get('sha256'):
            return None
        from ..cooperation.feature_flow import FeatureFlow
        path = checked(stored(self.folder / FLOW_NAME, entry['sha256']), entry)
        return filled(lambda: FeatureFlow(self.config.embed_dims, entry['hidden']), read_entries(path), path)

    def occupancy(self, side: Side, device: str = 'cpu') -> PanopticReader | None:
        """
        Return what reads voxels from the state of a tracker of a side; None if there is no head for its weights.

        :raises UserError: if there should be one and cannot be used.
        """
        from ..tracking.panoptic import PanopticReader
        from .occupancy_file import load_head
        if self.folder is None or self.card.get('occupancy') is None:
            return None
        base = self.base_of(side)
        head = load_head(self.folder, self.card['occupancy'], self.config, base, self.weights_sha256(base))
        try:
            return None if head is None else PanopticReader(head, self.config, side, device)
        except ValueError as error:
            raise UserError(f"the occupancy head of model '{self.name}' does not fit it: {error}") from error

    def uncertainty(self) -> UncertaintyModel | None:
        """
        Return how sure tracks of this model are, as far as that was fitted for its weights; None: for none of them.

        :raises UserError: if the card lists a file that is missing, damaged, or holds no such thing.
        """
        from .uncertainty_file import load_uncertainty
        if self.folder is None or self.card.get('uncertainty') is None:
            return None
        return load_uncertainty(self.folder, self.card['uncertainty'], self.config.class_names,
                                {side: self.model_id(side) for side in Side if self.has(side)})

    def without_uncertainty(self) -> ModelPackage:
        """Return the same model as it was before it was calibrated."""
        return replace(self, card={key: value for key, value in self.card.items() if key != 'uncertainty'})

    def lacks_uncertainty(self, side: Side) -> str:
        """Return why tracks of a side have no covariance, in words; empty if they have one."""
        model = self.uncertainty()
        if model is not None and any(network is side for network, _ in model.sources):
            return ''
        why = ('nothing of it' if self.card.get('uncertainty') is None
               else 'it for other weights or another configuration than those of this side')
        return (f"model '{self.name}' states no covariance for the {side.value} side: its card lists {why} "
                '(`cooptrack weights calibrate` fits it); tracks are published without')

    def parts(self, side: Side) -> list[str]:
        """Return the names of the optional parts that the card lists for the weights of a side."""
        base = self.base_of(side)
        return [name for name in PARTS
                if name in self.card and self.has(base) and is_for(self.card[name], base, self.weights_sha256(base))]

    def sender(self) -> SenderModel:
        """Return what receivers of the roadside side need of it."""
        from .compact_messages import SenderModel
        weights = self.network(Side.ROADSIDE).state_dict() if self.folder is None else self.state(Side.ROADSIDE)
        return SenderModel(self.model_id(Side.ROADSIDE), weights)

    def model_id(self, side: Side) -> str:
        """Return 16 hexadecimal digits that change with the weights or the configuration of a side."""
        digest = hashlib.sha256(json.dumps(own_choices(self.config), sort_keys=True).encode())
        digest.update(side.value.encode())
        if self.folder is None:
            digest.update(b'random')
        else:
            for path in self._files(side):
                add_file(digest, path)
        return digest.hexdigest()[:16]

    def _files(self, side: Side) -> list[Path]:
        """Return the checked files that the network of a side is made of."""
        sides = (Side.VEHICLE, side) if self.config.adds(side) else (side,)
        return [self._checked_file(s) for s in sides]

    def _file(self, side: Side) -> Path:
        return stored(self.folder / f'{side.value}.safetensors', self._sha256(side))

    def _sha256(self, side: Side) -> str | None:
        return self.card.get('sides', {}).get(side.value, {}).get('sha256')

    def _checked_file(self, side: Side) -> Path:
        path = self._file(side)
        if not path.is_file():
            have = ', '.join(s.value for s in Side if self.has(s)) or 'no side'
            raise UserError(f"model '{self.name}' has no {side.value} weights: {path} is missing (it has {have})")
        return checked(path, self.card.get('sides', {}).get(side.value, {}))


def model_folders() -> list[Path]:
    """Return the folders in which models are looked up by name: the source tree, then the installed share."""
    folders = [Path(__file__).resolve().parents[3] / 'models']
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        if prefix:
            folders.append(Path(prefix) / 'share' / 'cooptrack_ros' / 'models')
    return [f for f in folders if f.is_dir()]


def installed_models() -> list[ModelPackage]:
    """Return the models that are found by name; one that is shadowed by another of its name is left out."""
    found: dict[str, ModelPackage] = {}
    for folder in model_folders():
        for card in sorted(folder.glob(f'*/{CARD_NAME}')):
            found.setdefault(card.parent.name, open_model(str(card.parent)))
    return list(found.values())


def open_model(weights: str) -> ModelPackage:
    """
    Open a model by NAME, by the path of its folder, or ``random:PRESET`` for seeded random weights.

    A preset of ``model.lidar.sizes.BRANCHES`` also has a point cloud branch.

    :raises UserError: if there is no such model, or its card cannot be read.
    """
    if weights.startswith(RANDOM_PREFIX):
        preset = weights.removeprefix(RANDOM_PREFIX)
        config = BRANCHES[preset][0] if preset in BRANCHES else named_config(preset)
        return ModelPackage(weights, config, {'name': weights}, None)
    candidates = [Path(weights)] + [folder / weights for folder in model_folders()]
    folder = next((c for c in candidates if (c / CARD_NAME).is_file()), None)
    if folder is None:
        looked = ', '.join(str(c) for c in candidates)
        raise UserError(f"no model '{weights}': expected a folder with {CARD_NAME}; looked at {looked}")
    card = read_card(folder / CARD_NAME)
    try:
        config = stored_config(card['configuration'])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{folder / CARD_NAME} is not a model card: {error}') from error
    return ModelPackage(str(card.get('name', folder.name)), config, card, folder)


def save_side(folder: Path, config: ModelConfig, side: Side, network: CoopTrackNetwork,
              training: dict[str, Any]) -> Path:
    """
    Write a network that was trained here as float16, see ``write_side``.

    Of a cooperative network that adds to the vehicle's, ``cooperative`` takes the additions and ``vehicle`` the rest.

    :param training: recipe of this side (data, seeds, steps, schedule), plain data for the card.
    """
    from ..model.network import ADDED
    state = halved(network.state_dict())
    if config.adds(Side.COOPERATIVE):
        state = {k: v for k, v in state.items() if (k.split('.')[0] in ADDED) == config.adds(side)}
    return write_side(folder, config, side, state, {'training': training}, 'Apache-2.0')


def write_side(folder: Path, config: ModelConfig, side: Side, state: Mapping[str, Tensor], origin: dict[str, Any],
               licence: str, detection_only: bool = False) -> Path:
    """
    Write one side as safetensors and enter it in the card (made if missing), see ``write_with_card``.

    :param state: entries under our names, stored in their own precision.
    :param origin: where the weights come from, plain data for the card.
    :param detection_only: the weights lack what tracking adds, see ``ModelPackage.detection_only``.
    :returns: the weights file.
    """
    from safetensors.torch import save
    folder.mkdir(parents=True, exist_ok=True)
    data = save({k: v.contiguous() for k, v in state.items()})
    path = folder / f'{side.value}.safetensors'
    card_path = folder / CARD_NAME
    card = read_card(card_path) if card_path.is_file() else {}
    before = card.get('sides', {}).get(side.value, {}).get('sha256')
    card.setdefault('name', folder.name)
    card.setdefault('licence', licence)
    if detection_only:
        card['detection_only'] = True
    # In full, so that a later change of a preset cannot change what these weights mean.
    card['configuration'] = {'preset': config.name, **config_to_dict(config)}
    card['class_names'] = list(config.class_names)
    card['input_size'] = list(config.input_size)
    card['ranges'] = {'ego': list(config.ego_range.pc_range), 'infra': list(config.infra_range.pc_range)}
    card.setdefault('sides', {})[side.value] = {
        'sha256': hashlib.sha256(data).hexdigest(),
        'bytes': len(data),
        'entries': len(state),
        'values': sum(v.numel() for v in state.values()),
        **origin,
    }
    write_with_card(path, data, before, card_path, card)
    return path
