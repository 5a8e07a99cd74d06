"""What units send in the training of BEV fusion."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.errors import UserError


@dataclass(frozen=True)
class BevFusionConfig:
    """The block ``bev_fusion`` of a recipe."""

    sparse: float = 0.5
    """Share of the frames in which a unit sends its best cells only, so that the fusion learns to do with few."""
    fewest_cells: int = 8
    """Of those frames; the number is drawn up to all cells, uniformly on a logarithmic scale."""

    def __post_init__(self):
        """
        Check the values.

        :raises UserError: for a share that is none.
        """
        if not 0 <= self.sparse <= 1 or self.fewest_cells < 1:
            raise UserError('bev_fusion.sparse must be a share and bev_fusion.fewest_cells at least 1, not '
                            f'{self.sparse} and {self.fewest_cells}')
