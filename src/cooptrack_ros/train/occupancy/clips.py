"""Training clips whose frames have labels of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...common.config import ModelConfig
from ...common.errors import UserError
from ...common.types import InstanceSet, Side
from ...data.dataset import FrameRecord, OpenedData, recordings
from ...occupancy.grids import GRIDS
from ...occupancy.label_file import read_voxels
from ..clips import RECORD_SIDE, ClipStream, Item, Sample
from ..recipe import TrainConfig
from .targets import Later, VoxelTargets, voxel_targets


@dataclass(frozen=True)
class OccupancySample(Sample):
    """A frame with its voxels."""

    voxels: VoxelTargets | None = None


class OccupancyStream(ClipStream):
    """Clips as for the tracker; all frames with labels of voxels of a grid count, whether or not there are boxes."""

    def __init__(self, datasets: OpenedData, side: Side, model: ModelConfig, config: TrainConfig, grid: str,
                 messages: dict[tuple[str, str], InstanceSet] | None = None):
        """
        Index the frames, see ``ClipStream``; :param grid: name.

        :raises UserError: without labels of that grid, and for clips that would be mirrored.
        """
        if config.augment.mirror_probability:
            raise UserError('augment.mirror_probability must be 0: labels of voxels are not mirrored')
        self._profile = GRIDS[grid]
        self.lessons = (f'labels of voxels of the grid {grid}: `cooptrack synth --occupancy` or `cooptrack occupancy '
                        'labels` makes them')
        super().__init__(datasets, side, model, config, messages)
        self._later: dict[tuple[str, str], FrameRecord] = {}
        for name, dataset in recordings(datasets, RECORD_SIDE[side]):
            records = sorted(dataset.training_records(RECORD_SIDE[side]), key=lambda r: (r.sequence, r.stamp_us))
            for record, later in zip(records, records[1:]):
                if later.sequence == record.sequence and self.teaches(later):
                    self._later[name, record.token] = later

    def teaches(self, record: FrameRecord) -> bool:
        """Tell whether a frame has labels of the grid."""
        return self._profile.name in record.occupancy

    def _sample(self, clip: list[Item], number: int, mirror: bool, rng: np.random.Generator,
                link_seed: list[int]) -> OccupancySample:
        item, later = clip[number], None
        record = item.record
        found = self._later.get((item.recording, record.token))
        if found is not None:
            later = Later(read_voxels(found.occupancy[self._profile.name]),
                          np.linalg.inv(record.global_from_lidar) @ found.global_from_lidar,
                          (found.stamp_us - record.stamp_us) / 1e6)
        voxels = voxel_targets(read_voxels(record.occupancy[self._profile.name]), later, self._profile.grid(self._side),
                               self._profile.taxonomy)
        return OccupancySample(**vars(super()._sample(clip, number, mirror, rng, link_seed)), voxels=voxels)
