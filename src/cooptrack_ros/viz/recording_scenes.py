"""Scenes of a whole recording: a data set together with the tracks of every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..common.geometry import transform_boxes
from ..common.types import Boxes, Provenance
from ..data.dataset import FrameRecord, SensorFrame
from .scene import CameraView, RoadsideUnit, SceneView

TRAIL_FRAMES = 20
"""Frames of the past that a trail shows."""


@dataclass(frozen=True)
class TrackedFrame:
    """
    Tracks (N) of one frame and the M boxes received from all units, both in the ego lidar frame.

    ``links`` are (row of ``tracks``, row of ``received``, affinity).
    """

    tracks: Boxes
    provenance: np.ndarray
    received: Boxes = field(default_factory=Boxes.empty)
    links: tuple[tuple[int, int, float], ...] = ()

    @staticmethod
    def plain(tracks: Boxes) -> TrackedFrame:
        """Return tracks of which nothing more is known."""
        return TrackedFrame(tracks, np.full(len(tracks), Provenance.EGO))


def scenes(records: Sequence[FrameRecord], partners: Mapping[str, Sequence[FrameRecord]],
           frames: Mapping[str, TrackedFrame], title: str,
           wanted: frozenset[str] | None = None) -> Iterator[SceneView]:
    """
    Yield the scene of each record in order of time; images are read only for those that are yielded.

    :param partners: by roadside unit, its pair with each record, see ``DataSet.partners``.
    :param frames: by token of the record; one that is missing has no tracks.
    :param title: begins every caption; :param wanted: tokens to yield, None for all.
    """
    past: dict[int, list[np.ndarray]] = {}
    for index, record in enumerate(records):
        frame = frames.get(record.token, TrackedFrame.plain(Boxes.empty()))
        trails = extend_trails(past, transform_boxes(record.global_from_lidar, frame.tracks))
        if wanted is None or record.token in wanted:
            seconds = (record.stamp_us - records[0].stamp_us) / 1e6
            pairs = {unit: own[index] for unit, own in partners.items()}
            yield _scene(record, pairs, frame, trails, f'{title}  t = {seconds:.1f} s')


def extend_trails(past: dict[int, list[np.ndarray]], world: Boxes) -> dict[int, np.ndarray]:
    """Add this frame's positions to ``past``; return the trails of the identities that are there now."""
    for track_id, centre in zip(world.track_id.tolist(), world.centre):
        past[track_id] = [*past.get(track_id, [])[1 - TRAIL_FRAMES:], centre]
    return {i: np.array(past[i]) for i in world.track_id.tolist()}


def _scene(record: FrameRecord, pairs: Mapping[str, FrameRecord], frame: TrackedFrame,
           trails: dict[int, np.ndarray], caption: str) -> SceneView:
    units = tuple(RoadsideUnit(name, _cameras(pair.infra), pair.ego_from_infra) for name, pair in pairs.items())
    return SceneView(
        ground_truth=record.boxes, tracks=frame.tracks, provenance=frame.provenance, infra=frame.received,
        links=frame.links, ego_cameras=_cameras(record), units=units, world_from_ego_lidar=record.global_from_lidar,
        caption=caption, trails=trails)


def _cameras(sensor: SensorFrame) -> tuple[CameraView, ...]:
    return tuple(CameraView(*camera.read()) for camera in sensor.cameras)
