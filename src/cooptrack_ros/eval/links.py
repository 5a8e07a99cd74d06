"""Which roadside instance went into which track of a frame, and from whom a track comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.geometry import transform_points
from ..common.types import Provenance, RoadsideMessage
from ..cooperation.late_fusion import roadside_boxes
from ..tracking.ego_agent import EgoResult


@dataclass(frozen=True)
class TrackLink:
    """
    A track and the roadside instance that was fused with it.

    ``unit`` is the name of the roadside unit, empty where that is not known.
    ``position`` (3,) is where the instance stood in the ego lidar frame; ``affinity`` is 0..1.
    """

    track_id: int
    position: np.ndarray
    affinity: float
    unit: str = ''


def links_of(result: EgoResult, messages: Sequence[RoadsideMessage]) -> tuple[TrackLink, ...] | None:
    """
    Return what was fused in one frame, None if tracks have other identities than those that were fused.

    Instances whose features were fused stand where they were sent, before any compensation; boxes of late fusion,
    where they were at the time of the frame.

    :param messages: with the poses that were assumed, before any correction.
    """
    if result.provenance is None:
        return None

    def places(message: RoadsideMessage) -> np.ndarray:
        if result.mode == 'late':
            return roadside_boxes([message], result.output.stamp_ns).centre
        return transform_points(message.ego_from_infra, message.instances.boxes.centre)
    sent = {message.unit_id: places(message) for message in messages}
    return tuple(TrackLink(m.track_id, sent[m.unit_id][m.infra_index], m.affinity, m.unit_id) for m in result.matches)


def link_rows(links: Iterable[TrackLink], global_from_lidar: np.ndarray) -> list[dict]:
    """Return links as rows of the exchange format, positions in the world."""
    return [{'tracking_id': str(link.track_id), 'affinity': round(link.affinity, 4),
             'translation': transform_points(global_from_lidar, link.position[None])[0].tolist(),
             **({'unit': link.unit} if link.unit else {})} for link in links]


def provenance_rows(sources: Mapping[int, int]) -> list[dict]:
    """Return from whom each track comes, values of ``Provenance`` by identity, as rows of the exchange format."""
    return [{'tracking_id': str(track_id), 'provenance': Provenance(source).name.lower()}
            for track_id, source in sorted(sources.items())]
