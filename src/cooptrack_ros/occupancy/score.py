"""All figures of occupancy tracking over a stream of frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from .panoptic_quality import LEAST_VOXELS, PanopticQuality
from .segments import Volume, overlaps
from .taxonomy import Taxonomy
from .tracking_quality import CONVENTIONS, TrackingQuality


class OccupancyScore:
    """Takes frames one by one, any number of sequences, and keeps counters only."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        """Start with no frame."""
        self._taxonomy = taxonomy
        self._tracking = {c.name: TrackingQuality(taxonomy, c) for c in CONVENTIONS}
        self._panoptic = {f'{name}_min{least}': PanopticQuality(taxonomy, best, least)
                          for name, best in (('PQ', False), ('PQ_star', True)) for least in LEAST_VOXELS}

    def add(self, sequence: str, truth: Volume, found: Volume, mask: np.ndarray | None = None) -> None:
        """
        Count one more frame.

        :param sequence: identities are compared within one.
        :param mask: (X, Y, Z), which voxels are measured; None: all.
        :raises ValueError: see ``segments.overlaps``.
        """
        frame = overlaps(truth, found, mask, self._taxonomy)
        for quality in self._tracking.values():
            quality.add(sequence, frame)
        for panoptic in self._panoptic.values():
            panoptic.add(frame)

    def result(self) -> dict[str, Any]:
        """Return the figures by convention and by PQ with least size; classes by number, None where undefined."""
        return {name: part.result() for name, part in (self._tracking | self._panoptic).items()}
