"""Stage by stage comparison of the first two frames (``stage_seed*.npz``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import RoadsideMessage
from ..model.instances.boxes import denormalize, normalize
from ..tracking.lifecycle import Instances, move_by_velocity, move_to_frame
from ..tracking.tracker import AgentTracker
from .compare import TOLERANCES as T
from .compare import Comparison
from .fill import SIDES, filled_network
from .scenes import ego_from_infra, make_motion, query_order, tracker_input
from .sequences import message_from_arrays, swapped_rows_aligned

FRAMES = 2


def check(golden: Any, seed: int, config: ModelConfig, comparison: Comparison) -> None:
    """Run each side for two frames; roadside messages for the cooperative one come from our own roadside run."""
    packets: list[RoadsideMessage] = []
    present = {key.split('/')[0] for key in golden}
    if 'coop' in present:
        present.add('inf')
    for side in [s for s in ('inf', 'veh', 'coop') if s in present]:
        network = filled_network(config, side, seed)
        tracker = AgentTracker(network, config, SIDES[side],
                               query_order=lambda count, step: query_order(count, seed, step, 'identity'))
        state = tracker.initial()
        decoded_points = None
        for frame in range(FRAMES):
            messages = []
            if side == 'coop':
                pose = ego_from_infra(make_motion(seed, frame, 'coop', config.input_size))
                messages = [message_from_arrays(packets[frame], pose)]
            seen: dict[str, Any] = {}
            old = state
            state, output = tracker.advance(state, tracker_input(seed, frame, side, config.input_size), messages,
                                            observe=seen.__setitem__)
            if side == 'inf':
                packets.append(output.instances)
            group = _Group(golden, f'{side}/f{frame}', comparison)
            _check_encoder(group, seen, tracker)
            _check_decoder(group, seen)
            _check_end(group, seen)
            if old.tracks.ids.numel():
                _check_propagation(group, seen, tracker, old, state, decoded_points)
            if side == 'coop':
                _check_cooperation(group, seen)
            decoded_points = _decoder_points(seen, state.tracks)


class _Group:
    """Golden arrays of one side and frame."""

    def __init__(self, golden: Any, prefix: str, comparison: Comparison):
        self.golden, self.prefix, self.comparison = golden, prefix, comparison.within(prefix)

    def close(self, name: str, full, sample, max_abs: float, relative: float | None = T.relative) -> None:
        """Compare a subsample with the stored array, and statistics of the full one."""
        key = f'{self.prefix}/{name}'
        if key not in self.golden:
            return
        self.comparison.close(name, sample, self.golden[key], max_abs, relative)
        values = full.detach().double()
        if values.numel() and f'{key}.stats' in self.golden:
            stats = [values.mean(), values.std(correction=0), values.abs().max()]
            self.comparison.close(f'{name}.stats', torch.stack(stats), self.golden[f'{key}.stats'], max_abs, relative)

    def whole(self, name: str, value, max_abs: float, relative: float | None = T.relative) -> None:
        """Compare an array that is stored in full."""
        self.close(name, value, value, max_abs, relative)

    def exact(self, name: str, value) -> bool:
        """Compare discrete values."""
        return self.comparison.exact(name, value, self.golden[f'{self.prefix}/{name}'])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.golden[f'{self.prefix}/{name}']


def _check_encoder(group: _Group, seen: dict[str, Any], tracker: AgentTracker) -> None:
    config = tracker.config
    features, geometry, bev = seen['features'], seen['geometry'], seen['bev']
    group.close('img_feat', features, features[:, :, ::8], T.features)
    position = tracker.network.bev_encoder.position().T.reshape(1, -1, *config.bev_size)
    group.close('bev_pos', position, position[:, ::16], T.features)
    group.exact('bev_mask', geometry.visible.transpose(0, 1))
    # Points behind the camera are huge, so only the relative error says something.
    points = geometry.points.transpose(0, 1)
    group.close('ref_cam', points, points[:, :, ::25], np.inf, 1e-5)
    group.whole('shift', seen['motion'].shift, 1e-6)
    if seen['aligned_bev'] is not None:
        aligned = seen['aligned_bev'][0]
        group.close('prev_bev_rot', aligned, aligned[::25, None], T.features)
        group.close('prev_bev_rot_ch0', aligned, aligned[:, 0], T.features)
    group.close('bev', bev[0], bev[0, ::25], T.features)
    group.close('bev_ch0', bev[0], bev[0, :, 0], T.features)


def _check_decoder(group: _Group, seen: dict[str, Any]) -> None:
    queries, decoded = seen['queries'], seen['decoded']
    group.close('query_feats_in', queries.semantic, queries.semantic[::45], T.features)
    group.close('query_embeds_in', queries.embedding, queries.embedding[::45], T.features)
    group.whole('ref_points_in', queries.ref_points, T.points)
    group.whole('dec_logits', decoded.logits[:, 0], T.logits)
    group.close('dec_boxes', decoded.boxes[:, 0], decoded.boxes[:, 0, ::5], T.final_boxes)
    group.whole('dec_inter_refs', decoded.refs[:, 0], T.points)
    group.whole('dec_last_ref', decoded.refs[-1, 0], T.points)
    group.close('dec_feats', decoded.feats[:, 0], decoded.feats[:, 0, ::45], T.features)
    coarse = seen['coarse']
    group.close('cache_query_embeds', coarse.embedding, coarse.embedding[::45], T.features)
    group.close('motion_feats', coarse.motion, coarse.motion[::9], T.features)
    reasoned = seen['reasoned']
    group.close('hist_query_feats', reasoned.semantic, reasoned.semantic[::9], T.features)
    group.close('hist_motion_feats', reasoned.motion, reasoned.motion[::9], T.features)


def _check_end(group: _Group, seen: dict[str, Any]) -> None:
    final = seen['final']
    if 'fused' in seen:
        final = final[swapped_rows_aligned(final.codes, group['ref_boxes'])]
    group.whole('ref_logits', final.logits, T.logits)
    group.whole('ref_boxes', final.codes, T.final_boxes)
    group.whole('ref_ref_pts', final.ref_points, T.points)


def _check_propagation(group: _Group, seen: dict[str, Any], tracker: AgentTracker, old, new, decoded_points) -> None:
    pc_range = tracker.config.range_of(tracker.side).pc_range
    tracks: Instances = seen['propagated']
    poses = tracker.stages.row_pose(old.stamped_pose), tracker.stages.row_pose(new.stamped_pose)
    step = move_by_velocity(old.tracks.ref_points, old.tracks.codes, new.stamped_pose.seconds_since(old.stamped_pose),
                            pc_range)
    group.whole('prop_ref_pts', step, T.points)
    group.whole('prop_ego_ref_pts', tracks.ref_points, T.points)
    group.whole('prop_ego_boxes', tracks.codes, T.final_boxes)
    embeds = tracker.network.embed_points(tracks.ref_points)
    group.close('prop_query_embeds', embeds, embeds[::5], T.features)
    history = F.pad(decoded_points[:, None], (0, 0, tracker.config.hist_len - 1, 0))
    moved = normalize(move_to_frame(denormalize(history, pc_range), *poses), pc_range)
    group.whole('prop_ego_hist_xyz', moved, T.points)


def _decoder_points(seen: dict[str, Any], tracks: Instances) -> Tensor:
    """Return the reference points, as the decoder left them, of the tracks that live on."""
    decoded = seen['decoded']
    rows = torch.nonzero(seen['final'].ids == tracks.ids[:, None])[:, 1]
    if 'fused' in seen:
        # Fusion reorders rows; decoder scores tell which row went where.
        scores = decoded.logits[-1, 0].sigmoid().amax(-1)
        rows = (scores == seen['fused'].sources.decoder_scores[rows, None]).long().argmax(1)
    return decoded.refs[-1, 0, rows]


def _check_cooperation(group: _Group, seen: dict[str, Any]) -> None:
    aligned = seen['aligned']
    names = {'query_feats': (aligned.semantic, T.features), 'query_embeds': (aligned.embedding, T.features),
             'cache_motion_feats': (aligned.motion, T.features), 'ref_pts': (aligned.ref_points, T.points),
             'pred_boxes': (aligned.codes, T.boxes)}
    for name, (value, limit) in names.items():
        group.whole(f'caa_{name}', value, limit)
    group.whole('affinity_logits', seen['affinity_logits'], T.affinity)
    rows, columns = seen['matches']
    group.exact('match_veh', rows)
    group.exact('match_inf', columns)
    fusion = seen['fused']
    order = swapped_rows_aligned(fusion.instances.ref_points, group['agg_ref_pts'])
    fused = fusion[order]
    group.whole('agg_scores', fused.sources.decoder_scores, T.scores)
    group.whole('agg_ref_pts', fused.instances.ref_points, T.points)
    group.close('agg_query_feats', fused.instances.semantic, fused.instances.semantic[::9], T.features)
    group.close('agg_motion_feats', fused.instances.motion, fused.instances.motion[::9], T.features)
    group.close('agg_query_embeds', fused.instances.embedding, fused.instances.embedding[::9], T.features)
