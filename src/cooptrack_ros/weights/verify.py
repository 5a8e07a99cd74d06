"""Checks of a stored model: each of its networks, and everything else that its card lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..common.errors import UserError
from ..common.types import Side
from .bev_fusion_file import SIDES, own_sides
from .convert import published_state
from .published_checkpoint import check_entries

if TYPE_CHECKING:
    from .store import ModelPackage


def verify_side(package: ModelPackage, side: Side) -> str:
    """
    Check hash, names, shapes and values of one side, and the optional parts that stand on it.

    :returns: one line that says what was found.
    :raises UserError: if anything is wrong.
    """
    report = check_entries(published_state(package, side), package.config, side, package.detection_only)
    if not report.good:
        raise UserError(f"{side.value} weights of '{package.name}' do not fit their card:\n{report.text()}")
    hashed = 'hash as on the card' if 'sha256' in package.card.get('sides', {}).get(side.value, {}) else 'no hash'
    load = {'occupancy': package.occupancy, 'lidar': package.branch}
    parts = [name for name in package.parts(side) if load[name](side) is not None]
    return ', '.join([hashed, report.text(), *(f'{name} fits' for name in parts)])


def _verify_uncertainty(package: ModelPackage) -> str:
    model = package.uncertainty()
    return 'for other weights or another configuration' if model is None else f'{len(model.sources)} sources of tracks'


def _verify_flow(package: ModelPackage) -> str:
    return 'for other roadside weights' if package.flow() is None else 'hash as on the card, for its roadside weights'


def _verify_bev_fusion(package: ModelPackage) -> str:
    own = own_sides(package)
    others = [side.value for side in SIDES if side not in own]
    stands = [f"for its {' and '.join(side.value for side in own)} weights"] * bool(own)
    stands += [f"for {' and '.join(others)} weights that are not its own"] * bool(others)
    return ', '.join(['hash as on the card', *stands])


VERIFIED_ENTRIES: dict[str, Callable[[ModelPackage], str]] = {
    'flow': _verify_flow, 'uncertainty': _verify_uncertainty, 'bev_fusion': _verify_bev_fusion}
"""
What checks the file of each entry of a card that belongs to none of its sides alone.

Each returns one line that says what was found, and raises a UserError if anything is wrong.
"""
