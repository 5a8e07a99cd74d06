"""Occupancy head: queries of things and stuff become masks of voxels, classes, points and velocities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ...occupancy.grids import GRIDS
from ...occupancy.merging import MergeRules, merge_masks
from ...occupancy.segments import Volume
from ..initialization import PRIOR_LOGIT
from ..instances.boxes import inverse_sigmoid
from ..layers import plain_head
from .attention import VolumeLayer
from .lift import MaskFeatures, VolumeGeometry, VolumeLift
from .sizes import OccupancySizes
from .soft_boxes import BoxShapes, SoftBoxes

_MASKS_AT_ONCE = 16
_ALL = slice(None)


@dataclass(frozen=True)
class Queries:
    """
    N queries: ``feats`` (B, N, C), position embeddings ``embeds`` (B, N, C), ``reference`` points (B, N, 3) 0..1.

    ``codes`` (B, N, 10) are their boxes, whose bottom centres are the reference points; None where nobody knows any.
    """

    feats: Tensor
    embeds: Tensor
    reference: Tensor
    codes: Tensor | None = None

    @staticmethod
    def join(first: Queries, second: Queries) -> Queries:
        """Return both, in order, without boxes."""
        names = ('feats', 'embeds', 'reference')
        return Queries(*(torch.cat([getattr(first, name), getattr(second, name)], dim=1) for name in names))


class LearnedQueries(nn.Module):
    """Queries with a learned feature and position each; the position tells their reference points."""

    def __init__(self, number: int, dims: int):
        """Create them."""
        super().__init__()
        self.embedding = nn.Embedding(number, 2 * dims)
        self.reference = nn.Linear(dims, 3)

    def forward(self, batch: int) -> Queries:
        """Return them for a batch."""
        feats, embeds = self.embedding.weight.expand(batch, -1, -1).chunk(2, dim=-1)
        return Queries(feats, embeds, self.reference(embeds).sigmoid())


@dataclass(frozen=True)
class MaskOutput:
    """
    What the head says of N queries, those of things first.

    ``logits`` (B, N, K) of the classes, free among them; ``mask_embed`` (B, N, D + 1) and ``mask_feats``
    (B, D, X, Y, Z), whose products and the last column are the logits of masks; ``feats`` (B, N, C) of the queries;
    refined ``reference`` (B, N, 3) in 0..1; ``velocity`` (B, N, 3) m/s. ``boxes`` of the queries add their logits to
    those of masks; None where all have none.
    """

    logits: Tensor
    mask_embed: Tensor
    mask_feats: Tensor
    feats: Tensor
    reference: Tensor
    velocity: Tensor
    boxes: SoftBoxes | None = None

    def chosen(self, queries: Tensor) -> MaskOutput:
        """Return what is said of some queries, given by number."""
        per_query = ('logits', 'mask_embed', 'feats', 'reference', 'velocity')
        boxes = None if self.boxes is None else self.boxes.chosen(queries)
        return replace(self, **{name: getattr(self, name)[:, queries] for name in per_query}, boxes=boxes)

    def mask_logits(self, batch: int, queries: Tensor, voxels: Tensor | slice = _ALL) -> Tensor:
        """Return (M, V) of M queries given by number at some voxels, given by flat index, or at all of them."""
        embed = self.mask_embed[batch, queries]
        # Features are 0 where nothing speaks: the last column decides there, else all masks were exactly one half.
        logits = torch.addmm(embed[:, -1:], embed[:, :-1], self.mask_feats[batch].flatten(1)[:, voxels])
        if self.boxes is None:
            return logits
        return logits + self.boxes.logits(batch, queries, self.mask_feats.shape[2:]).flatten(1)[:, voxels]

    def masks(self, batch: int, queries: Tensor) -> Tensor:
        """Return (M, X, Y, Z) in 0..1 of M queries given by number."""
        grid = self.mask_feats.shape[2:]
        # A few at once: all masks of a grid of full size would not fit into caches, nor into small devices.
        rows = [self.mask_logits(batch, part).sigmoid() for part in queries.split(_MASKS_AT_ONCE) if len(part)]
        return torch.cat([self.mask_feats.new_zeros(0, grid.numel()), *rows]).unflatten(1, grid)


class OccupancyHead(nn.Module):
    """
    Reads image and BEV features of the tracker; has learned queries of stuff, and of things that are new.

    Things that are known come from outside: those that were followed so far, or the instances of the tracker.
    """

    def __init__(self, config: ModelConfig, sizes: OccupancySizes):
        """
        Create the layers.

        :raises ValueError: if the grid does not fit the BEV cells of the network.
        """
        super().__init__()
        self.taxonomy = GRIDS[sizes.profile].taxonomy
        sizes.coarse_grid(GRIDS[sizes.profile].vehicle, config)
        dims = config.embed_dims
        self.lift = VolumeLift(config, sizes)
        self.mask_features = MaskFeatures(sizes)
        self.sizes = sizes
        self.new_things = LearnedQueries(sizes.thing_queries, dims) if sizes.thing_queries else None
        """None where all things come from outside."""
        self.box_shapes = None if sizes.thing_queries else BoxShapes(dims, sizes.mask_dims[1] + 1)
        """None where nobody knows boxes of things."""
        self.stuff = LearnedQueries(sizes.stuff_queries, dims)
        self.layer = VolumeLayer(config, sizes)
        self.cls = nn.Linear(dims, sizes.classes)
        self.mask_embed = plain_head(dims, sizes.mask_dims[1] + 1)
        self.refinement = nn.Linear(dims, 3)
        self.velocity = nn.Linear(dims, 3)
        nn.init.constant_(self.cls.bias, PRIOR_LOGIT)
        if self.box_shapes is not None:
            # Known things start where they are known to be.
            nn.init.zeros_(self.refinement.weight)
            nn.init.zeros_(self.refinement.bias)

    def forward(self, features: Tensor, bev: Tensor, geometry: VolumeGeometry, things: Queries) -> MaskOutput:
        """
        Return what is found for things and stuff.

        :param features: (B, V, C, h, w) of the images; :param bev: (B, cells, C).
        :param things: known ones and, where the head finds them itself, ``new_things``; may be none.
        :raises ValueError: for known things without boxes, and for boxes where the head finds things itself.
        """
        if (things.codes is None) != (self.box_shapes is None):
            raise ValueError('things have boxes if, and only if, the head does not find them itself')
        volume = self.lift(features, bev, geometry)
        queries = Queries.join(things, self.stuff(len(bev)))
        feats = self.layer(queries.feats, queries.embeds, volume, queries.reference)
        # Not detached: errors of a place also teach the place before.
        reference = (inverse_sigmoid(queries.reference) + self.refinement(feats)).sigmoid()
        return MaskOutput(self.cls(feats), self._mask_embed(feats, things), self.mask_features(volume), feats,
                          reference, self.velocity(feats), self._boxes(feats, reference, things))

    def _mask_embed(self, feats: Tensor, things: Queries) -> Tensor:
        """Return it of all queries; things with boxes have layers of their own."""
        if self.box_shapes is None:
            return self.mask_embed(feats)
        known = things.feats.shape[1]
        return torch.cat([self.box_shapes.mask_embed(feats[:, :known]), self.mask_embed(feats[:, known:])], dim=1)

    def _boxes(self, feats: Tensor, reference: Tensor, things: Queries) -> SoftBoxes | None:
        """Return the boxes of the things, none for stuff."""
        if things.codes is None:
            return None
        grid, known = GRIDS[self.sizes.profile].vehicle, things.codes.shape[1]
        extent = feats.new_tensor(grid.extent)
        # Refined along the ground: the box stands where the head thinks that the thing is.
        flat = reference[:, :known, :2] * extent[:2]
        height = things.reference[..., 2:] * extent[2] + things.codes[..., 5:6].exp() / 2
        rows = self.box_shapes(feats[:, :known], torch.cat([flat, height], dim=-1), things.codes)
        return SoftBoxes(nn.functional.pad(rows, (0, 0, 0, feats.shape[1] - known)), grid.voxel)

    def volume(self, output: MaskOutput, ids: Tensor, rules: MergeRules, batch: int = 0) -> Volume:
        """
        Return classes and identities of the voxels of one agent.

        :param ids: (T,) identities of the T queries of things, 1 or more; those of stuff follow them.
        """
        probability = output.logits[batch].sigmoid()
        # Others write nothing; masks are the most expensive part.
        queries = torch.nonzero(probability.amax(-1) > rules.score).flatten()
        all_ids = torch.cat([ids, ids.new_zeros(len(probability) - len(ids))])[queries]
        return merge_masks(probability[queries].detach().cpu().numpy(),
                           output.masks(batch, queries).detach().cpu().numpy(), all_ids.cpu().numpy(), self.taxonomy,
                           rules)
