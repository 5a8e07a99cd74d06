"""What a pretrained encoder rebuilds of clouds that it has not learned from, beside a guess from the neighbourhood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from .gather import OWN, Gathering
from .masking import Cells, MaskedCloud, mask_cloud
from .settings import LidarPretrainingConfig
from .stage import LidarStage, chamfer, padded

_MOST_FRAMES = 100
_NEAR_M, _MIDDLE_M = 30.0, 50.0


@dataclass(frozen=True)
class Rebuilt:
    """
    A masked cloud with what the network and what the neighbourhood say of its M cells.

    ``predicted`` and ``guessed`` are (M, P, 3) in shares of the cell, ``hidden_from_ego`` (M,) tells which cells hold
    no point of the vehicle's own.
    """

    cloud: MaskedCloud
    predicted: np.ndarray
    guessed: np.ndarray
    hidden_from_ego: np.ndarray


@torch.inference_mode()
def rebuild(stage: LidarStage, frame: Gathering, settings: LidarPretrainingConfig, seed: int) -> Rebuilt:
    """Hide cells of a frame as in the training, but not augmented, and rebuild them."""
    grid, rng = stage.encoder.grid, np.random.default_rng(seed)
    points, agent = frame.read(settings.agents)
    cloud = mask_cloud(points, grid, settings, rng)
    own = np.unique(Cells(grid).numbers(points[(agent == OWN) & grid.inside(points)]))
    training = stage.modules.training
    stage.modules.eval()
    predicted = stage.rebuild([cloud]).cpu().numpy()
    stage.modules.train(training)
    return Rebuilt(cloud, predicted, neighbour_guess(cloud, Cells(grid), settings.points, rng),
                   ~np.isin(_numbers(cloud, Cells(grid)), own))


def _numbers(cloud: MaskedCloud, cells: Cells) -> np.ndarray:
    return cloud.cells[:, 0] * cells.shape[1] + cloud.cells[:, 1]


def neighbour_guess(cloud: MaskedCloud, cells: Cells, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return random points (M, count, 3) of the nearest visible cell of each hidden one, moved into it, in shares."""
    hidden = _numbers(cloud, cells)
    seen = ~np.isin(cloud.cell, hidden)
    order = np.flatnonzero(seen)[np.argsort(cloud.cell[seen], kind='stable')]
    visible, first, counts = np.unique(cloud.cell[order], return_index=True, return_counts=True)
    if not len(hidden):
        return np.zeros((0, count, 3), np.float32)
    _, nearest = cKDTree(cells.centres(visible)).query(cells.centres(hidden))
    drawn = first[nearest][:, None] + (rng.random((len(hidden), count)) * counts[nearest][:, None]).astype(np.int64)
    rows = order[drawn].reshape(-1)
    return cells.shares(cloud.points[rows, :3], cloud.cell[rows]).reshape(len(hidden), count, 3).astype(np.float32)


def measure(stage: LidarStage, frames: Sequence[Gathering], settings: LidarPretrainingConfig) -> dict:
    """
    Return mean Chamfer distances in metres (L1), of the network and of the neighbourhood, and their quotient.

    Over hidden cells of the points that the training looks at; at most 100 frames, evenly spaced.
    """
    cells = Cells(stage.encoder.grid)
    groups: dict[str, list[np.ndarray]] = {}
    for k in np.unique(np.linspace(0, len(frames) - 1, min(len(frames), _MOST_FRAMES)).astype(int)):
        found = rebuild(stage, frames[k], settings, int(k))
        if not len(found.predicted):
            continue
        errors = np.stack([_metres(found.cloud, points, cells) for points in (found.predicted, found.guessed)], 1)
        away = np.linalg.norm(cells.centres(_numbers(found.cloud, cells))[:, :2], axis=1)
        for name, chosen in (('all', away >= 0), ('hidden_from_ego', found.hidden_from_ego),
                             ('seen_by_ego', ~found.hidden_from_ego), ('0-30 m', away < _NEAR_M),
                             ('30-50 m', (away >= _NEAR_M) & (away < _MIDDLE_M)), ('50 m and more', away >= _MIDDLE_M)):
            groups.setdefault(name, []).append(errors[chosen])
    return {name: _row(np.concatenate(errors)) for name, errors in groups.items()}


def _metres(cloud: MaskedCloud, points: np.ndarray, cells: Cells) -> np.ndarray:
    unit = torch.from_numpy(cells.unit.astype(np.float32))
    targets, counts = padded([cloud], 'cpu')
    return chamfer(torch.from_numpy(points) * unit, targets * unit, counts, 'l1').numpy()


def _row(errors: np.ndarray) -> dict[str, float | int | None]:
    """Return how many cells there are, both distances and their quotient; None where there are no cells."""
    if not len(errors):
        return {'cells': 0, 'rebuilt_m': None, 'neighbour_m': None, 'quotient': None}
    rebuilt, neighbour = errors.mean(0)
    return {'cells': len(errors), 'rebuilt_m': round(float(rebuilt), 4), 'neighbour_m': round(float(neighbour), 4),
            'quotient': round(float(rebuilt / neighbour), 4)}


def picture_of(stage: LidarStage, frame: Gathering, settings: LidarPretrainingConfig) -> dict[str, Any]:
    """Return the arguments of ``viz.reconstruction.draw_reconstruction`` for a frame, but its title; metres."""
    found, cells = rebuild(stage, frame, settings, 0), Cells(stage.encoder.grid)
    numbers = _numbers(found.cloud, cells)
    centres = cells.centres(numbers)
    return {'visible': found.cloud.visible, 'centres': centres, 'size': float(cells.unit[0]),
            'predicted': (centres[:, None] + found.predicted * cells.unit).reshape(-1, 3),
            'truth': found.cloud.points[np.isin(found.cloud.cell, numbers)]}
