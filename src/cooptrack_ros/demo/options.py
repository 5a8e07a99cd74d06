"""What a demonstration is made of, and where its parts lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..data.synth import provenance
from .domains import DomainReservation, reserve_domains

UNIT = 'rsu_1'
REAL_TIME_S = 3.0
"""Length of the real-time pass."""


@dataclass(frozen=True)
class Pass:
    """One run of the nodes over the whole bag; ``title`` is for people, ``voxels``: found if they are asked for."""

    name: str
    title: str
    mode: str
    zero_features: bool = False
    voxels: bool = False


COOPERATIVE = Pass('cooperative', 'cooperative', 'cooperative', voxels=True)
ALONE = Pass('ego_only', 'ego only', 'none', voxels=True)
REPLAYED = (
    ALONE,
    Pass('late', 'late fusion', 'late'),
    Pass('cooperative_features_zeroed', 'cooperative, features zeroed', 'cooperative', True),
)
"""Passes of the ego node alone, over the features that the first pass recorded."""


@dataclass(frozen=True)
class DemoOptions:
    """The inputs of a demonstration; ``occupancy`` names the grid of the voxels that it finds, too."""

    seed: int = 20002
    seconds: float = 10.0
    size: tuple[int, int] = (960, 540)
    weights: str = 'mini'
    out: Path = Path('out/demo')
    occupancy: str = ''

    @property
    def scene_provenance(self) -> dict:
        """Everything that decides the bytes of the scene."""
        return provenance(self.seed, self.seconds, self.size, 1, False, occupancy=self.occupancy)

    @property
    def scene(self) -> Path:
        """Folder of the data set."""
        return self.out / 'cache' / f'scene_{self._digest(self.scene_provenance)}'

    @cached_property
    def bag(self) -> Path:
        """The scene as a bag; its name changes with the scene and with the code that makes bags."""
        return self.out / 'cache' / f'bag_{self._digest([self.scene_provenance, _converter_digest()])}'

    @cached_property
    def domains(self) -> DomainReservation:
        """The ROS domains of two concurrent passes, reserved as long as these options live."""
        return reserve_domains(2)

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.out / 'logs'

    def answers(self, name: str) -> Path:
        """Return the bag of what the nodes published in a pass."""
        return self.out / 'answers' / name

    @staticmethod
    def _digest(content: object) -> str:
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _converter_digest() -> str:
    """Return a digest of the code that writes bags and of our message definitions."""
    package = Path(__file__).resolve().parents[1]
    files = sorted([*(package / 'data').glob('bag*.py'), *(package.parent / 'cooptrack_msgs' / 'msg').glob('*.msg')])
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()
