"""Comparison of whole runs (``sequence_seed*.npz``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.types import Boxes, FrameOutput, InstanceSet, RoadsideMessage
from ..model.instances.boxes import boxes_from_codes, codes_from_boxes, decode_codes
from ..tracking.lifecycle import move_by_velocity
from ..tracking.tracker import AgentTracker, TrackerState
from .compare import TOLERANCES as T
from .compare import Comparison, as_array
from .fill import SIDES, filled_network
from .identities import Renumbering, may_be_exchanged, same_rows
from .scenes import ego_from_infra, make_motion, query_order, tracker_input

NEAR_TIE = 1e-5
"""Scores this close to a threshold, or to each other, may fall either way."""
SAME_BOX = 1e-3
"""Boxes this close, in every value, are those of one object."""
FOLLOWED = 2
"""From this frame on there are tracks that were followed for several frames."""


@dataclass(frozen=True)
class GoldenSequence:
    """What the name of a sequence file says."""

    seed: int
    order: str
    size: tuple[int, int]
    association_visible: bool

    @staticmethod
    def parse(stem: str) -> GoldenSequence:
        """
        Read a name like ``sequence_seed1_pseudo_perm_288x512_asso``.

        :raises ValueError: for another name.
        """
        match = re.fullmatch(r'sequence_seed(\d+)(?:_(identity|pseudo)(?:_perm)?)?(?:_(\d+)x(\d+))?(_asso)?', stem)
        if not match:
            raise ValueError(f"'{stem}' is not named like sequence_seed1[_pseudo_perm_288x512][_asso]")
        seed, order, rows, columns, association = match.groups()
        size = (int(rows), int(columns)) if rows else (544, 960)
        return GoldenSequence(int(seed), order or 'identity', size, association is not None)


def message_from_arrays(instances: InstanceSet, pose: np.ndarray) -> RoadsideMessage:
    """Return a message of one unit."""
    return RoadsideMessage('unit', 0, instances, pose)


def swapped_rows_aligned(ours: Tensor, golden: np.ndarray, limit: float = 1e-2) -> Tensor:
    """
    Return an order of our rows in which rows that merely swapped places stand as in the golden array.

    Rows that agree within ``limit`` in place stay there; the others go where they fit best, if that is unique.
    """
    ours = as_array(ours)
    order = np.arange(len(ours))
    if ours.shape == golden.shape:
        odd = np.flatnonzero(np.abs(ours - golden).max(axis=1) > limit)
        candidates = np.abs(ours[odd][None] - golden[odd][:, None]).max(axis=-1).argmin(axis=1) if len(odd) else odd
        if len(np.unique(candidates)) == len(odd):
            order[odd] = odd[candidates]
    return torch.from_numpy(order)


def check(golden: Any, recording: GoldenSequence, config: ModelConfig, comparison: Comparison, execution: str) -> None:
    """Run every recorded side through all frames; cooperative frames are fed with the recorded messages."""
    config = replace(config, input_size=recording.size)
    present = {key.split('/')[0] for key in golden}
    for side in [s for s in ('inf', 'veh', 'coop') if s in present and f'{s}/f00/n_next' in golden]:
        network = filled_network(config, side, recording.seed, recording.association_visible)
        tracker = AgentTracker(network, config, SIDES[side], query_order=lambda count, step: query_order(
            count, recording.seed, step, recording.order), execution=execution)
        state, frame, tie, numbers = tracker.initial(), 0, False, Renumbering()
        while f'{side}/f{frame:02d}/n_next' in golden:
            view = _Frame(golden, f'{side}/f{frame:02d}', comparison, recording.association_visible, numbers)
            view.is_followed = frame >= FOLLOWED
            tie = tie or view.margin() < NEAR_TIE
            view.tie = tie
            messages = _messages(golden, recording, frame) if side == 'coop' else []
            seen: dict[str, Any] = {}
            old = state
            state, output = tracker.advance(
                state, tracker_input(recording.seed, frame, side, recording.size), messages, observe=seen.__setitem__)
            view.check(tracker, old, state, output, seen)
            frame += 1


def _messages(golden: Any, recording: GoldenSequence, frame: int) -> list[RoadsideMessage]:
    prefix = f'inf/f{frame:02d}/packet_'
    codes = torch.from_numpy(golden[prefix + 'pred_boxes'])
    count = len(codes)
    boxes = boxes_from_codes(codes, torch.zeros(count, dtype=torch.int64), torch.ones(count), torch.arange(count))
    instances = InstanceSet(
        boxes, golden[prefix + 'ref_pts'], golden[prefix + 'query_feats'], golden[prefix + 'cache_motion_feats'],
        golden[prefix + 'query_embeds'], np.zeros((count, 3), np.float32), np.zeros(count, np.float32),
        np.zeros((count, 3), np.float32))
    motion = make_motion(recording.seed, frame, 'coop', recording.size)
    return [message_from_arrays(instances, ego_from_infra(motion))]


def _published_boxes(boxes: Boxes) -> np.ndarray:
    """Return (N, 9) in the published form; yaw in (-pi, pi]."""
    return decode_codes(codes_from_boxes(boxes)).numpy()


def _close_boxes(comparison: Comparison, name: str, ours: np.ndarray, golden: np.ndarray, limit: float) -> None:
    if ours.shape == golden.shape:
        turn = np.round((ours[:, 6] - golden[:, 6]) / (2 * np.pi)) * 2 * np.pi
        ours = np.concatenate([ours[:, :6], ours[:, 6:7] - turn[:, None], ours[:, 7:]], axis=1)
    comparison.close(name, ours, golden, limit)


class _Frame:
    """Golden arrays of one frame and their comparison with ours."""

    def __init__(self, golden: Any, prefix: str, comparison: Comparison, association_visible: bool,
                 numbers: Renumbering):
        self._golden, self._prefix, self._numbers = golden, prefix, numbers
        self._comparison = comparison.within(prefix)
        self._affinity_limit = T.affinity_visible if association_visible else T.affinity
        self.tie = self.is_followed = False

    def __getitem__(self, name: str) -> np.ndarray:
        return self._golden[f'{self._prefix}/{name}']

    def has(self, name: str) -> bool:
        return f'{self._prefix}/{name}' in self._golden

    def margin(self) -> float:
        """Return the smallest distance of a score to the live or report threshold."""
        scores = 1 / (1 + np.exp(-self['final_logits'].astype(np.float64).max(axis=1)))
        return min(float(np.abs(scores - 0.4).min()), float(np.abs(scores - 0.3).min()))

    def exact(self, name: str, value) -> bool:
        return self._comparison.exact(name, value, self[name], self.tie)

    def close(self, name: str, value, limit: float) -> None:
        self._comparison.close(name, value, self[name], limit)

    def close_motion(self, name: str, value) -> None:
        """Compare motion features of instances (N, C)."""
        self._comparison.close_rows(name, value, self[name], T.features, T.followed if self.is_followed else 0.0)

    def check(self, tracker: AgentTracker, old: TrackerState, new: TrackerState, output: FrameOutput,
              seen: dict[str, Any]) -> None:
        """Compare everything that the recording holds of this frame."""
        final = seen['final']
        self.exact('n_inherited', len(seen['queries']) - int((seen['queries'].ids < 0).sum()))
        self.exact('n_active', (final.scores > 0.4).sum())
        self.close('score_margin', (final.scores - 0.4).abs().min(), T.scores)
        self.exact('n_next', len(new.tracks))
        self._learn_numbers(new, output, seen)
        self._check_output(output)
        order = torch.arange(len(final))
        if self.has('fused_ref_pts'):
            order = swapped_rows_aligned(final.codes, self['final_boxes'])
        self.close('final_logits', final.logits[order], T.logits)
        self.close('final_boxes', final.codes[order], T.final_boxes)
        self._check_state(new)
        self.close('shift', seen['motion'].shift, 1e-6)
        if len(old.tracks):
            pc_range = tracker.config.range_of(tracker.side).pc_range
            moved = move_by_velocity(
                old.tracks.ref_points, old.tracks.codes, new.stamped_pose.seconds_since(old.stamped_pose), pc_range)
            self.close('prop_ref_pts', moved, T.points)
            self.close('prop_ego_ref_pts', seen['propagated'].ref_points, T.points)
        if self.has('packet_ref_pts'):
            self._check_packet(output)
        if self.has('n_received'):
            self._check_cooperation(seen)

    def _learn_numbers(self, new: TrackerState, output: FrameOutput, seen: dict[str, Any]) -> None:
        """Find numbers that near-ties exchanged, from rows that agree."""
        final, fused = seen['final'], seen.get('fused')
        scores = fused.sources.decoder_scores if fused else torch.zeros(len(final))
        is_tie = may_be_exchanged(as_array(final.ids), as_array(scores))
        before = self._numbers.exchanged
        live = same_rows(as_array(new.tracks.ref_points), self['next_ref_pts'], T.points)
        self._numbers.learn([(int(new.tracks.ids[i]), int(self['next_obj_idxes'][k])) for i, k in live], is_tie)
        boxes = same_rows(_published_boxes(output.tracks), self['boxes'], SAME_BOX)
        self._numbers.learn([(int(output.tracks.track_id[i]), int(self['ids'][k])) for i, k in boxes], is_tie)
        for ours, recorded in self._numbers.exchanged.items():
            if ours not in before:
                self._comparison.tie('numbers', f'{ours} is {recorded} in the recording')

    def _check_output(self, output: FrameOutput) -> None:
        numbers = self._numbers.of(output.tracks.track_id)
        ours, golden = np.argsort(numbers), np.argsort(self['ids'])
        tracks, limits = output.tracks[ours], self._comparison
        limits.exact('ids', numbers[ours], self['ids'][golden], self.tie)
        limits.exact('labels', tracks.label, self['labels'][golden], self.tie)
        limits.close('scores', tracks.score, self['scores'][golden], T.scores)
        _close_boxes(limits, 'boxes', _published_boxes(tracks), self['boxes'][golden], T.boxes)
        boxes = _published_boxes(output.detections)
        order = swapped_rows_aligned(torch.from_numpy(boxes[:, :6]), self['det_boxes'][:, :6]).numpy()
        _close_boxes(limits, 'det_boxes', boxes[order], self['det_boxes'], T.final_boxes)
        limits.close('det_scores', output.detections.score[order], self['det_scores'], T.scores)
        limits.exact('det_labels', output.detections.label[order], self['det_labels'], self.tie)

    def _check_state(self, new: TrackerState) -> None:
        tracks = new.tracks
        if self._numbers.exchanged:
            # Rows that were exchanged stand in each other's place too.
            tracks = tracks[swapped_rows_aligned(tracks.ref_points, self['next_ref_pts'], T.points)]
        self.exact('next_obj_idxes', self._numbers.of(as_array(tracks.ids)))
        self.exact('next_disappear_time', tracks.missed)
        self.exact('next_track_query_mask', tracks.established)
        self.close('next_scores', tracks.scores, T.scores)
        self.close('next_ref_pts', tracks.ref_points, T.points)
        self.close('next_query_feats_stats', torch.stack([tracks.semantic.mean(), tracks.semantic.std()]), T.features)

    def _check_packet(self, output: FrameOutput) -> None:
        instances = output.instances
        self.close('packet_query_feats', instances.semantic, T.features)
        self.close('packet_query_embeds', instances.position_embedding, T.features)
        self.close_motion('packet_cache_motion_feats', instances.motion)
        self.close('packet_ref_pts', instances.ref_points, T.points)
        golden = decode_codes(torch.from_numpy(self['packet_pred_boxes'])).numpy()
        _close_boxes(self._comparison, 'packet_pred_boxes', _published_boxes(instances.boxes), golden, T.boxes)

    def _check_cooperation(self, seen: dict[str, Any]) -> None:
        aligned, fusion = seen['aligned'], seen['fused']
        self.exact('n_received', len(aligned.kept))
        self.exact('n_aligned', len(aligned.codes))
        self.close('aligned_ref_pts', aligned.ref_points, T.points)
        self.close('aligned_pred_boxes', aligned.codes, T.boxes)
        self.close('aligned_query_feats', aligned.semantic[:, ::8], T.features)
        self.close('aligned_query_embeds', aligned.embedding[:, ::8], T.features)
        self.close_motion('aligned_cache_motion_feats', aligned.motion[:, ::8])
        self.close('affinity_logits', seen['affinity_logits'], self._affinity_limit)
        rows, columns = seen['matches']
        self.exact('match_veh', rows)
        self.exact('match_inf', columns)
        self.close('veh_ref_pts_before_match', seen['reasoned'].ref_points, T.points)
        order = swapped_rows_aligned(fusion.instances.ref_points, self['fused_ref_pts'], 1e-3)
        self.close('fused_ref_pts', fusion.instances.ref_points[order], T.points)
        semantic = fusion.instances.semantic
        self.close('fused_query_feats_stats', torch.stack([semantic.mean(), semantic.std()]), T.features)
