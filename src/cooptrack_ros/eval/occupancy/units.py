"""What roadside units find in voxels, for the vehicle to fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...data.dataset import DataSet, FrameRecord
from ...model.image.preprocess import least_size
from ...occupancy.grids import GRIDS
from ...occupancy.runs import pack
from ...occupancy.sparse import Occupied
from ...tracking.panoptic import PanopticReader
from ...tracking.tracker import AgentTracker

_SEGMENT_BYTES = 9
"""Class and identity of each combination that a packed volume names."""


class UnitHeads:
    """Finds voxels in the frames of units; identities are those of the tracks in their messages."""

    def __init__(self, tracker: AgentTracker, reader: PanopticReader):
        """Take the network of the units and their head."""
        self._tracker, self._reader = tracker, reader

    def voxels(self, dataset: DataSet, records: Sequence[FrameRecord]) -> Mapping[tuple[str, int], Occupied]:
        """Return what each unit finds in its partners of some frames, by unit and stamp in nanoseconds."""
        found: dict[tuple[str, int], Occupied] = {}
        taxonomy = GRIDS[self._reader.profile].taxonomy
        for unit, pairs in dataset.partners(records).items():
            sequence = None
            for record in pairs:
                if record.sequence != sequence:
                    state, sequence = self._tracker.initial(), record.sequence
                state, _ = self._tracker.step(state, record.frame('infrastructure', least_size(self._tracker.config)))
                found[unit, 1000 * record.infra_stamp_us] = Occupied.of(self._reader.volume(state), taxonomy)
        return found


def packed_bytes(voxels: Occupied, shape: tuple[int, int, int]) -> int:
    """Return the bytes of voxels as they cross the radio link, see ``occupancy.runs``."""
    packed = pack(voxels, shape)
    return len(packed.runs) + _SEGMENT_BYTES * len(packed.classes)
