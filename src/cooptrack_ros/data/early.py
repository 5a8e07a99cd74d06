"""Early fusion: the vehicle has the images of its partner as if they were its own, an upper bound of cooperation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..common.errors import UserError
from .dataset import CameraFrame, DataSet, FrameRecord, LeftOut


class EarlyFusion:
    """
    A data set of one unit in which records of the vehicle are those of its pairs, with the cameras of both.

    The labels are the cooperative ones. What the unit itself records stays as it is.
    """

    def __init__(self, inner: DataSet):
        """Take a data set; raise a UserError if it has no pairs, or several units."""
        if len(inner.units) != 1 or not inner.has_side('cooperative'):
            raise UserError(f'{inner.root}: early fusion needs pairs of the vehicle and one unit')
        self.inner, self.root, self.classes = inner, inner.root, inner.classes
        self.split, self.options = inner.split, inner.options
        (self._unit,) = inner.units
        self.units: dict[str, DataSet] = {self._unit: self}

    def has_side(self, side: str) -> bool:
        """Tell whether there are frames of a side."""
        return self.inner.has_side(side)

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences, all or those of a split."""
        return self.inner.sequences(split)

    def records(self, side: str, sequence: str | None = None, *, labels: bool = True) -> list[FrameRecord]:
        """Return records of a side, sorted by time; those of the vehicle have no partner but its images."""
        if side == 'infrastructure-side':
            return self.inner.records(side, sequence, labels=labels)
        return [self._fused(record, side) for record in self.inner.records('cooperative', sequence, labels=labels)]

    def training_records(self, side: str) -> list[FrameRecord]:
        """Return the labelled records of a side that are fit for training."""
        if side == 'infrastructure-side':
            return self.inner.training_records(side)
        return [self._fused(record, side) for record in self.inner.training_records('cooperative')]

    def left_out(self) -> list[LeftOut]:
        """Return what is not in the records that were asked for so far."""
        return self.inner.left_out()

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """Return the pair of each cooperative record."""
        return {self._unit: list(records)}

    def _fused(self, pair: FrameRecord, side: str) -> FrameRecord:
        cameras = (*pair.cameras, *(self._seen_from_vehicle(camera, pair) for camera in pair.infra.cameras))
        if side == 'cooperative':
            return replace(pair, cameras=cameras)
        return replace(pair, side=side, unit='', cameras=cameras, infra=None, offset=None, ego_from_infra=None)

    def _seen_from_vehicle(self, camera: CameraFrame, pair: FrameRecord) -> CameraFrame:
        return replace(camera, name=f'{self._unit}_{camera.name}',
                       cam_from_lidar=camera.cam_from_lidar @ np.linalg.inv(pair.ego_from_infra))
