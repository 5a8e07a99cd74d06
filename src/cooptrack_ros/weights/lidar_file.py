"""Point cloud branches of a model: one file beside its networks, with a branch for each side that has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.config import ModelConfig
from ..common.types import Side
from ..model.lidar.sizes import BRANCHES, MINI_LIDAR
from .part_file import Part, load_part, save_part

if TYPE_CHECKING:
    from ..model.lidar.branch import LidarBranch

PART = Part('lidar', 'point cloud branch', MINI_LIDAR)
LIDAR_NAME = PART.file


def load_branch(folder: Path, entry: Mapping[str, Any], config: ModelConfig, side: Side,
                weights_sha256: str) -> LidarBranch | None:
    """
    Return the branch of a side, in evaluation mode; None if the card lists none for these weights of the side.

    :param entry: that of the card.
    :raises UserError: if the file is missing, damaged, not the one on the card, or does not fit its sizes.
    """
    from ..model.lidar.branch import LidarBranch
    return load_part(PART, folder, entry, side, weights_sha256, lambda sizes: LidarBranch(config, side, sizes))


def random_branch(name: str, side: Side, seed: int) -> LidarBranch | None:
    """Return a seeded random branch whose gate is open, in evaluation mode; None for a name that has none."""
    import torch

    from ..model.lidar.branch import LidarBranch
    if name not in BRANCHES:
        return None
    config, sizes = BRANCHES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LidarBranch(config, side, sizes, gate=1.0).eval()


def save_branch(folder: Path, side: Side, weights_sha256: str, branch: LidarBranch, origin: dict[str, Any]) -> Path:
    """
    Write the branch of a side as float16 and enter it in the card; branches of other sides stay.

    :param weights_sha256: of the network of that side.
    :param origin: training and measured figures, plain data for the card. :returns: the weights file.
    :raises UserError: if there are branches of other sizes.
    """
    return save_part(PART, folder, side, weights_sha256, branch, branch.sizes, origin)
