"""Cross-agent alignment of the features of one unit, block by block (method.md 8)."""

from __future__ import annotations

from torch import Tensor

from ..cooperation.alignment import Alignment


class FastAlignment:
    """Same features as ``Alignment``, to rounding; which instances there are and where is up to the caller."""

    def __init__(self, alignment: Alignment):
        """Prepare for the weights that the alignment has now."""
        self._alignment = alignment

    def __call__(self, semantic: Tensor, motion: Tensor, embedding: Tensor,
                 ego_from_infra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return the three features (M, C) in the ego domain.

        :param ego_from_infra: (4, 4) float32, which the latent operator is made of.
        """
        layers = self._alignment
        if not layers.is_latent:
            return semantic, motion, embedding
        blocks = layers.rotation(ego_from_infra[:3, :2].reshape(1, 6)).view(
            layers.blocks, layers.block_size, layers.block_size)
        offset = layers.translation(ego_from_infra[:3, 3][None])
        aligned = []
        for projection, x in ((layers.semantic, semantic), (layers.motion, motion), (layers.embedding, embedding)):
            # (blocks, M, block) times each transposed block is what the block-diagonal matrix does.
            turned = projection.input(x).unflatten(1, (layers.blocks, layers.block_size)).transpose(
                0, 1) @ blocks.transpose(1, 2)
            aligned.append(projection.output(turned.transpose(0, 1).flatten(1) + offset + x))
        return tuple(aligned)
