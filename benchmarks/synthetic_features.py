"""
A tracker without images: its BEV features are drawn, so that a training takes minutes on a CPU.

Every object writes a Gaussian blob times an appearance vector of its own on a map of 32 x 32 cells with noise, and is
invisible for 1 to 3 frames every now and then. Decoder, memory, losses and life cycle of tracks are those of the
product; a linear layer stands for backbone, neck and BEV encoder. The vehicle stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cooptrack_ros.common.config import MINI, BackboneConfig, ModelConfig, RangeConfig
from cooptrack_ros.common.timeline import StampedPose
from cooptrack_ros.common.types import Boxes, InstanceSet, RoadsideMessage, Side
from cooptrack_ros.eval.exchange import world_rows
from cooptrack_ros.eval.exchange_check import FORMAT
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.report import headline
from cooptrack_ros.model.instances.decoder import Decoder, DecoderOutput
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.frame_records import DecodedFrame, Past, TrackedFrame, TrackerInput
from cooptrack_ros.tracking.frame_stages import FrameStages, Order
from cooptrack_ros.tracking.fusion import Fusion, StageObserver
from cooptrack_ros.tracking.lifecycle import Instances, assign_ids, survive
from cooptrack_ros.tracking.postprocess import message_of, report
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.clips import Position, Sample
from cooptrack_ros.train.frame_tensors import targets_of
from cooptrack_ros.train.losses import Term
from cooptrack_ros.train.query_selection import query_order
from cooptrack_ros.train.recipe import RECIPES, TrainConfig
from cooptrack_ros.train.tracking_stage import TrackingStage, TrainingStages
from cooptrack_ros.train.warm_start import start_association, start_from_objects, start_track_motion

CHANNELS, CELLS, FRAMES, HZ = 32, 32, 20, 10
HALF_M = 25.6
"""The map reaches so far in x and y."""
_WORLD_M = 34.0
_CELL_M = 2 * HALF_M / CELLS
_OBJECTS = 23
"""In the world, of which 8 to 12 are on the map as a rule."""
_HIDING = 0.15
"""Chance of a visible object to be invisible for the next 1 to 3 frames."""
NOISE = 0.8
TRAIN, VALIDATION, TEST = range(1, 121), range(10_000, 10_012), range(20_000, 20_024)
"""Seeds of sequences."""

_RANGE = RangeConfig((-HALF_M, -HALF_M, -5.0, HALF_M, HALF_M, 3.0), (-30.0, -30.0, -10.0, 30.0, 30.0, 10.0), (40.0,))
CONFIG = replace(
    MINI, name='synthetic_features', class_names=('car',), embed_dims=64, num_heads=4, num_queries=100,
    bev_size=(CELLS, CELLS), encoder_layers=1, decoder_layers=3, ffn_dims=128, reasoning_ffn_dims=128, point_dims=32,
    alignment_blocks=4, backbone=BackboneConfig('compact', (8, 8, 8, 8), (1, 1, 1, 1), 16), ego_range=_RANGE,
    infra_range=_RANGE, method=replace(MINI.method, cooperation='whole'), **{
        name: replace(getattr(MINI, name), max_detections=25)
        for name in ('tracker_vehicle', 'tracker_roadside', 'tracker_cooperative')})
_BASE = RECIPES['mini-vehicle']
RECIPE = replace(_BASE, batch_size=6, clip_length=10, warmup_steps=50, losses=replace(
    _BASE.losses, bev_heatmap_weight=0.0, image_heatmap_weight=0.0))


@dataclass(frozen=True)
class Sequence20:
    """Twenty frames of a world."""

    boxes: tuple[Boxes, ...]
    """What is on the map, seen or not, with identities."""
    blobs: Tensor
    """(frames, channels, cells, cells) without noise."""


@lru_cache(maxsize=256)
def sequence(seed: int, view: int = 0) -> Sequence20:
    """Return the sequence of a seed; :param view: another one hides other objects."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(-_WORLD_M, _WORLD_M, (_OBJECTS, 2))
    heading = rng.uniform(-np.pi, np.pi, _OBJECTS)
    speed = rng.uniform(0, 10, _OBJECTS) * (rng.random(_OBJECTS) > 0.2)
    velocity = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    born = np.where(rng.random(_OBJECTS) < 0.2, rng.integers(0, FRAMES, _OBJECTS), 0)
    gone = np.where(rng.random(_OBJECTS) < 0.2, rng.integers(1, FRAMES, _OBJECTS), FRAMES)
    look = np.abs(rng.normal(size=(_OBJECTS, CHANNELS))) * rng.uniform(0.5, 1, (_OBJECTS, 1))
    visible = _visibility(np.random.default_rng([seed, view, 1]))
    centres = (np.arange(CELLS) + 0.5) * _CELL_M - HALF_M
    boxes, maps = [], []
    for frame in range(FRAMES):
        place = start + velocity * frame / HZ
        there = (np.abs(place) < HALF_M - 0.5).all(1) & (born <= frame) & (frame < gone)
        on_x, on_y = (np.exp(-(centres - place[:, i, None]) ** 2 / (2 * _CELL_M ** 2)) for i in (0, 1))
        seen = there & visible[:, frame]
        maps.append(np.einsum('oc,oy,ox->cyx', look[seen], on_y[seen], on_x[seen]))
        count = int(there.sum())
        boxes.append(Boxes(
            np.column_stack([place[there], np.full(count, -1.0)]), np.tile([4.5, 1.9, 1.6], (count, 1)), heading[there],
            velocity[there], np.zeros(count, np.int64), np.ones(count), there.nonzero()[0]))
    return Sequence20(tuple(boxes), torch.from_numpy(np.stack(maps)).float())


def _visibility(rng: np.random.Generator) -> np.ndarray:
    """Return (objects, frames) bool."""
    visible = np.ones((_OBJECTS, FRAMES), bool)
    for row in visible:
        frame = 0
        while frame < FRAMES:
            if rng.random() < _HIDING:
                hidden = int(rng.integers(1, 4))
                row[frame:frame + hidden] = False
                frame += hidden
            frame += 1
    return visible


def frame_input(seed: int, frame: int, noise: Sequence[int], view: int = 0) -> TrackerInput:
    """Return a frame whose ``images`` are the map (1, channels, cells, cells); :param noise: seed of the noise."""
    drawn = torch.Generator().manual_seed(int(np.random.SeedSequence(noise).generate_state(1)[0]))
    blobs = sequence(seed, view).blobs[frame]
    pose = StampedPose(f'{seed}', frame * 1_000_000_000 // HZ, np.eye(4), np.zeros(18))
    return TrackerInput(pose, (blobs + NOISE * torch.randn(blobs.shape, generator=drawn))[None], np.eye(4)[None])


def _unseen(name: str, value: Any) -> None:
    """Take no notice."""


def _unmarked(stage: str) -> None:
    """Take no time."""


class StackedDecoder(Decoder):
    """Takes the queries of B frames one after another as those of one, (1, B N, ...), and gives results like that."""

    def forward(self, bev: Tensor, feats: Tensor, embeds: Tensor, ref_points: Tensor,
                attending: int | None = None) -> DecoderOutput:
        """Decode the queries of each frame in its own BEV features (B, cells, C)."""
        if len(feats) == len(bev):
            return super().forward(bev, feats, embeds, ref_points, attending)
        return _in_one_row(super().forward(bev, *_apart(len(bev), feats, embeds, ref_points)))

    def twice(self, bev: Tensor, feats: Tensor, embeds: Tensor,
              ref_points: Tensor) -> tuple[DecoderOutput, DecoderOutput]:
        """Do the same with the second pass."""
        if len(feats) == len(bev):
            return super().twice(bev, feats, embeds, ref_points)
        first, second = super().twice(bev, *_apart(len(bev), feats, embeds, ref_points))
        return _in_one_row(first), _in_one_row(second)


def _apart(frames: int, *values: Tensor) -> list[Tensor]:
    return [v.view(frames, -1, *v.shape[2:]) for v in values]


def _in_one_row(output: DecoderOutput) -> DecoderOutput:
    return DecoderOutput(*(v.flatten(1, 2)[:, None] for v in output))


class FeatureNetwork(CoopTrackNetwork):
    """The network with a linear layer in place of what reads images; takes the rows of several frames at once."""

    def __init__(self, config: ModelConfig, side: Side):
        """Create the modules."""
        super().__init__(config, side)
        del self.backbone, self.neck, self.bev_encoder
        stacked = StackedDecoder(config, config.range_of(side).pc_range)
        stacked.load_state_dict(self.decoder.state_dict())
        self.decoder = stacked
        self.reader = nn.Linear(CHANNELS, config.embed_dims)

    def reason(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (1, B N, C) of the rows of B frames."""
        apart = [v.view(-1, self.config.num_queries, *v.shape[2:]) for v in values]
        return tuple(v.flatten(0, 1)[None] for v in super().reason(*apart))


def new_network(side: Side, seed: int, start: dict[str, Tensor] | None = None) -> FeatureNetwork:
    """Return a network from scratch, with queries on the training objects, or from the weights of another."""
    torch.manual_seed(seed)
    network = FeatureNetwork(CONFIG, side)
    if start is None:
        start_from_objects(network, Boxes.concatenate([b for s in TRAIN for b in sequence(s).boxes[::5]]), seed)
        start_track_motion(network)
    if side is Side.COOPERATIVE:
        start_association(network)
    network.load_state_dict(start or {}, strict=False)
    return network


class _Given:
    """Takes the maps of frames for what an encoder would say."""

    def encode(self, inputs, past, observe, mark):
        """Return no image features, and the BEV features (B, cells, C)."""
        mark('image_features')
        return None, self.network.reader(inputs.images.flatten(2).transpose(1, 2))

    def several(self, pasts: Sequence[Past | None], inputs: Sequence[TrackerInput], order: Order,
                observe: StageObserver = _unseen) -> DecodedFrame:
        """Do what ``detect`` does with frames of several streams; their rows follow each other."""
        _, bev = self.encode(replace(inputs[0], images=torch.cat([i.images for i in inputs])), None, observe, _unmarked)
        rows = Instances.concatenate([self.enter(past, i.stamped_pose, order, observe)
                                      for past, i in zip(pasts, inputs, strict=True)])
        queries = Fusion.start(rows, torch.zeros_like(rows.scores))
        rows, decoded, twin = self.decode(rows, bev, observe)
        return DecodedFrame(inputs[0].stamped_pose, None, bev, (), 0.0, queries, decoded, rows, twin)


class FeatureTraining(_Given, TrainingStages):
    """The stages of a training."""


class FeatureStages(_Given, FrameStages):
    """The stages of a tracker."""


class FeatureStage(TrackingStage):
    """Trains all streams of a batch in one pass, which takes a fraction of the time of one after another."""

    def __init__(self, network: FeatureNetwork, recipe: TrainConfig):
        """Take a network to train."""
        super().__init__(network, recipe)
        self.stages = FeatureTraining(network, recipe, torch.device('cpu'))

    def losses(self, slots: Sequence[int], samples: Sequence[Sample],
               observe: StageObserver = _unseen) -> list[dict[str, Term]]:
        """Return the losses of one frame of each of some slots and advance their memory."""
        if self.side is Side.COOPERATIVE:
            return super().losses(slots, samples)
        pasts = [self._past(slot, s.inputs.stamped_pose) for slot, s in zip(slots, samples, strict=True)]
        seen = self.stages.several(pasts, [s.inputs for s in samples], partial(query_order, self.config))
        frame = self.stages.track(seen, _unseen, _unmarked) if self.train_config.tracking else None
        found = [self._losses(number, slot, sample, seen, frame, observe)
                 for number, (slot, sample) in enumerate(zip(slots, samples, strict=True))]
        if self.train_config.clip_grad_frames == 1:
            self.cut()
        return found

    def _losses(self, number: int, slot: int, sample: Sample, seen: DecodedFrame, frame: TrackedFrame | None,
                observe: StageObserver) -> dict[str, Term]:
        seen = part_of(seen, number, self.config.num_queries)
        if frame is not None:
            frame = replace(frame, seen=seen, rows=frame.rows[rows_of(number, self.config.num_queries)])
        observe('seen', seen)
        observe('targets', sample.targets)
        found = self.criterion(seen, frame, sample.inputs, sample.targets, observe)
        observe('figures', self.criterion.figures)
        tracks = seen.queries.instances[:0] if frame is None else self._selected(frame.rows, found, sample.targets)
        self._memory[slot] = Past(sample.inputs.stamped_pose, tracks, seen.bev)
        return found.losses


def rows_of(number: int, count: int) -> slice:
    """Return where the rows of a frame are among those of several."""
    return slice(number * count, (number + 1) * count)


def part_of(seen: DecodedFrame, number: int, count: int) -> DecodedFrame:
    """Return one of several frames."""
    rows = rows_of(number, count)
    return replace(seen, bev=seen.bev[number:number + 1], queries=seen.queries[rows], decoded=seen.decoded.rows(rows),
                   rows=seen.rows[rows], twin=seen.twin and seen.twin.rows(rows))


Messages = dict[tuple[int, int], RoadsideMessage]
"""By seed and frame."""


def test_input(seed: int, frame: int, view: int = 0) -> TrackerInput:
    """Return a frame as every measurement sees it."""
    return frame_input(seed, frame, (seed, 3, frame, view), view)


class FeatureStream:
    """Endless clips of the training sequences, as ``train.clips.ClipStream`` gives them."""

    def __init__(self, recipe: TrainConfig, messages: Messages | None = None):
        """Take the lengths of a recipe."""
        self._recipe, self._messages = recipe, messages or {}
        length = recipe.clip_length
        self._clips = [(s, range(i, min(i + length, FRAMES))) for s in TRAIN for i in range(0, FRAMES, length)]

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield where a slot goes, for ever, from a position on."""
        number, first = start
        while True:
            yield from ((number, frame) for frame in range(first, len(self._clip(slot, number)[1])))
            number, first = number + 1, 0

    def sample(self, slot: int, position: Position) -> Sample:
        """Return the frame at a position of a slot, with noise of its own."""
        number, place = position
        seed, frames = self._clip(slot, number)
        frame = frames[place]
        inputs = frame_input(seed, frame, (self._recipe.seed, 2, slot, number, place))
        # A clip that follows itself is a new sequence.
        pose = replace(inputs.stamped_pose, sequence=f'{seed}/{number}')
        return Sample(replace(inputs, stamped_pose=pose), targets_of(sequence(seed).boxes[frame]),
                      self._messages.get((seed, frame)))

    def _clip(self, slot: int, number: int) -> tuple[int, range]:
        epoch, place = divmod(slot + number * self._recipe.batch_size, len(self._clips))
        order = np.random.default_rng([self._recipe.seed, 1, epoch]).permutation(len(self._clips))
        return self._clips[order[place]]


class Found(NamedTuple):
    """What a tracker reports of a frame."""

    seed: int
    frame: int
    tracks: Boxes
    detections: Boxes
    instances: InstanceSet


def tracked(network: FeatureNetwork, seeds: Sequence[int], view: int = 0) -> Iterator[Found]:
    """Yield what ``AgentTracker`` would report, frame by frame, all sequences side by side."""
    network.eval()
    stages, settings, count = FeatureStages(network, CONFIG, network.side, torch.device('cpu')), \
        CONFIG.tracker_of(network.side), CONFIG.num_queries
    pasts: list[Past | None] = [None] * len(seeds)
    next_id = 1
    for number in range(FRAMES):
        inputs = [test_input(seed, number, view) for seed in seeds]
        with torch.inference_mode():
            seen = stages.several(pasts, inputs, lambda: torch.arange(count))
            frame = stages.track(seen, _unseen, _unmarked)
            rows, next_id = assign_ids(frame.rows, next_id, settings.score_threshold)
            rows, live = survive(rows, settings)
        for place, seed in enumerate(seeds):
            own = rows_of(place, count)
            mine, alive = rows[own], live[own]
            shown = alive & (mine.scores >= settings.output_threshold)
            yield Found(seed, number, report(mine, CONFIG, network.side, shown)[0],
                        report(mine, CONFIG, network.side, torch.ones_like(alive))[0],
                        message_of(mine, alive, frame.fusion.sources.own_points[own]))
            pasts[place] = Past(inputs[place].stamped_pose, mine[alive], seen.bev[place:place + 1])


def cooperating(network: FeatureNetwork, seeds: Sequence[int], messages: Messages) -> Iterator[Found]:
    """Yield the same of a network that hears a unit."""
    tracker = AgentTracker(network, CONFIG, network.side)
    tracker.stages = FeatureStages(network, CONFIG, network.side, torch.device('cpu'))
    for seed in seeds:
        state = tracker.initial()
        for frame in range(FRAMES):
            state, output = tracker.advance(state, test_input(seed, frame), [messages[seed, frame]])
            yield Found(seed, frame, output.tracks, output.detections, output.instances)


def messages_of(network: FeatureNetwork, seeds: Sequence[int]) -> Messages:
    """Return what a unit with a network sends that stands where the vehicle stands, and sees what it does not."""
    return {(f.seed, f.frame): RoadsideMessage('unit', f.frame * 1_000_000_000 // HZ, f.instances, np.eye(4))
            for f in tracked(network, seeds, view=1)}


def measure(results: Iterable[Found]) -> dict[str, Any]:
    """Return the figures of the nuScenes protocol of what ``tracked`` or ``cooperating`` yields."""
    content: dict[str, Any] = {
        'format': FORMAT, 'name': CONFIG.name, 'classes': list(CONFIG.class_names),
        'class_range': CONFIG.class_range_of(Side.VEHICLE), 'ground_truth': {}, 'predictions': {}, 'detections': {}}
    scenes: dict[int, list[dict]] = {}
    for seed, frame, tracks, detections, _ in results:
        token = f'{seed}_{frame}'
        scenes.setdefault(seed, []).append({
            'token': token, 'timestamp_us': frame * 1_000_000 // HZ, 'ego_translation': [0.0] * 3, 'ego_yaw': 0.0})
        for table, boxes in (('ground_truth', sequence(seed).boxes[frame]), ('predictions', tracks),
                             ('detections', detections)):
            is_truth = table == 'ground_truth'
            content[table][token] = world_rows(boxes, np.eye(4), CONFIG.class_names,
                                               'track_id' if is_truth else 'tracking_id', not is_truth)
    content['scenes'] = [{'scene': f'{seed}', 'samples': samples} for seed, samples in scenes.items()]
    return headline(evaluate(content))
