"""The clouds of all agents at one time, in the lidar frame of the vehicle; no label is opened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...common.errors import UserError
from ...common.geometry import transform_points
from ...data.dataset import DataSet, FrameRecord, OpenedData, SensorFrame

OWN = 0
"""Number of the vehicle among the agents."""
_OWN_BODY_M = (3.0, 1.2)
"""Ahead or behind and beside its lidar lies the vehicle itself, at any height."""


@dataclass(frozen=True)
class Gathering:
    """A frame of the vehicle with the partner of each unit at that time and its pose ``ego_from_infra`` (4, 4)."""

    own: SensorFrame
    partners: tuple[tuple[SensorFrame, np.ndarray], ...] = ()

    def read(self, agents: str) -> tuple[np.ndarray, np.ndarray]:
        """
        Return points (N, 4) in the lidar frame of the vehicle and whose each is (N,), ``OWN`` or the unit's number.

        The vehicle's own body is left out of its cloud. Poses are as stored, with the error offset of the data.

        :param agents: ``all``, or ``ego`` for the vehicle alone.
        :raises UserError: for a cloud that cannot be read.
        """
        clouds = [without_own_body(self.own.point_cloud.read())]
        for infra, ego_from_infra in self.partners if agents == 'all' else ():
            points = infra.point_cloud.read()
            moved = transform_points(ego_from_infra, points[:, :3].astype(np.float64))
            clouds.append(np.column_stack([moved, points[:, 3]]).astype(np.float32))
        return np.concatenate(clouds), np.repeat(np.arange(len(clouds)), [len(c) for c in clouds])


def without_own_body(points: np.ndarray) -> np.ndarray:
    """Return the points (N, 3 or more) of the vehicle's lidar that do not lie on the vehicle."""
    return points[~(np.abs(points[:, :2]) < _OWN_BODY_M).all(1)]


def gatherings(datasets: OpenedData) -> list[list[Gathering]]:
    """
    Return the frames of the vehicle that have a cloud, by sequence, each with the partners that have one.

    :raises UserError: if there is none.
    """
    found = [_of_sequence(dataset, sequence) for _, dataset in datasets for sequence in dataset.sequences()]
    found = [sequence for sequence in found if sequence]
    if not found:
        raise UserError('the data holds no frame of the vehicle with a point cloud')
    return found


def _of_sequence(dataset: DataSet, sequence: str) -> list[Gathering]:
    partners: dict[str, list[FrameRecord]] = {}
    for unit in dataset.units.values():
        for pair in unit.records('cooperative', sequence, labels=False) if unit.has_side('cooperative') else ():
            partners.setdefault(pair.token, []).append(pair)
    own = [pairs[0] for pairs in partners.values()]
    if not own and dataset.has_side('vehicle-side'):
        own = dataset.records('vehicle-side', sequence, labels=False)
    return [Gathering(record, tuple((p.infra, p.ego_from_infra) for p in partners.get(record.token, ())
                                    if p.infra.point_cloud is not None))
            for record in sorted(own, key=lambda r: r.stamp_us) if record.point_cloud is not None]


def augmented(points: np.ndarray, flip_probability: float, rotation_deg: float, scale: float,
              rng: np.random.Generator) -> np.ndarray:
    """Return points (N, 4) of a scene that is mirrored, turned about the vehicle and stretched at random."""
    mirror = -1.0 if rng.random() < flip_probability else 1.0
    angle, factor = np.radians(rng.uniform(-rotation_deg, rotation_deg)), rng.uniform(1 - scale, 1 + scale)
    c, s = np.cos(angle), np.sin(angle)
    turn = factor * np.array([[c, -s * mirror, 0], [s, c * mirror, 0], [0, 0, 1]])
    return np.column_stack([points[:, :3] @ turn.T, points[:, 3]]).astype(np.float32)
