"""Training of an occupancy head on the frames of a tracker, with things of its own or the live tracks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ...common.timeline import continues
from ...common.types import RoadsideMessage
from ...cooperation.feature_flow import FeatureFlow
from ...cooperation.matching import match_by_distance
from ...model.instances.boxes import denormalize
from ...model.network import CoopTrackNetwork
from ...model.occupancy.head import MaskOutput, OccupancyHead
from ...tracking.frame_records import Past, TrackerInput
from ...tracking.frame_stages import FrameStages
from ...tracking.lifecycle import Instances, assign_ids, survive
from ...tracking.own_things import ThingStages
from ...tracking.panoptic import VolumeView, tracked_queries_of
from ..losses import Term
from ..query_selection import query_order
from ..recipe import TrackSelectionConfig, TrainConfig
from ..tracking_stage import TrainingStages, cut_off, past_of, plain_of
from .clips import OccupancySample
from .losses import OccupancyCriterion
from .targets import VoxelTargets


class OccupancyStage:
    """
    What the loop trains: the head, and with things of its own whatever of the network is not frozen.

    With things of its own, gradients go from a frame to those before it through the features of its tracks. The tracker
    whose tracks are used otherwise is not trained and runs as it does at test.
    """

    def __init__(self, network: CoopTrackNetwork, head: OccupancyHead, config: TrainConfig, device: str = 'cpu',
                 flow: FeatureFlow | None = None):
        """
        Take the network and the head that reads from it.

        :param flow: how features of the units' model go on, see ``tracking.fusion.up_to_date``; it is not trained.
        """
        self._device = torch.device(device)
        self.network, self.head, self.train_config = network, head, config
        self.config, self.side = network.config, network.side
        self.criterion = OccupancyCriterion(head.taxonomy, head.sizes.mask_dims[1], config.losses, config.occupancy)
        self.modules = nn.ModuleDict({'network': network, 'head': head, 'semantics': self.criterion.semantics})
        self._own = head.sizes.queries == 'own'
        self.modules.to(self._device).train()
        if self._own:
            frozen = (('backbone', config.freeze_backbone), ('neck', config.freeze_neck),
                      ('bev_encoder', config.occupancy.freeze_bev))
            network.freeze(*(name for name, on in frozen if on))
            self._stages = TrainingStages(network, config, self._device)
            self._things = ThingStages(self._stages, head)
        else:
            network.requires_grad_(False).eval()
            self._stages = FrameStages(network, self.config, self.side, self._device, flow)
            self._view = VolumeView(head, self.config, self.side, self._device)
        self._range = self.config.range_of(self.side).pc_range
        self._memory: dict[int, Past] = {}

    def losses(self, slots: Sequence[int], samples: Sequence[OccupancySample]) -> list[dict[str, Term]]:
        """Return the losses of one frame of each of some slots and advance their memory."""
        return [self._losses(slot, sample) for slot, sample in zip(slots, samples, strict=True)]

    def figures(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def cut(self) -> None:
        """Let no gradient flow into the frames so far."""
        self._memory = {slot: cut_off(past) for slot, past in self._memory.items()}

    def memory(self) -> dict[int, dict]:
        """Return what each slot carries to its next frame."""
        return {slot: plain_of(past) for slot, past in self._memory.items()}

    def restore(self, memory: dict[int, dict]) -> None:
        """Go on with what ``memory`` returned."""
        self._memory = {slot: past_of(plain, self._device) for slot, plain in memory.items()}

    def _losses(self, slot: int, sample: OccupancySample) -> dict[str, Term]:
        past, now = self._memory.get(slot), sample.inputs.stamped_pose
        if past is not None and not continues(now, past.stamped_pose, self.config.tracker_of(self.side).reset_gap_s):
            past = None
        targets = sample.voxels.to(self._device)
        if self._own:
            losses, past = self._of_own(past, sample.inputs, targets)
        else:
            losses, past = self._of_tracker(past, sample.inputs, sample.message, targets)
        self._memory[slot] = past if self.train_config.clip_grad_frames > 1 else cut_off(past)
        return losses

    def _of_own(self, past: Past | None, inputs: TrackerInput,
                targets: VoxelTargets) -> tuple[dict[str, Term], Past]:
        """Return the losses of a frame whose things the head follows, and what it leaves to the next one."""
        seen = self._things.look(past, inputs)
        index = self._objects_of(seen.rows.ids, seen.output, targets)
        vanished = int(((seen.rows.ids >= 0) & (index < 0)).sum())
        metres = denormalize(seen.rows.ref_points, self._range)
        losses = self.criterion(seen.output, index, vanished, metres, targets)
        rows = seen.rows
        if len(targets):
            rows = rows.with_(ids=torch.where(index >= 0, targets.ids[index.clamp(min=0)], rows.ids))
        kept = things_to_carry(rows, self.train_config.selection)
        return losses, Past(inputs.stamped_pose, self._things.carried(rows[kept]), seen.bev)

    def _objects_of(self, ids: Tensor, output: MaskOutput, targets: VoxelTargets) -> Tensor:
        """Return which thing each query stands for: tracks keep theirs, new ones are matched with the others."""
        same = (ids[:, None] == targets.ids[None]) & (ids[:, None] >= 0)
        index = torch.where(same.any(1), same.float().argmax(1), -1) if len(targets) else torch.full_like(ids, -1)
        new, others = torch.nonzero(ids < 0).flatten(), torch.nonzero(~same.any(0)).flatten()
        rows, columns = self.criterion.match(output, new, targets.things(others), targets.labels[others], targets)
        index[new[rows]] = others[columns]
        return index

    def _of_tracker(self, past: Past | None, inputs: TrackerInput, message: RoadsideMessage | None,
                    targets: VoxelTargets) -> tuple[dict[str, Term], Past]:
        """Return the losses of a frame whose things are the live tracks, and what it leaves to the next one."""
        with torch.no_grad():
            tracks, past, features = self._tracked(past, inputs, [] if message is None else [message])
        output = self.head(features, past.bev, self._view.of(inputs.img_from_lidar), tracked_queries_of(tracks))
        index, count = torch.full_like(tracks.ids, -1), len(tracks)
        rows, columns = match_by_distance(denormalize(tracks.ref_points, self._range)[:, :2], targets.centre[:, :2],
                                          self.train_config.occupancy.gate_m)
        index[torch.from_numpy(rows)] = torch.from_numpy(columns).to(index)
        metres = denormalize(output.reference[0, :count], self._range)
        vanished = count - len(rows)
        return self.criterion(output, index, vanished, metres, targets), past

    def _tracked(self, past: Past | None, inputs: TrackerInput,
                 messages: Sequence[RoadsideMessage]) -> tuple[Instances, Past, Tensor]:
        """Return the live tracks of a frame, what it leaves to the next one, and its image features."""
        settings = self.config.tracker_of(self.side)
        frame = self._stages.step(past, inputs, messages, partial(query_order, self.config), _unseen, _unmarked)
        # Who is who is told by place, so any free number does as an identity.
        free = 1 if past is None or not len(past.tracks) else 1 + int(past.tracks.ids.max())
        rows, _ = assign_ids(frame.rows, free, settings.score_threshold)
        rows, live = survive(rows, settings)
        return rows[live], Past(inputs.stamped_pose, rows[live], frame.seen.bev), frame.seen.features


def things_to_carry(rows: Instances, config: TrackSelectionConfig) -> Tensor:
    """
    Return which things go on to the next training frame: known ones but for some, and some that are false.

    :param rows: those with an identity have or had a thing.
    """
    known = torch.nonzero(rows.ids >= 0).flatten()
    kept = known[torch.rand(len(known)).to(known.device) >= config.drop_probability]
    false_count = int((torch.rand(len(kept)) < config.false_positive_ratio).sum())
    free = torch.nonzero(rows.ids < 0).flatten()
    return torch.cat([kept, free[rows.scores[free].topk(min(false_count, len(free))).indices]])


def _unseen(name: str, value: object) -> None:
    """Look at nothing."""


def _unmarked(stage: str) -> None:
    """Take no time."""
