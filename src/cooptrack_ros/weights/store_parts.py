"""What is stored beside the networks of a model: flow, occupancy heads, point cloud branches."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import UserError
from ..common.types import Side
from .model_folder import CARD_NAME, read_card, write_with_card
from .store import FLOW_NAME, ModelPackage
from .weight_files import halved

if TYPE_CHECKING:
    from ..cooperation.feature_flow import FeatureFlow
    from ..model.lidar.branch import LidarBranch
    from ..model.occupancy.head import OccupancyHead


def save_flow(package: ModelPackage, flow: FeatureFlow, origin: dict[str, Any]) -> Path:
    """
    Write a flow beside the networks of a model as float16 and enter it in the card, see ``write_with_card``.

    :param origin: training and measured figures, plain data for the card.
    :returns: the weights file.
    :raises UserError: if the model has no roadside weights on its card, whose features the flow is for.
    """
    from safetensors.torch import save
    roadside = package.card.get('sides', {}).get(Side.ROADSIDE.value)
    if package.folder is None or roadside is None:
        raise UserError(f"model '{package.name}' has no roadside weights for a flow to go with")
    data = save(halved(flow.state_dict()))
    path, card_path = package.folder / FLOW_NAME, package.folder / CARD_NAME
    card = read_card(card_path)
    before = card.get('flow', {}).get('sha256')
    card['flow'] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data),
                    'roadside_sha256': roadside['sha256'], 'hidden': flow.hidden, **origin}
    write_with_card(path, data, before, card_path, card)
    return path


def save_occupancy(package: ModelPackage, side: Side, head: OccupancyHead, origin: dict[str, Any]) -> Path:
    """
    Write an occupancy head beside the networks of a model and enter it in the card, see ``occupancy_file.save_head``.

    Where cooperation adds to the vehicle, both have one head, that of the vehicle.

    :raises UserError: if the model has no weights of that side.
    """
    from .occupancy_file import save_head
    folder, base = _place_of(package, side, 'an occupancy head')
    return save_head(folder, base, package.weights_sha256(base), head, origin)


def save_lidar(package: ModelPackage, side: Side, branch: LidarBranch, origin: dict[str, Any]) -> Path:
    """
    Write a point cloud branch beside the networks of a model and on its card, see ``lidar_file.save_branch``.

    Where cooperation adds to the vehicle, both have one branch, that of the vehicle.

    :raises UserError: if the model has no weights of that side.
    """
    from .lidar_file import save_branch
    folder, base = _place_of(package, side, 'a point cloud branch')
    return save_branch(folder, base, package.weights_sha256(base), branch, origin)


def _place_of(package: ModelPackage, side: Side, part: str) -> tuple[Path, Side]:
    """Return the folder for an optional part of a side, and the side whose weights it goes with."""
    if package.folder is None or not package.has(side):
        raise UserError(f"model '{package.name}' has no {side.value} weights for {part} to go with")
    return package.folder, package.base_of(side)
