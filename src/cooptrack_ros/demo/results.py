"""What the recorded answers are worth: results in the exchange format, figures, frames to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.geometry import transform_boxes
from ..common.types import Boxes, Provenance
from ..data.bags.recording import PairFrame, Recording, TrackFrame
from ..data.dataset import FrameRecord, in_classes
from ..data.folders import open_datasets
from ..eval.exchange import DEFAULT_CLASS_RANGE, ExchangeBuilder
from ..eval.oracle import oracle_result
from ..eval.report import measure
from ..viz.recording_scenes import TrackedFrame


def exchange(name: str, recording: Recording, records: Sequence[FrameRecord],
             class_range: Mapping[str, float] = DEFAULT_CLASS_RANGE) -> dict[str, Any]:
    """
    Return what crossed the topics in one pass in the exchange format.

    :param class_range: metres by class, of the model.
    :raises UserError: if a frame of the scene was not answered.
    """
    missing = [r for r in records if r.stamp_us * 1000 not in recording.tracks]
    if missing:
        raise UserError(f"pass '{name}': {len(missing)} of {len(records)} frames have no answer in the recording, "
                        f'first frame {missing[0].token}')
    builder = ExchangeBuilder(name, class_range)
    for record in records:
        stamp = record.stamp_us * 1000
        builder.add(record, '', recording.tracks[stamp].tracks,
                    recording.detections[stamp] if recording.detections else None)
    return builder.finish()


def provenance_rows(recording: Recording, records: Sequence[FrameRecord]) -> dict[str, list[dict[str, Any]]]:
    """Return, by token, where each track comes from and what was fused into it."""
    rows = {}
    for record in records:
        frame = recording.tracks[record.stamp_us * 1000]
        rows[record.token] = [
            {'tracking_id': str(i), 'provenance': Provenance(p).name.lower(), **(
                {'infra_track_id': str(k), 'affinity': round(a, 4)} if k >= 0 else {})}
            for i, p, k, a in zip(frame.tracks.track_id.tolist(), frame.provenance.tolist(),
                                  frame.infra_track_id.tolist(), frame.affinity.tolist())]
    return rows


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of class car, those of each class, and errors of heading and velocity of cars."""
    measured = measure(result)
    return {**measured.pop('vehicle'), **measured}


def oracle_figures(scene: Path, class_range: Mapping[str, float] = DEFAULT_CLASS_RANGE) -> dict[str, Any]:
    """Return the figures of a perfect detector on what the vehicle, and on what either side can see."""
    datasets = open_datasets([scene])
    return {name: measure(oracle_result(datasets, name, class_range=class_range))['vehicle']
            for name in ('vehicle', 'cooperative')}


def bytes_per_second(sizes: Mapping[int, int]) -> float:
    """Return the bytes per second of messages; :param sizes: bytes of each by its stamp in nanoseconds."""
    stamps = sorted(sizes)
    if len(stamps) < 2:
        return 0.0
    # The last message stands for the time until the next one would have come.
    seconds = (stamps[-1] - stamps[0]) / 1e9 * len(stamps) / (len(stamps) - 1)
    return sum(sizes.values()) / seconds


def latency_ms(recording: Recording) -> dict[str, float]:
    """
    Return p50 and p95 of image in to tracks out of the ego node.

    The first frame is left out: it pays for memory and caches.
    """
    values = [recording.latency_s[s] for s in sorted(recording.latency_s)][1:]
    if not values:
        raise UserError('the real-time pass holds no latency of the ego node')
    return {f'p{q}': round(float(np.percentile(values, q)) * 1e3, 1) for q in (50, 95)}


def frames_to_draw(recording: Recording, pairs: dict[int, PairFrame],
                   records: Sequence[FrameRecord]) -> dict[str, TrackedFrame]:
    """
    Return tracks with provenance and associations by token.

    :param pairs: of the bag that was played, by ego stamp.
    """
    frames = {}
    for record in records:
        stamp = record.stamp_us * 1000
        if stamp in recording.tracks:
            pair = pairs.get(stamp)
            sent = recording.features.get(pair.infra_stamp_ns) if pair else None
            received = transform_boxes(pair.ego_from_infra, sent.boxes) if sent else Boxes.empty()
            frames[record.token] = _to_draw(recording.tracks[stamp], received)
    return frames


def _to_draw(frame: TrackFrame, received: Boxes) -> TrackedFrame:
    row_of = {int(i): row for row, i in enumerate(received.track_id)}
    links = tuple((row, row_of[k], a) for row, (k, a) in enumerate(
        zip(frame.infra_track_id.tolist(), frame.affinity.tolist())) if k in row_of)
    return TrackedFrame(frame.tracks, frame.provenance, received, links)


def unseen_by_ego(frames: dict[str, TrackedFrame], records: Sequence[FrameRecord],
                  class_names: Sequence[str] = tuple(DEFAULT_CLASS_RANGE), gate_m: float = 2.0) -> int:
    """
    Return how many labelled objects that the vehicle cannot see were tracked at some time.

    A track counts if a roadside unit contributed to it, its class is right and it is within ``gate_m``.

    :param class_names: of the labels of tracks.
    """
    found = set()
    for record in records:
        unseen = record.boxes[np.asarray(record.from_side == 'inf', dtype=bool)]
        hidden = in_classes(unseen, record.classes, class_names)
        frame = frames.get(record.token, TrackedFrame.plain(Boxes.empty()))
        tracks = frame.tracks[frame.provenance != Provenance.EGO]
        distance = np.linalg.norm(hidden.centre[:, None, :2] - tracks.centre[None, :, :2], axis=-1)
        near = (distance < gate_m) & (hidden.label[:, None] == tracks.label)
        found |= set(hidden.track_id[near.any(1)].tolist())
    return len(found)
