"""What cameras of roadside units see, by the labels of their voxels, in the grid of the vehicle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...common.types import Side
from ...cooperation.voxels.carry import carried
from ...data.dataset import DataSet, FrameRecord
from ...occupancy.grids import Profile
from ...occupancy.label_file import read_voxels


def seen_by_units(dataset: DataSet, records: Sequence[FrameRecord], profile: Profile) -> Iterator[np.ndarray | None]:
    """
    Yield which voxels (X, Y, Z) of the vehicle any unit sees in each of some pairs; None where no unit has labels.

    What a unit sees is taken to stay from the time of its frame to that of the vehicle's.
    """
    partners = dataset.partners(records)
    labels = {unit: {(r.sequence, r.token): r.occupancy.get(profile.name)
                     for r in dataset.units[unit].records('infrastructure-side')} for unit in partners}
    for place in range(len(records)):
        pairs = [(labels[unit], of_unit[place]) for unit, of_unit in partners.items()]
        files = [(files.get((pair.sequence, pair.infra_token)), pair) for files, pair in pairs]
        known = [(path, pair) for path, pair in files if path is not None]
        yield _seen(known, profile) if known else None


def _seen(known: Sequence[tuple[Path, FrameRecord]], profile: Profile) -> np.ndarray:
    seen = np.zeros(profile.vehicle.shape, bool)
    for path, pair in known:
        index = np.flatnonzero(read_voxels(path).mask_camera)
        index, _ = carried(index, np.ones(len(index), np.uint8), profile.grid(Side.ROADSIDE), profile.vehicle,
                           pair.ego_from_infra)
        seen.reshape(-1)[index] = True
    return seen
