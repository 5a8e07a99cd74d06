"""Comparison of training losses and gradient norms (``losses_seed*.npz``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..common.config import ModelConfig
from ..common.types import InstanceSet, RoadsideMessage
from ..model.instances.boxes import boxes_from_codes, encode_boxes
from ..train.matching import Targets
from ..train.recipe import RECIPES, TrackSelectionConfig
from ..train.tracking_stage import TrackingStage
from ..weights.published_keys import published_name
from .compare import TOLERANCES, Comparison
from .fill import filled_network
from .scenes import ego_from_infra, make_motion, make_truth, tracker_input

RELATIVE = 1e-3
"""Largest relative difference of a loss or of a gradient norm."""
_SMALL_NORM = 1e-3
"""Gradient norms below this are noise (golden README)."""
_SIZE = (544, 960)


def check(golden: Any, seed: int, config: ModelConfig, comparison: Comparison) -> None:
    """Run the recorded training frames of each side and compare every loss and gradient norm."""
    config = replace(config, dropout=0.0)
    recipe = replace(RECIPES['paper-vehicle'], selection=TrackSelectionConfig(
        drop_probability=0.0, false_positive_ratio=0.0))
    for side in [s for s in ('veh', 'inf', 'coop') if f'{s}/f0/total' in golden]:
        stage = TrackingStage(filled_network(config, side, seed), recipe)
        frame = 0
        while f'{side}/f{frame}/total' in golden:
            prefix = f'{side}/f{frame}/'
            arrays = {k.removeprefix(prefix): golden[k] for k in golden if k.startswith(prefix)}
            stage.network.zero_grad(set_to_none=True)
            truth = ((arrays['gt_boxes'], arrays['gt_labels'], arrays['gt_ids']) if 'gt_boxes' in arrays
                     else make_truth(seed, frame, side))
            seen: dict[str, Any] = {}
            terms = stage.frame_losses(0, tracker_input(seed, frame, side, _SIZE), _targets(*truth),
                                       _message(arrays, seed, frame) if side == 'coop' else None,
                                       observe=seen.__setitem__)
            losses = {name: term.value for name, term in terms.items()}
            sum(losses.values()).backward()
            view = comparison.within(f'{side}/f{frame}')
            _compare(losses, stage, arrays, view)
            if side == 'coop':
                _compare_association(seen, arrays, view)
            frame += 1


def _targets(boxes: np.ndarray, labels: np.ndarray, ids: np.ndarray) -> Targets:
    return Targets(encode_boxes(torch.from_numpy(boxes)), torch.from_numpy(labels), torch.from_numpy(ids))


def _message(arrays: dict[str, np.ndarray], seed: int, frame: int) -> RoadsideMessage:
    codes = torch.from_numpy(arrays['packet_pred_boxes'])
    count = len(codes)
    boxes = boxes_from_codes(codes, torch.zeros(count, dtype=torch.int64), torch.ones(count), torch.arange(count))
    instances = InstanceSet(
        boxes, arrays['packet_ref_pts'], arrays['packet_query_feats'], arrays['packet_cache_motion_feats'],
        arrays['packet_query_embeds'], np.zeros((count, 3), np.float32), np.zeros(count, np.float32),
        np.zeros((count, 3), np.float32))
    return RoadsideMessage('unit', 0, instances, ego_from_infra(make_motion(seed, frame, 'coop', _SIZE)))


_NAMES = {'association': 'asso_loss', 'fused_cls': 'fused_frame_0_loss_cls_0', 'fused_box': 'fused_frame_0_loss_bbox_0',
          'ref_cls': 'ref_loss_cls', 'ref_box': 'ref_loss_box'}


def _published_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    layer, kind = name.removeprefix('layer').split('_')
    return f'frame_0_loss_{"bbox" if kind == "box" else kind}_{layer}'


def _compare_association(seen: dict[str, Any], arrays: dict[str, np.ndarray], view: Comparison) -> None:
    rows, columns = seen['matches']
    view.exact('rule_match_veh', rows, arrays['rule_match_veh'])
    view.exact('rule_match_inf', columns, arrays['rule_match_inf'])
    view.exact('asso_label', seen['association_label'], arrays['asso_label'])
    view.close('affinity_logits', seen['affinity_logits'][seen['sure']], arrays['affinity_logits'], TOLERANCES.affinity,
               TOLERANCES.relative)


def _compare(losses: dict[str, torch.Tensor], stage: TrackingStage, arrays: dict[str, np.ndarray],
             view: Comparison) -> None:
    for name, value in losses.items():
        golden = arrays[_published_name(name)]
        view.close(_published_name(name), value, golden, RELATIVE * abs(float(golden)))
    view.close('total', sum(losses.values()), arrays['total'], RELATIVE * float(arrays['total']))
    golden_norms = dict(zip(arrays['grad_param_names'].tolist(), arrays['grad_norms'].tolist(), strict=True))
    for name, parameter in stage.network.named_parameters():
        golden = golden_norms.get(published_name(name), np.nan)
        if not np.isnan(golden) and golden >= _SMALL_NORM:
            ours = 0.0 if parameter.grad is None else float(parameter.grad.norm())
            view.close(f'grad_norms/{published_name(name)}', ours, golden, RELATIVE * golden)
