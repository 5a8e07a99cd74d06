"""Names of the published checkpoints and their counterparts here, one to one (method.md 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import Side

_TRANSFORMER = 'pts_bbox_head.transformer.'
_ENCODER = _TRANSFORMER + 'encoder.layers.{i}.'
_DECODER = _TRANSFORMER + 'decoder.layers.{i}.'


def _attention(published: str, ours: str) -> list[tuple[str, str]]:
    return [(f'{published}attn.in_proj_weight', f'{ours}in_weight'),
            (f'{published}attn.in_proj_bias', f'{ours}in_bias'),
            (f'{published}attn.out_proj.', f'{ours}out.')]


def _deformable(published: str, ours: str) -> list[tuple[str, str]]:
    names = {'sampling_offsets': 'offsets', 'attention_weights': 'weights', 'value_proj': 'value',
             'output_proj': 'output'}
    return [(f'{published}{theirs}.', f'{ours}{mine}.') for theirs, mine in names.items()]


def _ffn(published: str, ours: str) -> list[tuple[str, str]]:
    return [(f'{published}ffns.0.layers.0.0.', f'{ours}ffn.inner.'),
            (f'{published}ffns.0.layers.1.', f'{ours}ffn.outer.')]


def _reasoning(published: str, ours: str) -> list[tuple[str, str]]:
    layer, mine = f'STReasoner.{published}.decoder.layers.{{i}}.', f'reasoner.{ours}.layers.{{i}}.'
    return [*_attention(layer + 'attentions.0.', mine + 'self_attention.'),
            *_attention(layer + 'attentions.1.', mine + 'cross_attention.'), *_ffn(layer, mine),
            (layer + 'norms.', mine + 'norms.'),
            (f'STReasoner.{published}.decoder.post_norm.', f'reasoner.{ours}.norm.')]


_PAIRS: list[tuple[str, str]] = [
    ('img_backbone.', 'backbone.'),
    ('img_neck.lateral_convs.0.conv.', 'neck.lateral.'),
    ('img_neck.fpn_convs.0.conv.', 'neck.output.'),
    ('reference_points.', 'query_points.'),
    ('query_feat_embedding.', 'query_features.'),
    ('query_embedding.', 'query_position.'),
    ('criterion.code_weights', 'extras.criterion_code_weights'),
    ('pts_bbox_head.code_weights', 'extras.head_code_weights'),
    ('bev_embed_linear.', 'extras.bev_linear.'),
    ('bev_pos_linear.', 'extras.bev_position_linear.'),
    ('STReasoner.get_dummy_node.', 'extras.dummy_node.'),
    ('STReasoner.get_dummy_pts.', 'extras.dummy_points.'),
    ('pts_bbox_head.bev_embedding.', 'bev_encoder.queries.'),
    ('pts_bbox_head.positional_encoding.row_embed.', 'bev_encoder.row_embed.'),
    ('pts_bbox_head.positional_encoding.col_embed.', 'bev_encoder.col_embed.'),
    ('pts_bbox_head.cls_branches.{i}.', 'decoder.cls.{i}.'),
    ('pts_bbox_head.reg_branches.{i}.', 'decoder.reg.{i}.'),
    (_TRANSFORMER + 'level_embeds', 'bev_encoder.level_embed'),
    (_TRANSFORMER + 'cams_embeds', 'bev_encoder.camera_embed'),
    (_TRANSFORMER + 'can_bus_mlp.norm.', 'bev_encoder.motion_mlp.4.'),
    (_TRANSFORMER + 'can_bus_mlp.', 'bev_encoder.motion_mlp.'),
    *_deformable(_ENCODER + 'attentions.0.', 'bev_encoder.layers.{i}.temporal.'),
    *_deformable(_ENCODER + 'attentions.1.deformable_attention.', 'bev_encoder.layers.{i}.spatial.sampling.'),
    (_ENCODER + 'attentions.1.output_proj.', 'bev_encoder.layers.{i}.spatial.output.'),
    *_ffn(_ENCODER, 'bev_encoder.layers.{i}.'),
    (_ENCODER + 'norms.', 'bev_encoder.layers.{i}.norms.'),
    *_attention(_DECODER + 'attentions.0.', 'decoder.layers.{i}.self_attention.'),
    *_deformable(_DECODER + 'attentions.1.', 'decoder.layers.{i}.sampling.'),
    *_ffn(_DECODER, 'decoder.layers.{i}.'),
    (_DECODER + 'norms.', 'decoder.layers.{i}.norms.'),
    *_reasoning('hist_temporal_transformer', 'temporal'),
    *_reasoning('spatial_transformer', 'spatial'),
    *_reasoning('hist_motion_transformer', 'motion'),
    ('STReasoner.track_cls.', 'reasoner.cls.'),
    ('STReasoner.track_reg.', 'reasoner.reg.'),
    ('STReasoner.ts_query_embed.', 'reasoner.slot_embed.'),
    ('MotionExtractor.pointnet.', 'motion_extractor.corner_net.'),
    ('MotionExtractor.velonet.', 'motion_extractor.velocity_net.'),
    ('MotionExtractor.fusion_net.', 'motion_extractor.fusion.'),
    ('STReasoner.fuse_feats.', 'aggregation.semantic.'),
    ('STReasoner.fuse_motion.', 'aggregation.motion.'),
    ('STReasoner.fuse_embed.', 'aggregation.embedding.'),
    ('STReasoner.cross_domain_query.', 'aggregation.domain_semantic.'),
    ('STReasoner.cross_domain_motion.', 'aggregation.domain_motion.'),
    ('STReasoner.get_node_veh.', 'association.node_vehicle.'),
    ('STReasoner.get_node_inf.', 'association.node_infra.'),
    ('STReasoner.get_edge.', 'association.edge.'),
    ('STReasoner.wq', 'association.query'),
    ('STReasoner.wk', 'association.key'),
    ('STReasoner.we', 'association.edge_weight'),
    ('STReasoner.ffn.', 'association.score.'),
    ('crossview_alignment.rot_mlp.', 'alignment.rotation.'),
    ('crossview_alignment.trans_mlp.', 'alignment.translation.'),
    # Not in the published network: the names stay.
    ('track_motion.', 'track_motion.'),
    ('aggregation.judge.', 'aggregation.judge.'),
    *[(f'crossview_alignment.{theirs}_{way}_proj.', f'alignment.{mine}.{way}.')
      for theirs, mine in (('feat', 'semantic'), ('embed', 'embedding'), ('motion', 'motion'))
      for way in ('input', 'output')],
]
"""Prefixes ending in a dot, or whole names; ``{i}`` stands for a layer number. The first match counts."""


def _compile(pairs: list[tuple[str, str]]) -> list[tuple[re.Pattern, str]]:
    rules = []
    for source, target in pairs:
        pattern = re.escape(source).replace(r'\{i\}', r'(?P<i>\d+)')
        rules.append((re.compile(pattern + ('' if source.endswith('.') else '$')), target))
    return rules


_TO_OURS = _compile(_PAIRS)
_TO_PUBLISHED = _compile([(ours, published) for published, ours in _PAIRS])


def _translate(name: str, rules: list[tuple[re.Pattern, str]]) -> str:
    for pattern, target in rules:
        match = pattern.match(name)
        if match:
            return target.format(**match.groupdict()) + name[match.end():]
    raise KeyError(name)


def our_name(published: str) -> str:
    """
    Return our name of a published entry.

    :raises KeyError: if the published model has no such entry.
    """
    return _translate(published, _TO_OURS)


def published_name(ours: str) -> str:
    """
    Return the published name of one of our entries.

    :raises KeyError: if there is no such entry.
    """
    return _translate(ours, _TO_PUBLISHED)


def unknown_names(names: Iterable[str]) -> list[str]:
    """Return those of some names under which none of our entries can stand."""
    return sorted(n for n in names if not any(pattern.match(n) for pattern, _ in _TO_PUBLISHED))


TRACKING_PREFIXES = ('STReasoner.', 'MotionExtractor.', 'crossview_alignment.')
"""What tracking and cooperation add to the entries of a detection checkpoint (method.md 14.2, 14.3)."""


def expected_entries(config: ModelConfig, side: Side, detection_only: bool = False) -> dict[str, tuple[int, ...]]:
    """Return published names and shapes of all entries that a checkpoint of a configuration holds."""
    from ..model.network import CoopTrackNetwork
    with torch.device('meta'):
        network = CoopTrackNetwork(config, side)
    entries = {published_name(name): tuple(value.shape) for name, value in network.state_dict().items()}
    return {n: s for n, s in entries.items() if not (detection_only and n.startswith(TRACKING_PREFIXES))}


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under our names."""
    return {our_name(name): value for name, value in state.items()}


def to_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under the published names."""
    return {published_name(name): value for name, value in state.items()}
