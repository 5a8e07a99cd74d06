"""Every constant of the pretraining; the only place for their defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...common.errors import UserError

CHOICES = {'agents': ('all', 'ego'), 'token_at': ('cell', 'pillar'), 'distance': ('l1', 'l2')}


@dataclass(frozen=True)
class LidarPretrainingConfig:
    """The block ``lidar`` of a recipe."""

    agents: str = 'all'
    """Whose points are rebuilt: those of ``all`` agents, or of the ``ego`` vehicle alone."""
    mask_ratio: float = 0.7
    """Share of the cells with points that are hidden."""
    token_at: str = 'cell'
    """
    Where the learned token stands for what is hidden: in the middle of the ``cell``, or in every ``pillar`` with
    points, which tells the encoder where some are.
    """
    distance: str = 'l1'
    """Between points: ``l1``, sum of the three differences, or ``l2``."""
    points: int = 20
    """So many are said of every cell."""
    max_targets: int = 64
    """So many of a cell's points count."""
    flip_probability: float = 0.5
    """Left and right."""
    rotation_deg: float = 45.0
    """Largest turn about the vehicle, to either side."""
    scale: float = 0.05
    """Largest stretch, to either side."""

    def __post_init__(self):
        """
        Check the values.

        :raises UserError: for one that cannot be.
        """
        for field in fields(self):
            known, value = CHOICES.get(field.name), getattr(self, field.name)
            if known and value not in known:
                raise UserError(f"lidar.{field.name} must be one of {', '.join(known)}, not '{value}'")
        if not 0 < self.mask_ratio < 1 or self.points < 1 or self.max_targets < 1 or not 0 <= self.scale < 1:
            raise UserError('lidar.mask_ratio must be between 0 and 1, lidar.points and lidar.max_targets at least 1, '
                            f'lidar.scale from 0 to below 1, not {self.mask_ratio}, {self.points}, {self.max_targets} '
                            f'and {self.scale}')
