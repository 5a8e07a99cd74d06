"""Data sets on disk: any file of a folder may hold anything."""

from __future__ import annotations

import logging
from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .files import is_accepted
from .scene import make_scene
from .source import Source

MODULES = (
    'cooptrack_ros.sensors.image_decoding', 'cooptrack_ros.data.dataset', 'cooptrack_ros.data.spd.reader',
    'cooptrack_ros.data.spd.index', 'cooptrack_ros.data.spd.labels', 'cooptrack_ros.data.spd.calibration',
    'cooptrack_ros.data.spd.schema', 'cooptrack_ros.data.point_clouds')
_SIDES = ('vehicle-side', 'infrastructure-side', 'cooperative')


def read_everything(root: Path) -> None:
    """Do with a folder what evaluation, training and conversion do."""
    from cooptrack_ros.data.bags.standard_messages import compressed_image
    from cooptrack_ros.data.bags.types import EGO
    from cooptrack_ros.data.spd.reader import SpdDataset
    dataset = SpdDataset(root)
    for sequence in dataset.sequences():
        for side in _SIDES:
            for record in dataset.records(side, sequence)[:2]:
                record.frame()
                for camera in record.cameras:
                    compressed_image(camera, EGO, 0)
                if record.point_cloud is not None:
                    record.point_cloud.read()


def prepare(folder: Path) -> Run:
    """Write a small scene whose files are changed one at a time."""
    root = make_scene(folder)
    logging.disable(logging.WARNING)
    read_everything(root)
    kinds: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(p for p in root.rglob('*') if p.is_file()):
        kinds.setdefault((path.parent.name, path.suffix), []).append(path)
    groups = list(kinds.values())

    def run(data: bytes) -> bool:
        source = Source(data)
        group = groups[source.below(len(groups))]
        # The first ones are read whatever the others say.
        path = group[source.below(min(len(group), 3))]
        return is_accepted(path, source, lambda: read_everything(root))
    return run


ENTRY = Entry('dataset', MODULES, prepare, plain_seeds)
