"""Labels made from point clouds, measured against labels of the same voxels that are known better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...common.errors import UserError
from ...occupancy.grids import GRIDS
from ...occupancy.label_file import VoxelLabels, read_voxels
from ...occupancy.score import OccupancyScore
from ...occupancy.segments import Volume
from ..folders import open_dataset
from .labels import Job, SequenceLabeller, files_of
from .scans import agent_frames

MASKS = {
    'camera': 'what the camera sees and the tool knows',
    'known': 'what the tool knows',
    'all': 'the whole grid',
}
"""Which voxels are compared, by name."""


def compare(wanted: Sequence[Job], advance: Callable[[int], None]) -> dict[str, Any]:
    """
    Return figures of the labels that would be written against those that are there, by the names of ``MASKS``.

    ``known_of_camera`` is the share of the voxels that a camera sees of which the tool knows something.

    :param advance: is called with the number of sequences done.
    :raises UserError: if a frame has no labels, or of another size.
    """
    taxonomy = GRIDS[wanted[0].grid].taxonomy
    scores = {name: OccupancyScore(taxonomy) for name in MASKS}
    frames = known = seen = 0
    for done, job in enumerate(wanted, 1):
        scans = agent_frames(open_dataset(job.folder), job.sequence)
        paths = [files_of(scan, job.grid)[0] for scan in scans]
        for path in paths:
            if not path.is_file():
                raise UserError(f'{path} is missing: expected labels to compare with, such as the exact ones of '
                                f'`cooptrack synth --lidar --occupancy {job.grid}`')
        labeller = SequenceLabeller(job, scans)
        for scan, path in zip(scans, paths):
            exact, found = read_voxels(path), labeller.label(scan)
            if exact.semantics.shape != found.semantics.shape:
                raise UserError(f'{path}: expected {found.semantics.shape} voxels, not {exact.semantics.shape}')
            masks = _masks(exact, found)
            for name, mask in masks.items():
                try:
                    scores[name].add(f'{job.folder}/{job.sequence}/{scan.agent}',
                                     Volume(exact.semantics, exact.instances),
                                     Volume(found.semantics, found.instances), mask)
                except ValueError as error:
                    raise UserError(f'{path}: {error}') from error
            frames, known, seen = frames + 1, known + int(masks['camera'].sum()), seen + int(exact.mask_camera.sum())
        advance(done)
    return {'grid': wanted[0].grid, 'classes': list(taxonomy.classes), 'sequences': len(wanted), 'frames': frames,
            'known_of_camera': known / seen if seen else None,
            'masks': {name: score.result()['strict'] for name, score in scores.items()}}


def _masks(exact: VoxelLabels, found: VoxelLabels) -> dict[str, np.ndarray]:
    everything = exact.mask_lidar != 0
    known = everything & (found.mask_lidar != 0)
    return {'camera': known & (exact.mask_camera != 0), 'known': known, 'all': everything}
