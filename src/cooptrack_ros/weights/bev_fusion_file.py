"""The fusion of BEV features of a model: one file beside the networks of vehicle and roadside, which it stands on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import UserError
from ..common.types import Side
from .model_folder import CARD_NAME, read_card, stored, write_with_card
from .weight_files import checked, filled, halved, read_entries

if TYPE_CHECKING:
    from ..model.cooperation.bev_fusion import BevFusion
    from .store import ModelPackage

BEV_FUSION_NAME = 'bev_fusion.safetensors'
SIDES = (Side.VEHICLE, Side.ROADSIDE)
"""Whose BEV features are fused."""


def weights_of(vehicle: ModelPackage, roadside: ModelPackage) -> dict[str, str]:
    """
    Return the SHA-256 of the networks that a fusion stands on, as a card names them.

    :raises UserError: if one of them is missing, or of random weights, which have none.
    """
    packages = dict(zip(SIDES, (vehicle, roadside), strict=True))
    for package in packages.values():
        if package.folder is None:
            raise UserError(f"BEV fusion needs a stored model, not '{package.name}'")
    return {f'{side.value}_sha256': package.weights_sha256(side) for side, package in packages.items()}


def has_bev_fusion(vehicle: ModelPackage, roadside: ModelPackage) -> bool:
    """
    Tell whether the model of the vehicle has a fusion for these networks on its card.

    One of random weights has one that changes nothing.
    """
    entry = vehicle.card.get('bev_fusion')
    if vehicle.folder is None or roadside.folder is None:
        return vehicle.folder is None
    return entry is not None and all(entry[name] == sha256 for name, sha256 in weights_of(vehicle, roadside).items())


def load_bev_fusion(vehicle: ModelPackage, roadside: ModelPackage) -> BevFusion:
    """
    Return the fusion of a model, in evaluation mode.

    :raises UserError: if there is none for these networks, or its file is missing, damaged or not the one on the card.
    """
    from ..model.cooperation.bev_fusion import BevFusion
    if not has_bev_fusion(vehicle, roadside):
        raise UserError(f"model '{vehicle.name}' has no BEV fusion for its vehicle weights and the roadside weights of "
                        f"'{roadside.name}' (train bev-fusion makes one)")
    return BevFusion(vehicle.config).eval() if vehicle.folder is None else _read(vehicle)


def own_sides(package: ModelPackage) -> tuple[Side, ...]:
    """
    Return the sides of a model whose weights the fusion on its card was trained for, after its file was checked.

    The others are those of another model, or of another time.

    :raises UserError: if the file of the fusion or of a network is missing, damaged or not the one on the card.
    """
    _read(package)
    entry = package.card['bev_fusion']
    return tuple(side for side in SIDES
                 if package.has(side) and package.weights_sha256(side) == entry[f'{side.value}_sha256'])


def _read(package: ModelPackage) -> BevFusion:
    """Return the fusion on the card of a model, in evaluation mode, whichever networks it is for."""
    from ..model.cooperation.bev_fusion import BevFusion
    entry = package.card['bev_fusion']
    path = checked(stored(package.folder / BEV_FUSION_NAME, entry['sha256']), entry)
    return filled(lambda: BevFusion(package.config), read_entries(path), path)


def save_bev_fusion(vehicle: ModelPackage, roadside: ModelPackage, fusion: BevFusion, origin: dict[str, Any]) -> Path:
    """
    Write a fusion as float16 beside the network of the vehicle and enter it in the card, see ``write_with_card``.

    :param origin: training and measured figures, plain data for the card. :returns: the weights file.
    """
    from safetensors.torch import save
    sources = weights_of(vehicle, roadside)
    path, card_path = vehicle.folder / BEV_FUSION_NAME, vehicle.folder / CARD_NAME
    data = save(halved(fusion.state_dict()))
    card = read_card(card_path)
    before = card.get('bev_fusion', {}).get('sha256')
    card['bev_fusion'] = {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data), **sources, **origin}
    write_with_card(path, data, before, card_path, card)
    return path
