"""Messages of stage 2 that are late or lost, so that the network learns with what a radio link does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..common.types import InstanceSet, RoadsideMessage
from ..data.dataset import FrameRecord
from .recipe import LinkConfig

_LATE = 0.5
"""Share of the clips whose messages are late, where they may be."""


def message_for(records: Sequence[FrameRecord], place: int, length: int, sent_by: Callable[[str], InstanceSet],
                link: LinkConfig, seed: Sequence[int]) -> RoadsideMessage:
    """
    Return the message that the vehicle has in a frame of a clip; a lost one has no instances.

    :param records: of the sequence in this clip so far, the frame itself last; :param place: of it in the clip of
        ``length`` frames; :param sent_by: gives what the unit sent, by roadside token; :param seed: of the clip.
    """
    rng, record = np.random.default_rng(seed), records[-1]
    is_lost_clip, has_gap, is_late = rng.random(3) < (link.lost_clips, link.gaps, _LATE)
    first, last = np.sort(rng.integers(0, length, 2))
    age_s = rng.random() * link.max_age_s if is_late else 0.0
    sent = max((r for r in records if r.infra_stamp_us <= record.infra_stamp_us - 1e6 * age_s),
               key=lambda r: r.infra_stamp_us, default=records[0])
    found = sent_by(sent.infra_token)
    if is_lost_clip or (has_gap and first <= place <= last) or rng.random(length)[place] < link.lost_frames:
        found = found[:0]
    return RoadsideMessage(record.unit, sent.infra_stamp_us * 1000, found, ego_from_infra(record, sent))


def ego_from_infra(now: FrameRecord, sent: FrameRecord) -> np.ndarray:
    """Return (4, 4) from the roadside lidar at the time of a message to the vehicle's now."""
    if now is sent:
        return now.ego_from_infra
    return np.linalg.inv(now.global_from_lidar) @ sent.global_from_lidar @ sent.ego_from_infra
