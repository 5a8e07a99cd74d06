"""A network with the stages of ``CoopTrackNetwork``, arranged for speed."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...common.freed_memory import return_freed_memory
from ..bev.geometry import BevGeometry, BevMotion
from ..cooperation.alignment import AlignedInstances
from ..instances.boxes import refine_code
from ..instances.decoder import DecoderOutput
from ..network import CoopTrackNetwork
from .alignment import FastAlignment
from .association import FastAssociation
from .decoder import DecodedQueries, FastDecoder
from .encoder import FastEncoder
from .reasoner import FastReasoner
from .sampling import BorderedMaps, GridMaps
from .traced import Direct, Traced, constant
from .vision import Vision


class FastNetwork:
    """
    Takes the place of a ``CoopTrackNetwork`` in inference: same methods, same results to rounding, batches of one.

    What depends on the weights alone is worked out once, here; what depends on the calibration, when it changes.
    Later changes of the weights of the original have no effect.
    """

    @torch.no_grad()
    def __init__(self, network: CoopTrackNetwork, fixed: bool | None = None, traces: bool = True):
        """
        Prepare a network that already lies on its device.

        :param fixed: compute everything for all rows with operations that every device and format of networks has,
            so that nobody waits for a device; by default everywhere but on a CPU, which is faster otherwise.
        :param traces: make graphs of what can be one, on a CPU.
        """
        self._network = network
        self.config, self.side = network.config, network.side
        self.device = network.query_points.weight.device
        self.range = network.query_points.weight.new_tensor(self.config.range_of(self.side).pc_range)
        """(6,) on the device."""
        on_cpu = self.device.type == 'cpu'
        fixed = not on_cpu if fixed is None else fixed
        maps = GridMaps if fixed else BorderedMaps
        packs = on_cpu and not fixed
        self._vision = Vision(network.backbone, network.neck, packs)
        self._encoder = FastEncoder(constant(network.bev_encoder), maps)
        self._decoder = FastDecoder(constant(network.decoder), maps)
        self._reasoner = FastReasoner(constant(network.reasoner), shortens=not fixed)
        # What lies between the operations of a GPU is hidden by graphs of its own.
        self._settles = Traced if packs and traces else Direct
        self._encode: tuple[BevGeometry, tuple[int, int], Traced | Direct] | None = None
        self._decode, self._reason = self._settles(self._decoder), self._settles(self._reasoner)
        if hasattr(network, 'association'):
            self._alignment = FastAlignment(network.alignment)
            self._association = FastAssociation(network.association)

    def __getattr__(self, name: str):
        """Return the stages and weights that are fast as they are."""
        return getattr(self._network, name)

    def image_features(self, images: Tensor) -> Tensor:
        """Return (1, V, C, h, w) of normalised images (1, V, 3, H, W)."""
        return self._vision(images[0])[None]

    def encode_bev(self, features: Tensor, geometry: BevGeometry, motion: BevMotion,
                   previous_bev: Tensor | None = None, alone: Tensor | None = None) -> Tensor:
        """
        Return the BEV features (1, cells, C).

        :param previous_bev: must have gone through ``align_bev``; :param alone: (1,) bool, whether it does not count.
        """
        map_size = tuple(features.shape[-2:])
        if self._encode is None or self._encode[0] is not geometry or self._encode[1] != map_size:
            had_camera, self._encode = self._encode is not None, None
            if had_camera:  # What a graph was made of would stay for every camera that there ever was.
                return_freed_memory()
            views = self._encoder.views(geometry, map_size)
            self._encode = geometry, map_size, self._settles(partial(self._encoder, views))
        inputs = [features[0], motion.vector, motion.shift]
        if previous_bev is not None:
            inputs += [previous_bev[0]] if alone is None else [previous_bev[0], alone]
        return self._encode[2](len(inputs), *inputs)[None]

    def decode(self, bev: Tensor, query_feats: Tensor, query_embeds: Tensor, ref_points: Tensor) -> DecoderOutput:
        """Return the results of the last decoder layer for queries (1, N, ...)."""
        last = DecodedQueries(*self._decode(query_feats.shape, bev[0], query_feats[0], query_embeds[0], ref_points[0]))
        return DecoderOutput(*(v[None, None] for v in (last.logits, last.codes, last.refs, last.feats)))

    def reason(self, semantic: Tensor, motion: Tensor, hist_semantic: Tensor, hist_motion: Tensor,
               hist_padding: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return semantic and motion features (1, N, C) enhanced by the already shifted histories."""
        rows = [v[0] for v in (semantic, motion, hist_semantic, hist_motion, hist_padding, position)]
        old = self._reasoner.with_past(hist_padding[0])
        rows += [] if old is None else [old]
        semantic, motion = self._reason(semantic.shape, *rows)
        return semantic[None], motion[None]

    def association_logits(self, semantic: Tensor, motion: Tensor, ref_points: Tensor, infra: AlignedInstances,
                           near: Tensor | None = None) -> Tensor:
        """
        Return (N, M) for vehicle rows (N, ...; no batch) and aligned instances; cooperative only.

        :param near: (N, M) bool, the pairs that count; others may be -inf.
        """
        return self._association(semantic, motion, ref_points, infra, near)

    def align_features(self, semantic: Tensor, motion: Tensor, embedding: Tensor,
                       ego_from_infra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (M, C) of one unit in the ego domain; :param ego_from_infra: (4, 4); cooperative only."""
        return self._alignment(semantic, motion, embedding, ego_from_infra)

    def refine(self, semantic: Tensor, motion: Tensor, ref_points: Tensor,
               before: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return final logits (..., K), codes (..., 10) and points (..., 3); :param before: see ``refine_code``."""
        heads = self._network.reasoner
        return heads.cls(semantic), *refine_code(heads.reg(motion), ref_points, self.range, before)
