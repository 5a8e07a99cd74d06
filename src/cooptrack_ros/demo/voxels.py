"""Voxels of a demonstration: what the nodes published, its figures, and one picture of the street."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.types import Side
from ..data.bags.recording import read_sizes, read_voxels
from ..data.dataset import DataSet, FrameRecord
from ..eval.occupancy.run import labels_of, masks_of
from ..eval.occupancy.sight import seen_by_units
from ..occupancy.grids import GRIDS, Profile
from ..occupancy.score import OccupancyScore
from ..occupancy.segments import Volume
from ..occupancy.sparse import Occupied
from ..viz.street import CameraVoxels, StreetView, draw_street
from ..wire.topics import occupancy_topic, unit_namespace
from .options import ALONE, COOPERATIVE, UNIT, DemoOptions
from .results import bytes_per_second

MASKS = ('camera', 'unit_only')
"""What the vehicle sees, and what only the unit sees."""
_CONVENTIONS = ('strict', 'released')


@dataclass(frozen=True)
class StreetVoxels:
    """
    Published voxels by stamp in nanoseconds.

    Those of the vehicle in the passes without and with the unit, and those of the unit itself; ``sent`` are the bytes
    of what it sent.
    """

    alone: Mapping[int, Occupied]
    together: Mapping[int, Occupied]
    unit: Mapping[int, Occupied]
    sent: Mapping[int, int]

    @staticmethod
    def read(options: DemoOptions) -> StreetVoxels:
        """Return what the passes of a demonstration recorded."""
        both = options.answers(COOPERATIVE.name)
        return StreetVoxels(read_voxels(options.answers(ALONE.name)), read_voxels(both),
                            read_voxels(both, f'{unit_namespace(UNIT)}/roadside_node'),
                            read_sizes(both, occupancy_topic(UNIT)))

    def of(self, record: FrameRecord, profile: Profile) -> tuple[Volume, Volume]:
        """Return the voxels of the vehicle alone and together; raise a UserError for a frame that has none."""
        volumes = []
        for job, frames in ((ALONE, self.alone), (COOPERATIVE, self.together)):
            found = frames.get(record.stamp_us * 1000)
            if found is None:
                raise UserError(f"pass '{job.name}': no voxels of frame {record.token} in the recording")
            volumes.append(found.volume(profile.vehicle.shape, profile.taxonomy))
        return volumes[0], volumes[1]


def measure_street(voxels: StreetVoxels, dataset: DataSet, records: Sequence[FrameRecord],
                   grid: str) -> tuple[dict[str, Any], FrameRecord]:
    """
    Return the figures of the voxels, and the frame in which the unit filled in most of what only it sees.

    :param dataset: of the records, with exact labels of the grid.
    """
    profile = GRIDS[grid]
    is_thing = profile.taxonomy.flags(profile.taxonomy.things)
    scores = {job.name: {mask: OccupancyScore(profile.taxonomy) for mask in MASKS} for job in (ALONE, COOPERATIVE)}
    filled = []
    for record, by_units in zip(records, seen_by_units(dataset, records, profile), strict=True):
        labels, volumes = labels_of(record, grid), voxels.of(record, profile)
        truth, masks = Volume(labels.semantics, labels.instances), masks_of(labels, by_units)
        for of_job, volume in zip(scores.values(), volumes, strict=True):
            for mask, score in of_job.items():
                score.add(record.sequence, truth, volume, masks[mask])
        new = filled_in(*volumes, is_thing) & is_thing[labels.semantics] & masks['unit_only']
        filled.append(int(new.sum()))
    figures = {name: {mask: {c: score.result()[c] for c in _CONVENTIONS} for mask, score in of_job.items()}
               for name, of_job in scores.items()}
    return {**figures, 'grid': grid, 'classes': list(profile.taxonomy.classes),
            'filled_voxels_of_things_per_frame': float(np.mean(filled)),
            'bytes_per_second': round(bytes_per_second(voxels.sent), 1)}, records[int(np.argmax(filled))]


def street_picture(voxels: StreetVoxels, record: FrameRecord, grid: str, caption: str) -> np.ndarray:
    """Return the picture of a frame: the images of both cameras, and the voxels alone and together."""
    profile = GRIDS[grid]
    taxonomy, unit_grid = profile.taxonomy, profile.grid(Side.ROADSIDE)
    alone, together = voxels.of(record, profile)
    new = together.instances[filled_in(alone, together, taxonomy.flags(taxonomy.things))]
    ids, counts = np.unique(new[new > 0], return_counts=True)
    mostly_new = [i for i, n in zip(ids.tolist(), counts.tolist()) if 2 * n > int((together.instances == i).sum())]
    found, unit = voxels.unit.get(record.infra_stamp_us * 1000), None
    if found is not None:
        unit = CameraVoxels(*record.infra.cameras[0].read(), found.volume(unit_grid.shape, taxonomy), unit_grid)
    own = CameraVoxels(*record.cameras[0].read(), alone, profile.vehicle)
    return draw_street(StreetView(own, together, mostly_new, unit, caption), taxonomy)


def filled_in(alone: Volume, together: Volume, is_thing: np.ndarray) -> np.ndarray:
    """Return (X, Y, Z) bool: where there are things together and none alone; :param is_thing: by class."""
    return is_thing[together.semantics] & ~is_thing[alone.semantics]
