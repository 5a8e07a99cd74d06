"""Affinities of vehicle and roadside instances with the linear layers of the edges merged (method.md 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..cooperation.alignment import AlignedInstances
from ..cooperation.association import Association


class FastAssociation:
    """
    Same logits as ``Association``, to rounding.

    Between the ReLU of an edge and the norm of its score lie three linear layers only; they are one here, and the
    first layer of a difference is the difference of two first layers.
    """

    def __init__(self, association: Association):
        """Prepare for the weights that the association has now."""
        self._association = association
        first, _, second = association.edge
        score, self._norm, _, self._last = association.score
        self._first = first
        onwards = score.weight @ association.edge_weight.T
        self._edge_weight = onwards @ second.weight
        self._edge_bias = onwards @ second.bias + score.bias
        self._product_weight = score.weight.sum(1)

    def __call__(self, semantic: Tensor, motion: Tensor, ref_points: Tensor, infra: AlignedInstances,
                 near: Tensor | None = None) -> Tensor:
        """
        Return logits (N, M) of N vehicle rows and M aligned instances; points in 0..1 of the ego range.

        :param near: (N, M) bool, the pairs that count: where these are few, others are -inf.
        """
        nodes = self._association
        query = nodes.node_vehicle(torch.cat([semantic, motion], dim=-1)) @ nodes.query
        key = nodes.node_infra(torch.cat([infra.semantic, infra.motion], dim=-1)) @ nodes.key
        own = ref_points @ self._first.weight.T + self._first.bias
        there = infra.ref_points @ self._first.weight.T
        if near is None:
            return self._logits(own[:, None] - there, (query @ key.T)[..., None])
        rows, columns = near.nonzero(as_tuple=True)
        if 2 * len(rows) > near.numel():
            return self._logits(own[:, None] - there, (query @ key.T)[..., None])
        found = self._logits(own[rows] - there[columns], (query[rows] * key[columns]).sum(-1, keepdim=True))
        return found.new_full(near.shape, -torch.inf).index_put_((rows, columns), found)

    def _logits(self, differences: Tensor, products: Tensor) -> Tensor:
        """Return (...,) of first layers (..., C) of differences and the products (..., 1) of nodes."""
        scores = torch.addcmul((differences.relu_() @ self._edge_weight.T).add_(self._edge_bias), products,
                               self._product_weight)
        return self._last(self._norm(scores).relu_()).squeeze(-1)
