"""BEV features that units send: which cells, what they cost, and how messages bring them to the vehicle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..common.config import ModelConfig
from ..common.types import FrameOutput, InstanceSet, RoadsideMessage, Side
from ..cooperation.bev_cells import BevCells, best_cells, cells_within, confidence_map
from ..data.dataset import FrameRecord
from ..tracking.map_stages import PlacedCells
from ..tracking.tracker import TrackerState

SendCells = Callable[[BevCells], tuple[BevCells, int]]
"""What cells become on their way, and the bytes of the message."""


@dataclass(frozen=True, kw_only=True)
class MapMessage(RoadsideMessage):
    """A message that brought cells of BEV features in place of instances: what is left of it is its bytes."""

    payload_bytes: int
    serialized_bytes: int


@dataclass
class MapsOnTheAir:
    """
    Carries cells beside messages, which are delayed, lost and misplaced as all others.

    ``budget_bytes`` of features may go with a message, see ``cooperation.bev_cells``; None: all cells do. No message
    is used later than after ``latest_s``.
    """

    budget_bytes: int | None = None
    transmit: SendCells = lambda cells: (cells, 0)
    latest_s: float = 1.0
    _sent: dict[tuple[str, int], tuple[BevCells, int]] = field(default_factory=dict)

    def send(self, unit: str, config: ModelConfig, pairs: Iterable[FrameRecord],
             frames: Iterable[tuple[TrackerState, FrameOutput]]) -> Iterator[tuple[str, RoadsideMessage]]:
        """
        Yield sequence and message of a unit for each pair.

        :param frames: state and output of the tracker of the unit in each frame.
        """
        for record, (state, output) in zip(pairs, frames, strict=True):
            features = state.bev[0].cpu().numpy()
            confidence = confidence_map(output.detections, config.range_of(Side.ROADSIDE).pc_range, config.bev_size)
            count = cells_within(self.budget_bytes, features.shape[1])
            self._sent[unit, output.stamp_ns] = self.transmit(
                best_cells(features, confidence, config.bev_size, count))
            oldest_ns = output.stamp_ns - 1e9 * self.latest_s
            self._sent = {key: sent for key, sent in self._sent.items() if key[1] > oldest_ns}
            nothing = InstanceSet.empty(features.shape[1])
            yield record.sequence, RoadsideMessage(unit, output.stamp_ns, nothing, record.ego_from_infra)

    def receive(self, message: RoadsideMessage) -> tuple[MapMessage, PlacedCells]:
        """Return what a message that arrived took, and its cells with the pose of the unit."""
        cells, size = self._sent[message.unit_id, message.stamp_ns]
        pose = message.ego_from_infra
        return MapMessage(message.unit_id, message.stamp_ns, message.instances, pose, payload_bytes=cells.payload_bytes,
                          serialized_bytes=size), PlacedCells(cells, pose)
