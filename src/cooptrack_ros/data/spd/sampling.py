"""Choice of frames at a lower rate (method.md 13.10)."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.errors import UserError


def sample_frames(frame_ids: Sequence[str], hz: int) -> list[int]:
    """
    Return positions of the frames kept at a rate; 10 keeps all.

    Bins of ``10 // hz`` frame ids start at the first frame; the first frame that exists in each bin is kept.

    :param frame_ids: ascending ids (vehicle ids of the pairs where there are pairs) of one sequence.
    """
    if not 1 <= hz <= 10:
        raise UserError(f'the sampling rate must be 1 to 10 frames per second, not {hz}')
    width = 10 // hz
    kept, last_bin = [], -1
    for position, frame_id in enumerate(frame_ids):
        index = (int(frame_id) - int(frame_ids[0])) // width
        if index != last_bin:
            kept.append(position)
            last_bin = index
    return kept
