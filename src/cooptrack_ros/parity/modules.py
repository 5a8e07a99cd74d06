"""Comparison of single modules on small inputs (``modules_seed*.npz``)."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import Boxes, InstanceSet, RoadsideMessage
from ..model.bev.geometry import BevGeometry
from ..model.cooperation.alignment import AlignedInstances
from ..model.instances.boxes import POINT_DIMS, corner_offsets, decode_codes, denormalize, normalize
from ..model.instances.position import point_embedding, slot_embedding
from ..model.instances.reasoning import replace_newest, shift_history, shift_padding
from ..model.network import CoopTrackNetwork
from ..tracking.frame_stages import FrameStages
from ..tracking.fusion import Fusion, Received, adapt
from ..tracking.lifecycle import Instances, move_by_velocity, move_to_frame
from . import modules_runtime
from .compare import TOLERANCES as T
from .compare import Arrays, Comparison
from .fill import filled_network
from .scenes import make_motion, small_input

BEV_SIZE, FEATURE_SIZE = (6, 8), (5, 7)
"""Map sizes of the recordings."""


@torch.inference_mode()
def check(golden: Any, seed: int, config: ModelConfig, comparison: Comparison) -> None:
    """Compare every module; vehicle weights, but cooperative ones for alignment and association."""
    vehicle = filled_network(config, 'veh', seed)
    cooperative = filled_network(config, 'coop', seed)

    def arrays(name: str) -> Arrays:
        return Arrays(golden, name, comparison)
    _check_encoder_layer(vehicle, arrays)
    _check_decoder_layer(vehicle, arrays('dec_layer'))
    _check_head(vehicle, arrays('head'), seed)
    _check_embeddings(vehicle, arrays('posemb'))
    _check_motion(vehicle, arrays('motion'))
    _check_history(vehicle, arrays('hist'))
    _check_alignment(cooperative, arrays('caa'))
    _check_association(cooperative, arrays('gba'))
    _check_propagation(arrays('prop'), config, seed)
    modules_runtime.check_coder(arrays('coder'), config)
    modules_runtime.check_rotation(arrays('rotate'), config)
    for max_age in (1, 3):
        modules_runtime.check_tracker(golden, f'tracker/age{max_age}', max_age, config, comparison)


def _check_encoder_layer(network: CoopTrackNetwork, arrays) -> None:
    layer = copy.deepcopy(network.bev_encoder.layers[0])
    layer.temporal.bev_size = BEV_SIZE
    a = arrays('tsa')
    reference = a['reference_points'][None, :, :, 0]
    value = a['value'][:, None]
    a.close('out', layer.temporal(a['query'], a['query_pos'], (value[0], value[1]), reference), T.features)
    a.close('out_no_prev', layer.temporal(
        a['query'], a['query_pos'], (a['query'], a['query']), reference), T.features)
    a = arrays('sca')
    features = a['value_cam0'].transpose(0, 1)[:, None]
    visible = a['bev_mask'].transpose(0, 1)
    geometry = BevGeometry(a['reference_points_cam'].transpose(0, 1), visible,
                           tuple(torch.nonzero(v).flatten() for v in visible.any(-1)[0]))
    a.close('out', layer.spatial(a['query'], features, FEATURE_SIZE, geometry), T.features)
    a = arrays('msda3d')
    sampled = layer.spatial.sampling(a['query'], a['value'], FEATURE_SIZE, a['reference_points'])
    a.close('out', sampled, T.features)
    a = arrays('enc_layer')
    bevs = a['prev_bev_stack'][:, None]
    out = layer(a['query'], a['bev_pos'], (bevs[0], bevs[1]), a['ref_2d'][None, :, :, 0], features, FEATURE_SIZE,
                geometry)
    a.close('out', out, T.features)


def _check_decoder_layer(network: CoopTrackNetwork, a: Arrays) -> None:
    layer = network.decoder.layers[0]
    query, position, bev = (a[k].transpose(0, 1) for k in ('query', 'query_pos', 'bev'))
    xy = a['reference_points'][:, :, 0]
    a.close('self_attn_out', layer.attend(query, position).transpose(0, 1), T.features)
    a.close('cross_attn_out', layer.sampling(query, position, bev, BEV_SIZE, xy).transpose(0, 1), T.features)
    a.close('out', layer(query, position, bev, BEV_SIZE, xy).transpose(0, 1), T.features)


def _check_head(network: CoopTrackNetwork, a: Arrays, seed: int) -> None:
    bev = torch.from_numpy(small_input('head/bev', (2500, 1, 256), seed)).transpose(0, 1)
    decoded = network.decode(bev, a['query_feats'][None], a['query_embeds'][None], a['ref_points'][None])
    a.close('logits', decoded.logits[:, 0], T.logits)
    a.close('boxes', decoded.boxes[:, 0], T.boxes)
    a.close('last_ref_points', decoded.refs[-1, 0], T.points)
    a.close('feats', decoded.feats[:, 0], T.features)


def _check_embeddings(network: CoopTrackNetwork, a: Arrays) -> None:
    a.close('pos2posemb3d', point_embedding(a['points'], 128), T.features)
    a.close('query_embeds', network.embed_points(a['points']), T.features)
    a.close('time_hist4', slot_embedding(4, 256), T.features)
    a.close('time_hist4_mlp', network.reasoner.slot_positions(), T.features)


def _check_motion(network: CoopTrackNetwork, a: Arrays) -> None:
    decoded = decode_codes(a['cache_bboxes'])
    centre = decoded[:, :3] + F.pad(decoded[:, 5:6] / 2, (2, 0))
    a.close('denormalized', decoded, T.boxes)
    a.close('gravity_center', centre, T.boxes)
    a.close('corners', corner_offsets(decoded) + centre[:, None], T.boxes)
    a.close('cache_motion_feats', network.motion_extractor(a['cache_bboxes']), T.features)


def _check_history(network: CoopTrackNetwork, a: Arrays) -> None:
    semantic, motion = a['cache_query_feats'], a['cache_motion_feats']
    hist_semantic = shift_history(a['hist_embeds_before'], semantic)
    hist_motion = shift_history(a['hist_motion_embeds_before'], motion)
    padding = shift_padding(a['hist_padding_masks_before'])
    a.exact('hist_padding_masks_shifted', padding)
    semantic, motion = (x[0] for x in network.reason(
        semantic[None], motion[None], hist_semantic[None], hist_motion[None], padding[None],
        a['cache_query_embeds'][None]))
    a.close('out_cache_query_feats', semantic, T.features)
    a.close('out_cache_motion_feats', motion, T.features)
    a.close('out_hist_embeds_last', replace_newest(hist_semantic, semantic)[:, -1], T.features)
    a.close('out_hist_motion_embeds_last', replace_newest(hist_motion, motion)[:, -1], T.features)
    logits, boxes, points = network.refine(semantic, motion, a['cache_ref_pts'])
    a.close('refined_logits', logits, T.logits)
    a.close('refined_scores', logits.sigmoid().amax(-1), T.scores)
    a.close('refined_boxes', boxes, T.boxes)
    a.close('refined_ref_pts', points, T.points)


def _check_alignment(network: CoopTrackNetwork, a: Arrays) -> None:
    pose = torch.from_numpy(np.linalg.inv(a['veh2inf_rt'].numpy().T))
    a.close('calib_inf2veh', pose, T.points)
    a.close('rot_vec6', pose[:3, :2].reshape(1, 6), T.points)
    rotation, translation = network.alignment.latent_pose(pose)
    a.close('rot_mat', rotation, T.features)
    a.close('trans_vec', translation, T.features)
    aligned = network.align(*(a[k] for k in ('query_feats', 'cache_motion_feats', 'query_embeds', 'ref_pts',
                                             'pred_boxes')), pose)
    a.exact('kept_mask', aligned.kept)
    a.close('out_query_feats', aligned.semantic, T.features)
    a.close('out_query_embeds', aligned.embedding, T.features)
    a.close('out_cache_motion_feats', aligned.motion, T.features)
    a.close('out_ref_pts', aligned.ref_points, T.points)
    a.close('out_pred_boxes', aligned.codes, T.boxes)


def _check_association(network: CoopTrackNetwork, a: Arrays) -> None:
    infra = AlignedInstances(a['inf_query_feats'], a['inf_motion_feats'], a['inf_query_embeds'], a['inf_ref_pts'],
                             a['inf_pred_boxes'], torch.ones(7, dtype=torch.bool))
    rows = Instances.new(a['veh_ref_pts'], a['veh_query_feats'], a['veh_query_embeds'], 4, 3).with_(
        motion=a['veh_motion_feats'], ids=torch.arange(100, 112))
    zeros, places = np.zeros((7, 3)), np.arange(7)
    boxes = Boxes(zeros, zeros, zeros[:, 0], zeros[:, :2], places, zeros[:, 0], places)
    message = RoadsideMessage('unit', 0, replace(InstanceSet.empty(256), boxes=boxes), np.eye(4))
    seen: dict[str, Any] = {}
    stages = FrameStages(network, network.config, network.side, torch.device('cpu'))
    fusion, _ = stages.fuse(Fusion.start(rows, a['veh_cache_scores']), [Received(message, infra, places)],
                            seen.__setitem__)
    a.close('affinity_logits', seen['affinity_logits'], T.affinity)
    a.close('affinity', seen['affinity_logits'].sigmoid(), T.scores)
    a.exact('match_veh', seen['matches'][0])
    a.exact('match_inf', seen['matches'][1])
    result = adapt(network, fusion.instances)
    a.exact('res_obj_idxes', result.ids)
    a.close('res_cache_query_feats', result.semantic, T.features)
    a.close('res_cache_motion_feats', result.motion, T.features)
    a.close('res_cache_query_embeds', result.embedding, T.features)
    a.close('res_cache_ref_pts', result.ref_points, T.points)
    a.close('res_cache_scores', fusion.sources.decoder_scores, T.scores)


def _check_propagation(a: Arrays, config: ModelConfig, seed: int) -> None:
    pc_range = config.ego_range.pc_range
    before, after = make_motion(seed, 2, 'veh'), make_motion(seed, 3, 'veh')
    poses = [tuple(torch.from_numpy(x) for x in (m.l2g_r_mat, m.l2g_t)) for m in (before, after)]

    def moved(points: Tensor) -> Tensor:
        return move_to_frame(denormalize(points, pc_range), *poses)
    step = move_by_velocity(a['ref_pts'], a['pred_boxes'], float(a['time_delta'][0]), pc_range)
    a.close('ref_pts_after_velocity', step, T.points)
    a.close('ref_pts_after_ego', normalize(moved(step), pc_range), T.points)
    codes = a['pred_boxes'].clone()
    codes[:, POINT_DIMS] = moved(step)
    a.close('pred_boxes_after_ego', codes, T.boxes)
    a.close('hist_xyz_after_ego', normalize(moved(a['hist_xyz']), pc_range), T.points)


