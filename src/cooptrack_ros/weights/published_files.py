"""The five files that the authors of CoopTrack published, by their MD5."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..common.types import Side


@dataclass(frozen=True)
class PublishedFile:
    """One published checkpoint; the detection-only ones are what the tracking ones were trained from."""

    name: str
    md5: str
    side: Side
    detection_only: bool = False

    @property
    def package(self) -> str:
        """Return the name of the model folder that holds this file and those of its other sides."""
        return self.name.rsplit('_', 1)[0]


PUBLISHED_FILES = (
    PublishedFile('cooptrack_det_r50_veh', 'f79a1eea02bdb43f864b8e431b01c8b5', Side.VEHICLE, True),
    PublishedFile('cooptrack_det_r50_inf', 'f93c88f4beb59da7267d073bb777beb1', Side.ROADSIDE, True),
    PublishedFile('cooptrack_r50_veh', '34d9f0553e4eb421bdb4bb3b7dae41aa', Side.VEHICLE),
    PublishedFile('cooptrack_r50_inf', '0657439da18e951724f6b4e5a623ea23', Side.ROADSIDE),
    PublishedFile('cooptrack_r50_coop', '12d4658b70f21931f3b4a793cd1bf033', Side.COOPERATIVE),
)

FILE_SUFFIX = {Side.VEHICLE: 'veh', Side.ROADSIDE: 'inf', Side.COOPERATIVE: 'coop'}
"""How the names of published files tell their side."""


def md5_of(path: Path) -> str:
    """Return the MD5 of a file; it identifies published files and proves nothing about safety."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'md5').hexdigest()


def known_file(md5: str) -> PublishedFile | None:
    """Return the published file with this MD5."""
    return next((f for f in PUBLISHED_FILES if f.md5 == md5), None)


def side_in_name(stem: str) -> Side | None:
    """Return the side that a file name ends in (``_veh``, ``_inf``, ``_coop``)."""
    return next((side for side, suffix in FILE_SUFFIX.items() if stem.endswith(f'_{suffix}')), None)
