"""Training of a network frame by frame: the frame of the tracker, a criterion, and a memory of each stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial

import torch
from torch import Tensor, nn

from ..common.config import ModelConfig
from ..common.timeline import StampedPose, continues
from ..common.types import RoadsideMessage, Side
from ..cooperation.feature_flow import FeatureFlow
from ..model.instances.boxes import denormalize
from ..model.instances.decoder import DecoderOutput
from ..model.lidar.branch import LidarBranch
from ..model.network import ADDED, CoopTrackNetwork
from ..tracking.frame_records import Past, TrackerInput
from ..tracking.frame_stages import FrameStages, Mark, as_found
from ..tracking.fusion import Association, Fusion, Reach, Received, StageObserver, associate, receive
from ..tracking.lifecycle import Instances, RowPose
from .clips import Sample
from .criterion import Criterion, Supervision
from .losses import Term
from .matching import Targets
from .query_selection import query_order, rows_to_carry
from .recipe import TrainConfig, precision_of


class TrainingStages(FrameStages):
    """
    The stages of a frame as training runs them.

    What differs from inference: images and BEV features in another precision, a start from empty BEV features whatever
    the configuration does at test (method.md Q5), a looser rule of who goes with whom, and queries made anew, because
    their weights change. Affinities are those of all rows, since all are supervised.
    """

    def __init__(self, network: CoopTrackNetwork, config: TrainConfig, device: torch.device,
                 flow: FeatureFlow | None = None, lidar: LidarBranch | None = None):
        """Take a network on its device; :param flow: that the tracker uses too, see ``tracking.fusion.up_to_date``."""
        super().__init__(network, network.config, network.side, device, flow, lidar)
        self._precision = precision_of(config)
        self._decodes_twice = config.syncl.twin and (config.syncl.stage2 or self.side is not Side.COOPERATIVE)
        by_distance = replace(self.method, association='distance', max_match_distance_m=config.losses.distance_gate_m)
        self._matching = self.method if self.method.training_match == 'learned' else by_distance

    def encode(self, inputs: TrackerInput, past: Past | None, observe: StageObserver,
               mark: Mark) -> tuple[Tensor | None, Tensor]:
        """Return the features; geometry, queries and heads stay in float32, half precision is off by decimetres."""
        with torch.autocast(self.device.type, self._precision, enabled=self._precision is not torch.float32):
            features, bev = super().encode(inputs, past, observe, mark)
        return None if features is None else features.float(), bev.float()

    def decode(self, rows: Instances, bev: Tensor,
               observe: StageObserver) -> tuple[Instances, DecoderOutput, DecoderOutput | None]:
        """Return it with a second pass, where there is one and tracks are carried over from the last frame."""
        if not self._decodes_twice or not (rows.ids >= 0).any():
            return super().decode(rows, bev, observe)
        observe('queries', rows)
        decoded, twin = self.network.decoder.twice(
            bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
        observe('decoded', decoded)
        return as_found(self.network, rows, decoded), decoded, twin

    def first_bev(self, features: Tensor) -> Tensor:
        """Return empty BEV features."""
        return self.empty_bev(features)

    def learned_queries(self, order: Tensor | None = None) -> Instances:
        """Return all queries, or those that are named; differentiable."""
        network = self.network
        order = torch.arange(self.config.num_queries, device=self.device) if order is None else order
        points = network.query_points.weight[order]
        return Instances.new(points, network.query_features.weight[order], network.embed_points(points),
                             self.config.hist_len, len(self.config.class_names))

    def row_pose(self, stamped_pose: StampedPose) -> RowPose:
        """Return the lidar pose in float64, also where the published tracker rounds it (method.md Q24)."""
        return self.exact_pose(stamped_pose)

    def receive(self, messages: Sequence[RoadsideMessage], stamp_ns: int, observe: StageObserver) -> list[Received]:
        """Return what units sent; also a message of which nothing is left, so that every frame has the same losses."""
        return receive(self.network, self.current(messages, stamp_ns), self.align, observe, keeps_empty=True)

    def associate(self, fusion: Fusion, unit: Received) -> Association:
        """Return pairs by the rule of the training (method.md 9.2), and the affinity of every row."""
        rows, pc_range = fusion.instances, self.config.ego_range.pc_range
        logits = self.network.association_logits(rows.semantic, rows.motion, rows.ref_points, unit.aligned)
        own, others = (denormalize(p, pc_range) for p in (rows.ref_points, unit.aligned.ref_points))
        chosen, columns = associate(own, others, logits, self._matching, Reach.alike(self._matching, own))
        return Association(logits, chosen, columns, logits.sigmoid()[chosen, columns].detach())


class TrackingStage:
    """Stage 1 for a single agent, stage 2 for the cooperative network; remembers one stream per slot."""

    def __init__(self, network: CoopTrackNetwork, config: TrainConfig, device: str = 'cpu',
                 flow: FeatureFlow | None = None, lidar: LidarBranch | None = None):
        """
        Take a network to train.

        :param flow: how features of the units' model go on, see ``tracking.fusion.up_to_date``; it is not trained.
        :param lidar: a point cloud branch to train with it.
        """
        self._device = torch.device(device)
        self.network, self.train_config = network, config
        self.config: ModelConfig = network.config
        self.side: Side = network.side
        self.criterion = Criterion(self.config, self.side, config)
        self.modules = nn.ModuleDict({'network': network, **self.criterion.modules})
        if lidar is not None:
            self.modules['lidar'] = lidar
        frozen = [n for n, on in (('backbone', config.freeze_backbone), ('neck', config.freeze_neck)) if on]
        adds = self.config.adds(self.side)
        if adds or (lidar is not None and config.modalities.freeze_tracker):
            frozen = [name for name, _ in network.named_children() if not (adds and name in ADDED)]
        network.freeze(*frozen)
        self.modules.to(self._device).train()
        if adds and lidar is not None:
            # It is the vehicle's, as the rest that is added to.
            lidar.requires_grad_(False).eval()
        if config.freeze_batch_norm:
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        self.stages = TrainingStages(network, config, self._device, flow, lidar)
        self._memory: dict[int, Past] = {}

    @property
    def has_frozen_tracker(self) -> bool:
        """Whether nothing of the network itself is trained."""
        return not any(p.requires_grad for p in self.network.parameters())

    def memory(self) -> dict[int, dict]:
        """Return what each slot carries to its next frame."""
        return {slot: plain_of(past) for slot, past in self._memory.items()}

    def restore(self, memory: dict[int, dict]) -> None:
        """Go on with what ``memory`` returned."""
        self._memory = {slot: past_of(plain, self._device) for slot, plain in memory.items()}

    def start_heads(self, modules: dict[str, Tensor]) -> None:
        """Take over those training-only heads that an earlier run has."""
        for name, head in self.criterion.modules.items():
            state = {k.removeprefix(f'{name}.'): v for k, v in modules.items() if k.startswith(f'{name}.')}
            if state:
                head.load_state_dict(state)

    def losses(self, slots: Sequence[int], samples: Sequence[Sample]) -> list[dict[str, Term]]:
        """Return the losses of one frame of each of some slots and advance their memory."""
        return [self.frame_losses(slot, s.inputs, s.targets, s.message)
                for slot, s in zip(slots, samples, strict=True)]

    def frame_losses(self, slot: int, inputs: TrackerInput, targets: Targets,
                     message: RoadsideMessage | None = None,
                     observe: StageObserver = lambda name, value: None) -> dict[str, Term]:
        """
        Return the losses of one prepared frame and advance the memory of its slot.

        :param observe: is shown intermediate results by name.
        """
        past, targets = self._past(slot, inputs.stamped_pose), targets.to(self._device)
        messages = [] if message is None else [message]
        seen = self.stages.detect(past, inputs, messages, partial(query_order, self.config), observe, _unmarked)
        frame = self.stages.track(seen, observe, _unmarked) if self.train_config.tracking else None
        found = self.criterion(seen, frame, inputs, targets, observe)
        tracks = seen.queries.instances[:0] if frame is None else self._selected(frame.rows, found, targets)
        past = Past(inputs.stamped_pose, tracks, seen.remembered)
        self._memory[slot] = past if self.train_config.clip_grad_frames > 1 else cut_off(past)
        return found.losses

    def figures(self) -> dict[str, float]:
        """Return what else of the last frame is worth a line of the log."""
        return self.criterion.figures

    def cut(self) -> None:
        """Let no gradient flow into the frames so far."""
        self._memory = {slot: cut_off(past) for slot, past in self._memory.items()}

    def _past(self, slot: int, now: StampedPose) -> Past | None:
        past = self._memory.get(slot)
        goes_on = past is not None and continues(now, past.stamped_pose, self.config.tracker_of(self.side).reset_gap_s)
        return past if goes_on else None

    def _selected(self, rows: Instances, found: Supervision, targets: Targets) -> Instances:
        """Return the rows that the next frame starts from, with the identities of their objects."""
        index = found.assignment.gt_index
        if len(targets):
            rows = rows.with_(ids=torch.where(index >= 0, targets.ids[index.clamp(min=0)], rows.ids))
        return rows[rows_to_carry(rows, index, targets, self.train_config.selection)]


def cut_off(past: Past) -> Past:
    """Return the same without gradients."""
    return Past(past.stamped_pose, past.tracks.detach(), past.bev.detach())


def _unmarked(stage: str) -> None:
    """Take no time."""


def plain_of(past: Past) -> dict:
    """Return what a checkpoint keeps of the past of a slot."""
    stamped_pose = past.stamped_pose
    return {'sequence': stamped_pose.sequence, 'stamp_ns': stamped_pose.stamp_ns, 'bev': past.bev.detach(),
            'global_from_lidar': torch.from_numpy(stamped_pose.global_from_lidar),
            'can_bus': torch.from_numpy(stamped_pose.can_bus),
            'rows': {f.name: getattr(past.tracks, f.name).detach() for f in fields(Instances)}}


def past_of(plain: dict, device: torch.device) -> Past:
    """Return the past of a slot on a device; the inverse of ``plain_of``."""
    stamped_pose = StampedPose(plain['sequence'], plain['stamp_ns'], plain['global_from_lidar'].numpy(),
                    plain['can_bus'].numpy())
    rows = Instances(**{name: value.to(device) for name, value in plain['rows'].items()})
    return Past(stamped_pose, rows, plain['bev'].to(device))
