"""The network of one agent: its stages as methods, in the order of a frame (method.md 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..common.config import ModelConfig
from ..common.types import Side
from .bev.encoder import BevEncoder
from .bev.geometry import BevGeometry, BevMotion, align_bev
from .cooperation.additions import Additions
from .cooperation.alignment import AlignedInstances, Alignment
from .cooperation.association import Aggregation, Association
from .image.backbone import build_backbone
from .image.neck import Neck
from .initialization import initialize
from .instances.decoder import Decoder, DecoderOutput
from .instances.motion import MotionExtractor
from .instances.position import point_embedding
from .instances.reasoning import Reasoner
from .instances.track_motion import TrackMotion
from .layers import mlp

ADDED = ('alignment', 'association', 'aggregation')
"""The parts that only a cooperative network has."""
PUBLISHED_CODE_WEIGHTS = (1.0,) * 8 + (0.2, 0.2)


class PublishedExtras(nn.Module):
    """
    Entries of the published files that have no effect, kept so that a file can be written back whole.

    See method.md 14.4.
    """

    def __init__(self, dims: int, cooperative: bool):
        """Create the entries."""
        super().__init__()
        self.register_buffer('criterion_code_weights', torch.tensor(PUBLISHED_CODE_WEIGHTS))
        self.head_code_weights = nn.Parameter(torch.tensor(PUBLISHED_CODE_WEIGHTS), requires_grad=False)
        self.bev_linear = nn.Linear(dims, dims)
        self.bev_position_linear = nn.Linear(dims, dims)
        if cooperative:
            self.dummy_node = mlp(dims, dims, dims)
            self.dummy_points = mlp(3, dims, 3)


class CoopTrackNetwork(nn.Module):
    """
    All stages of one side; tensors carry a leading batch dimension B unless said otherwise.

    The object holds no state between frames: see ``tracking.tracker`` for one step of one agent.
    """

    def __init__(self, config: ModelConfig, side: Side):
        """Create and initialise the modules (method.md 13.9), drawing from PyTorch's global generator."""
        super().__init__()
        self.config, self.side = config, side
        dims, pc_range = config.embed_dims, config.range_of(side).pc_range
        self.backbone = build_backbone(config.backbone)
        self.neck = Neck(self.backbone.channels, dims)
        self.query_points = nn.Embedding(config.num_queries, 3)
        self.query_features = nn.Embedding(config.num_queries, dims)
        self.query_position = mlp(3 * (dims // 2), dims, dims)
        self.bev_encoder = BevEncoder(config)
        self.decoder = Decoder(config, pc_range)
        self.motion_extractor = MotionExtractor(config)
        self.reasoner = Reasoner(config, pc_range)
        if config.method.carried_motion:
            self.track_motion = TrackMotion(dims)
        cooperative = side is Side.COOPERATIVE
        if cooperative:
            self.alignment = Alignment(config)
            self.association = Association(config)
            self.aggregation = (Additions if config.adds(side) else Aggregation)(config)
            if config.method.fusion_stage == 'before_decoder':
                self.query_fusion = nn.Linear(dims, dims)
        if config.published_extras:
            self.extras = PublishedExtras(dims, cooperative)
        initialize(self.query_points, self.query_features, self.neck, self.bev_encoder, self.decoder, self.reasoner,
                   self._new_fusion() if cooperative else (), config.method.cls_prior_bias)

    def _new_fusion(self) -> tuple[nn.Module, ...]:
        """Return the parts of cooperation that start as published; additions start with nothing."""
        return (self.association,) if self.config.adds(self.side) else (self.association, self.aggregation)

    def image_features(self, images: Tensor) -> Tensor:
        """Return (B, V, C, h, w) of normalised images (B, V, 3, H, W)."""
        batch, cameras = images.shape[:2]
        features = self.neck(self.backbone(images.flatten(0, 1)))
        return features.unflatten(0, (batch, cameras))

    def align_bev(self, previous_bev: Tensor, motion: BevMotion) -> Tensor:
        """Return the previous BEV features (B, cells, C) brought into the current frame."""
        return align_bev(self.config, previous_bev, motion)

    def encode_bev(self, features: Tensor, geometry: BevGeometry, motion: BevMotion,
                   previous_bev: Tensor | None = None) -> Tensor:
        """Return the BEV features (B, cells, C); ``previous_bev`` must have gone through ``align_bev``."""
        return self.bev_encoder(features, geometry, motion, previous_bev)

    def embed_points(self, ref_points: Tensor) -> Tensor:
        """Return positional embeddings (..., C) of normalised points (..., 3)."""
        return self.query_position(point_embedding(ref_points, self.config.embed_dims // 2))

    def decode(self, bev: Tensor, query_feats: Tensor, query_embeds: Tensor, ref_points: Tensor) -> DecoderOutput:
        """Return the results of all decoder layers for queries (B, N, ...)."""
        return self.decoder(bev, query_feats, query_embeds, ref_points)

    def motion_features(self, codes: Tensor, semantic: Tensor) -> Tensor:
        """Return motion features (..., C) of instances with box codes (..., 10) and semantic features (..., C)."""
        return self.motion_extractor(codes) if self.config.method.motion_features == 'extracted' else semantic

    def reason(self, semantic: Tensor, motion: Tensor, hist_semantic: Tensor, hist_motion: Tensor,
               hist_padding: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return semantic and motion features (B, N, C) enhanced by the already shifted histories."""
        return self.reasoner(semantic, motion, hist_semantic, hist_motion, hist_padding, position)

    def refine(self, semantic: Tensor, motion: Tensor, ref_points: Tensor,
               before: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return final logits (..., K), codes (..., 10) and points (..., 3); :param before: see ``refine_code``."""
        return self.reasoner.refine(semantic, motion, ref_points, before)

    def align(self, semantic: Tensor, motion: Tensor, embedding: Tensor, ref_points: Tensor, codes: Tensor,
              ego_from_infra: Tensor) -> AlignedInstances:
        """Bring received instances (M, ...; no batch) into the ego frame and range; cooperative only."""
        return self.alignment(semantic, motion, embedding, ref_points, codes, ego_from_infra)

    def association_logits(self, semantic: Tensor, motion: Tensor, ref_points: Tensor, infra: AlignedInstances,
                           near: Tensor | None = None) -> Tensor:
        """
        Return (N, M) for vehicle rows (N, ...; no batch) and aligned instances; cooperative only.

        :param near: (N, M) bool, the pairs that count: an arrangement for speed leaves out others.
        """
        return self.association(semantic, motion, ref_points, infra.semantic, infra.motion, infra.ref_points)

    def freeze(self, *names: str) -> None:
        """
        Stop training of the named modules (``backbone``, ``neck``), batch-norm statistics included.

        They stay frozen through later calls of ``train()``.
        """
        self._frozen = getattr(self, '_frozen', ()) + names
        for name in names:
            getattr(self, name).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> CoopTrackNetwork:
        """Switch dropout and batch norms, except in frozen modules."""
        super().train(mode)
        for name in getattr(self, '_frozen', ()):
            getattr(self, name).eval()
        return self
