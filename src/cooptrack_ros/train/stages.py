"""Losses of one frame in stage 1 (one agent) and stage 2 (with received messages) (model.md 13.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..core.config import ModelConfig
from ..core.fusion import Fusion, Observer, adapt, aggregate, align_message, match_instances, up_to_date, usable
from ..core.lifecycle import Instances, RowPose, propagate
from ..core.query_fusion import join_queries
from ..core.stages import TrackerInput
from ..core.timeline import Moment, continues
from ..core.types import RoadsideMessage, Side
from ..model.bev_geometry import bev_geometry, bev_motion
from ..model.boxes import denormalize
from ..model.network import CoopTrackNetwork
from ..model.reasoning import replace_newest, shift_history, shift_padding
from .clips import Sample
from .dense_heads import BEV_VALUES, IMAGE_VALUES, DenseHead, bev_targets, image_targets
from .losses import Term, association_loss, refined_output, supervised_output
from .matching import Assignment, Targets, assign, association_labels
from .recipe import TrainConfig, precision_of
from .rows import new_rows, select_rows


@dataclass(frozen=True)
class _Memory:
    moment: Moment
    bev: Tensor
    rows: Instances

    def to_plain(self) -> dict:
        moment = self.moment
        return {'sequence': moment.sequence, 'stamp_ns': moment.stamp_ns, 'bev': self.bev,
                'global_from_lidar': torch.from_numpy(moment.global_from_lidar),
                'can_bus': torch.from_numpy(moment.can_bus),
                'rows': {f.name: getattr(self.rows, f.name).detach() for f in fields(Instances)}}

    @staticmethod
    def from_plain(plain: dict, device: torch.device) -> _Memory:
        moment = Moment(plain['sequence'], plain['stamp_ns'], plain['global_from_lidar'].numpy(),
                        plain['can_bus'].numpy())
        rows = Instances(**{name: value.to(device) for name, value in plain['rows'].items()})
        return _Memory(moment, plain['bev'].to(device), rows)


class TrackingStage:
    """Stage 1 for a single agent, stage 2 for the cooperative network; remembers one stream per slot."""

    def __init__(self, network: CoopTrackNetwork, config: TrainConfig, device: str = 'cpu'):
        """Take a network to train; the dense head on the BEV map is added when its loss has a weight."""
        self._device = torch.device(device)
        self._precision = precision_of(config)
        self.network, self.train_config = network, config
        self.config: ModelConfig = network.config
        self.side: Side = network.side
        self.modules = nn.ModuleDict({'network': network})
        if config.losses.bev_heatmap_weight:
            self.modules['bev_head'] = DenseHead(self.config.embed_dims, len(self.config.class_names), BEV_VALUES)
        if config.losses.image_heatmap_weight:
            self.modules['image_head'] = DenseHead(self.config.embed_dims, len(self.config.class_names), IMAGE_VALUES)
        frozen = [n for n, on in (('backbone', config.freeze_backbone), ('neck', config.freeze_neck)) if on]
        network.freeze(*frozen)
        self.modules.to(self._device).train()
        if config.freeze_batch_norm:
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        self._memory: dict[int, _Memory] = {}

    def memory(self) -> dict[int, dict]:
        """Return what each slot carries to its next frame."""
        return {slot: memory.to_plain() for slot, memory in self._memory.items()}

    def restore(self, memory: dict[int, dict]) -> None:
        """Go on with what ``memory`` returned."""
        self._memory = {slot: _Memory.from_plain(plain, self._device) for slot, plain in memory.items()}

    def start_heads(self, modules: dict[str, Tensor]) -> None:
        """Take over those training-only heads that an earlier run has."""
        for name in ('bev_head', 'image_head'):
            state = {k.removeprefix(f'{name}.'): v for k, v in modules.items() if k.startswith(f'{name}.')}
            if state and name in self.modules:
                self.modules[name].load_state_dict(state)

    def losses(self, slots: Sequence[int], samples: Sequence[Sample]) -> list[dict[str, Term]]:
        """Return the losses of one frame of each of some slots and advance their memory."""
        return [self.frame_losses(slot, s.inputs, s.targets, s.message)
                for slot, s in zip(slots, samples, strict=True)]

    def frame_losses(self, slot: int, inputs: TrackerInput, targets: Targets,
                     message: RoadsideMessage | None = None,
                     observe: Observer = lambda name, value: None) -> dict[str, Term]:
        """
        Return the losses of one prepared frame and advance the memory of its slot.

        :param observe: is shown intermediate results by name.
        """
        network, config = self.network, self.train_config.losses
        memory = self._memory.get(slot)
        if memory is not None and not continues(
                inputs.moment, memory.moment, self.config.tracker_of(self.side).reset_gap_s):
            memory = None
        targets = targets.to(self._device)
        # Geometry, queries and heads stay in float32: a centre in half precision is off by decimetres.
        with torch.autocast(self._device.type, self._precision, enabled=self._precision is not torch.float32):
            features = network.image_features(inputs.images[None].to(self._device))
            bev = self._bev(features, inputs, memory)
        features, bev = features.float(), bev.float()
        rows = self._fill(inputs.moment, memory)
        if message is not None:
            message = up_to_date(network, message, inputs.moment.stamp_ns)
        joins_queries = self.config.behaviour.fusion_stage == 'before_decoder'
        if message is not None and joins_queries:
            rows = self._join_queries(rows, message)
        out = network.decode(bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
        assignments = [assign(out.logits[i, 0], out.boxes[i, 0], rows.ids, targets, config)
                       for i in range(len(out.logits))]
        losses = self._dense_losses(features, inputs, bev, targets)
        if self.side is not Side.COOPERATIVE or self.config.behaviour.aux_losses_stage2:
            for i, assignment in enumerate(assignments):
                losses |= supervised_output(f'layer{i}', out.logits[i, 0], out.boxes[i, 0], assignment, targets, config)
        if not self.train_config.tracking:
            self._memory[slot] = _Memory(inputs.moment, bev.detach(), rows[:0])
            return losses
        decoder_scores = out.logits[-1, 0].sigmoid().amax(-1)
        rows = self._reason(rows, out.feats[-1, 0], out.boxes[-1, 0], out.refs[-1, 0], decoder_scores)
        assignment = assignments[-1]
        if message is not None and not joins_queries:
            rows, association = self._cooperate(rows, message, targets, observe)
            losses |= association
        if self.side is Side.COOPERATIVE:
            rows = adapt(network, rows)
        logits, codes, points = network.refine(rows.semantic, rows.motion, rows.ref_points)
        if self.side is Side.COOPERATIVE:
            assignment = assign(logits, codes, rows.ids, targets, config)
            losses |= supervised_output('fused', logits, codes, assignment, targets, config)
        if self.side is not Side.COOPERATIVE or self.config.behaviour.dup_ref_loss:
            losses |= refined_output(logits, codes, assignment.gt_index, targets, config)
        rows = rows.with_(ref_points=points, codes=codes, scores=logits.sigmoid().amax(-1))
        self._remember(slot, inputs.moment, bev, rows, assignment, targets)
        return losses

    def _bev(self, features: Tensor, inputs: TrackerInput, memory: _Memory | None) -> Tensor:
        network = self.network
        geometry = bev_geometry(self.config, self.side, inputs.img_from_lidar, self._device)
        motion = bev_motion(self.config, self.side, inputs.moment, memory.moment if memory else None, self._device)
        if memory:
            previous = network.align_bev(memory.bev, motion)
        else:
            # Training starts from an empty map, whatever the configuration does at test (Q5).
            rows, columns = self.config.bev_size
            previous = features.new_zeros(1, rows * columns, self.config.embed_dims)
        return network.encode_bev(features, geometry, motion, previous)

    def _fill(self, moment: Moment, memory: _Memory | None) -> Instances:
        if memory is None or not len(memory.rows):
            return new_rows(self.network, self.config.num_queries)
        carried = propagate(memory.rows, moment.seconds_since(memory.moment), self._row_pose(memory.moment),
                            self._row_pose(moment), self.config.range_of(self.side).pc_range)
        carried = carried.with_(embedding=self.network.embed_points(carried.ref_points))
        return Instances.concatenate([new_rows(self.network, self.config.num_queries - len(carried)), carried])

    def _reason(self, rows: Instances, feats: Tensor, codes: Tensor, points: Tensor, scores: Tensor) -> Instances:
        """Return the rows at the decoder's points with enhanced features and the histories moved on."""
        network = self.network
        motion = network.motion_features(codes, feats)
        hist_semantic = shift_history(rows.hist_semantic, feats)
        hist_motion = shift_history(rows.hist_motion, motion)
        padding = shift_padding(rows.hist_padding)
        position = network.embed_points(points)
        semantic, motion = (x[0] for x in network.reason(
            feats[None], motion[None], hist_semantic[None], hist_motion[None], padding[None], position[None]))
        return rows.with_(
            ref_points=points, codes=codes, scores=scores, semantic=semantic, motion=motion, embedding=position,
            hist_semantic=replace_newest(hist_semantic, semantic), hist_motion=replace_newest(hist_motion, motion),
            hist_padding=padding)

    def _cooperate(self, rows: Instances, message: RoadsideMessage, targets: Targets,
                   observe: Observer) -> tuple[Instances, dict[str, Term]]:
        """Fuse pairs, found by distance as published, append the other received instances; supervise affinities."""
        network, config, pc_range = self.network, self.train_config.losses, self.config.ego_range.pc_range
        indices = np.flatnonzero(usable(network, message))
        aligned = align_message(network, message, indices)
        logits = network.association_logits(rows.semantic, rows.motion, rows.ref_points, aligned)
        sure = rows.scores > config.association_min_score
        label = association_labels(rows.codes[sure], aligned.codes, targets, config.association_gate_m)
        behaviour = self.config.behaviour
        rule = replace(behaviour, association='rule', max_match_distance_m=config.rule_gate_m)
        row_index, infra_index = match_instances(
            behaviour if behaviour.training_match == 'learned' else rule, logits,
            *(denormalize(p, pc_range) for p in (rows.ref_points, aligned.ref_points)))
        observe('association_label', label)
        observe('affinity_logits', logits[sure])
        observe('rule_match', (row_index, infra_index))
        fusion = aggregate(network, Fusion.start(rows, rows.scores), aligned, row_index, infra_index,
                           logits.sigmoid()[row_index, infra_index], 0,
                           torch.from_numpy(indices).to(self._device)[aligned.kept])
        return fusion.instances, {'association': Term(association_loss(logits[sure], label, config), 1)}

    def _join_queries(self, rows: Instances, message: RoadsideMessage) -> Instances:
        indices = np.flatnonzero(usable(self.network, message))
        aligned = align_message(self.network, message, indices)
        places = torch.from_numpy(indices).to(self._device)[aligned.kept]
        return join_queries(self.network, Fusion.start(rows, rows.scores), aligned, 0, places).instances

    def _dense_losses(self, features: Tensor, inputs: TrackerInput, bev: Tensor,
                      targets: Targets) -> dict[str, Term]:
        """Return the losses of the heads that exist only in training."""
        weights, classes = self.train_config.losses, len(self.config.class_names)
        boxes = targets.boxes()
        losses = {}
        if 'bev_head' in self.modules:
            target = bev_targets(boxes, self.config.range_of(self.side).pc_range, self.config.bev_size, classes)
            maps = bev.transpose(1, 2).unflatten(2, self.config.bev_size)
            losses['bev_heatmap'] = Term(weights.bev_heatmap_weight * self.modules['bev_head'].loss(maps, [target]), 1)
        if 'image_head' in self.modules:
            seen = [image_targets(boxes, p, self.config.input_size, features.shape[-2:], classes)
                    for p in inputs.img_from_lidar]
            losses['image_heatmap'] = Term(
                weights.image_heatmap_weight * self.modules['image_head'].loss(features[0], seen), 1)
        return losses

    def _remember(self, slot: int, moment: Moment, bev: Tensor, rows: Instances, assignment: Assignment,
                  targets: Targets) -> None:
        index = assignment.gt_index
        if len(targets):
            rows = rows.with_(ids=torch.where(index >= 0, targets.ids[index.clamp(min=0)], rows.ids))
        with torch.no_grad():
            kept = select_rows(rows, index, targets, self.train_config.selection)
        # ``propagate`` detaches them.
        self._memory[slot] = _Memory(moment, bev.detach(), kept)

    def _row_pose(self, moment: Moment) -> RowPose:
        pose = moment.global_from_lidar
        return (torch.from_numpy(np.ascontiguousarray(pose[:3, :3].T)).to(self._device),
                torch.from_numpy(pose[:3, 3].copy()).to(self._device))
