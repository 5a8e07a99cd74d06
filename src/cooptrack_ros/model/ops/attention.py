"""Multi-head attention with stacked projections, on PyTorch's fused kernel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Dense multi-head attention; rows of ``in_weight`` are the query, key and value projections in turn."""

    def __init__(self, dims: int, heads: int, dropout: float):
        """Create the projections, Xavier-uniform with zero biases."""
        super().__init__()
        self.dims = dims
        self.heads = heads
        self.dropout = dropout
        self.in_weight = nn.Parameter(torch.empty(3 * dims, dims))
        self.in_bias = nn.Parameter(torch.zeros(3 * dims))
        self.out = nn.Linear(dims, dims)
        nn.init.xavier_uniform_(self.in_weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None = None) -> Tensor:
        """
        Return attended values (B, T, C).

        :param query: (B, T, C); :param key: (B, S, C); :param value: (B, S, C).
        :param padding: (B, S) bool, True where a key must be ignored.
        """
        c = self.dims
        v = F.linear(value, self.in_weight[2 * c:], self.in_bias[2 * c:])
        if value.shape[1] == 1 and query.shape[1] == 1 and padding is None and not self.training:
            return self.out(v)  # one key gets all the weight, whatever the query
        if query is key:
            q, k = F.linear(query, self.in_weight[:2 * c], self.in_bias[:2 * c]).chunk(2, dim=-1)
        else:
            q = F.linear(query, self.in_weight[:c], self.in_bias[:c])
            k = F.linear(key, self.in_weight[c:2 * c], self.in_bias[c:2 * c])
        q, k, v = (x.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for x in (q, k, v))
        mask = None if padding is None else ~padding[:, None, None, :]
        attended = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0)
        return self.out(attended.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with ReLU and dropout, plus the input."""

    def __init__(self, dims: int, hidden: int, dropout: float):
        """Create the layers."""
        super().__init__()
        self.inner = nn.Linear(dims, hidden)
        self.outer = nn.Linear(hidden, dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the transformed x, same shape."""
        return x + self.dropout(self.outer(self.dropout(F.relu(self.inner(x)))))
