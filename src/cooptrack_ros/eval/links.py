"""Which roadside instance went into which track of a frame, and from whom a track comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.geometry import transform_points
from ..core.late import ROADSIDE_FIRST_ID, match_boxes
from ..core.types import Boxes, FrameOutput, RoadsideMessage


@dataclass(frozen=True)
class Link:
    """
    A track and the roadside instance that was fused with it.

    ``unit`` is the name of the roadside unit, empty where that is not known.
    ``position`` (3,) is where the instance stood in the ego lidar frame; ``affinity`` is
    0..1; ``ego_score`` is what the vehicle alone gave the object.
    """

    track_id: int
    position: np.ndarray
    affinity: float
    ego_score: float
    unit: str = ''


def network_links(output: FrameOutput, messages: Sequence[RoadsideMessage]) -> tuple[Link, ...]:
    """Return what the network fused in one frame, with instances where they were sent, before any compensation."""
    sent = {m.unit_id: transform_points(m.ego_from_infra, m.instances.boxes.centre) for m in messages}
    return tuple(Link(m.track_id, sent[m.unit_id][m.infra_index], m.affinity, m.ego_score, m.unit_id)
                 for m in output.matches)


def late_links(tracks: Boxes, infra: Boxes, min_gate_m: float) -> tuple[Link, ...]:
    """Return which roadside boxes late fusion takes for which tracks, both in the ego lidar frame; it has no doubts."""
    return tuple(Link(int(tracks.track_id[row]), infra.centre[column], 1.0, float(tracks.score[row]))
                 for row, column in zip(*match_boxes(tracks, infra, min_gate_m), strict=True))


def link_rows(links: Iterable[Link], global_from_lidar: np.ndarray) -> list[dict]:
    """Return links as rows of the exchange format, positions in the world."""
    return [{'tracking_id': str(link.track_id), 'affinity': round(link.affinity, 4),
             'translation': transform_points(global_from_lidar, link.position[None])[0].tolist(),
             **({'unit': link.unit} if link.unit else {})} for link in links]


def provenance_rows(track_ids: Iterable[int], links: Iterable[Link], ego_score_limit: float) -> list[dict]:
    """
    Return from whom each track comes as rows of the exchange format, by the rule of the ego node.

    :param ego_score_limit: a linked track that the vehicle alone scores below is known from the roadside only.
    """
    own = {link.track_id: link.ego_score for link in links}

    def source(track_id: int) -> str:
        if track_id not in own:
            return 'roadside' if track_id >= ROADSIDE_FIRST_ID else 'ego'
        return 'fused' if own[track_id] >= ego_score_limit else 'roadside'
    return [{'tracking_id': str(i), 'provenance': source(i)} for i in track_ids]
