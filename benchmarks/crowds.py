"""
What units that send many made-up objects do to the vehicle: what it finds, what it tracks itself, and what it costs.

    python benchmarks/crowds.py --weights mini --data DEMO_SCENE --json benchmarks/results/crowds.json

An honest unit is always there. Beside it, one or three others send objects that are not there, none of them near a true
one, with features and scores as good as those of real ones. ``--before JSON`` puts the figures of an
earlier run beside these in ``--picture PNG``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cooptrack_ros.common.geometry import transform_points
from cooptrack_ros.common.types import Boxes, Frame, InstanceSet, Provenance, RoadsideMessage, Side
from cooptrack_ros.cooperation.limits import Limits
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.eval.oracle import visible_boxes
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.eval.studies import RememberingTracker, SeenInput, StudyStages
from cooptrack_ros.model.image.preprocess import least_size
from cooptrack_ros.tracking.ego_agent import EgoAgent, EgoResult
from cooptrack_ros.weights.store import ModelPackage, open_model

COUNTS = (0, 25, 50, 75, 100, 150, 225, 300, 450, 900)
"""Made-up objects of all units together."""
UNITS = (1, 3)
FOUND_M = 2.0
"""A true object is found if there is a track so near."""
_AWAY_M = 5.0
"""Nothing is made up nearer to a true object."""
_SPACING_M, _REACH_M = 2.5, 48.0
_SCORE = 0.9


class Scene:
    """The frames of one scene, what its unit sends, and what is really there."""

    def __init__(self, folder: Path, package: ModelPackage, limit: int | None):
        """Read the records and run the roadside network once."""
        self.records = Selection(limit=limit).records(open_dataset(folder))
        self.least = least_size(package.config)
        tracker, self.sent = package.tracker(Side.ROADSIDE), []
        state = tracker.initial()
        for record in self.records:
            state, output = tracker.step(state, record.frame('infrastructure', self.least))
            self.sent.append(RoadsideMessage('rsu', output.stamp_ns, output.instances, record.ego_from_infra))
        self.true = [visible_boxes(record, 'cooperative') for record in self.records]
        self.pc_range = np.array(package.config.infra_range.pc_range)
        self.seen: dict[tuple[str, int], SeenInput] = {}

    def frames(self) -> Iterator[Frame]:
        """Yield the frames; images are read only where the BEV features are not known yet."""
        for record in self.records:
            known = (record.sequence, record.stamp_us * 1000) in self.seen
            yield record.frame_without_image() if known else record.frame('vehicle', self.least)

    def made_up(self, index: int, total: int, units: int) -> list[RoadsideMessage]:
        """Return messages of ``units`` with ``total`` objects in all that are not there, standing in the world."""
        record, honest, true = self.records[index], self.sent[index], self.true[index]
        first = self.records[0].frame_without_image().global_from_lidar
        steps = np.arange(-_REACH_M, _REACH_M, _SPACING_M)
        grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        grid = np.random.default_rng(3).permutation(grid)
        world = transform_points(first, np.column_stack([grid, np.full(len(grid), -1.0)]))
        here = transform_points(np.linalg.inv(record.frame_without_image().global_from_lidar), world)
        away = np.linalg.norm(here[:, None, :2] - true.centre[None, :, :2], axis=-1).min(1, initial=np.inf) > _AWAY_M
        numbers = np.flatnonzero(away)[:total]
        if not len(numbers) or not len(honest.instances):
            return []
        centre = transform_points(np.linalg.inv(honest.ego_from_infra), here[numbers])
        return [replace(honest, unit_id=f'unit_{unit}', instances=self._like(
            honest.instances, centre[unit::units], numbers[unit::units])) for unit in range(units)]

    def _like(self, real: InstanceSet, centre: np.ndarray, numbers: np.ndarray) -> InstanceSet:
        """Return instances like real ones at places (N, 3) in the frame of the unit."""
        chosen, (low, high) = real[np.arange(len(centre)) % len(real)], self.pc_range.reshape(2, 3)
        points = ((centre - low) / (high - low)).astype(np.float32)
        boxes = chosen.boxes.with_(centre=centre, velocity=np.zeros((len(centre), 2)), track_id=1000 + numbers,
                                   score=np.full(len(centre), _SCORE))
        return replace(chosen, boxes=boxes, ref_points=points, previous_position=centre.astype(np.float32))


def agent_of(package: ModelPackage, scene: Scene | None = None) -> EgoAgent:
    """Return the vehicle as the node runs it; :param scene: whose BEV features are kept for further runs."""
    tracker = package.tracker(Side.COOPERATIVE)
    if scene is not None:
        StudyStages.put_into(tracker)
        tracker = RememberingTracker(tracker, scene.seen)
    return EgoAgent(tracker, None, package.config.tracker_cooperative.output_threshold,
                    limits=Limits.of(package.config))


def found(true: Boxes, tracks: Boxes) -> int:
    """Return how many true objects have a track near."""
    distance = np.linalg.norm(true.centre[:, None, :2] - tracks.centre[None, :, :2], axis=-1)
    return int((distance.min(1, initial=np.inf) <= FOUND_M).sum())


def figures(scene: Scene, results: Sequence[EgoResult]) -> dict[str, float]:
    """Return means over the frames of a run."""
    rows = []
    for true, result in zip(scene.true, results, strict=True):
        own = result.provenance != Provenance.ROADSIDE
        near = np.linalg.norm(true.centre[:, None, :2] - result.tracks.centre[None, :, :2], axis=-1).min(
            0, initial=np.inf) <= FOUND_M
        rows.append((found(true, result.tracks), found(true, result.tracks[own]), own.sum(), len(result.tracks),
                     (own & ~near).sum()))
    names = ('found', 'found_by_itself', 'own_tracks', 'tracks', 'own_false')
    return dict(zip(names, np.mean(rows, axis=0).round(3).tolist(), strict=True))


def run(package: ModelPackage, scene: Scene, total: int, units: int, honest: bool = True) -> dict[str, float]:
    """Return the figures of a run in which units make up ``total`` objects."""
    agent, results = agent_of(package, scene), []
    for index, frame in enumerate(scene.frames()):
        messages = [scene.sent[index]] * honest + scene.made_up(index, total, units)
        results.append(agent.step(frame, Received(tuple(messages))))
    return figures(scene, results)


def cost(package: ModelPackage, scene: Scene, each: int, units: int, repeats: int) -> float:
    """Return the least processor time (ms) of a frame, the median over frames, with ``units`` that send ``each``."""
    medians = []
    frames = [record.frame('vehicle', scene.least) for record in scene.records[:25]]
    for _ in range(repeats):
        agent, seconds = agent_of(package), []
        for index, frame in enumerate(frames):
            messages = scene.made_up(index, each * units, units) if each else [scene.sent[index]]
            started = time.process_time()
            agent.step(frame, Received(tuple(messages)))
            agent.learn_poses()
            seconds.append(time.process_time() - started)
        medians.append(1e3 * float(np.median(seconds[5:])))
    return round(min(medians), 2)


def curve(package: ModelPackage, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """Return the figures over the number of made-up objects, means over scenes."""
    rows = []
    for units in UNITS:
        for total in COUNTS:
            each = [run(package, scene, total, units) for scene in scenes]
            rows.append({'units': units, 'objects': total, **{
                name: round(float(np.mean([e[name] for e in each])), 2) for name in each[0]}})
            print(rows[-1], flush=True)
    return rows


def draw(before: dict[str, Any], after: dict[str, Any], target: Path) -> None:
    """Draw found objects and own tracks over received ones, before and after."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9, 3.4), layout='constrained')
    for axes, name, title in zip(figure.subplots(1, 2), ('found', 'own_tracks'), (
            'true objects found in a frame', "tracks of the vehicle's own in a frame"), strict=True):
        for run_, colour, label in ((before, 'tab:red', 'without limits'), (after, 'tab:blue', 'with limits')):
            for units, style in zip(UNITS, ('-', '--'), strict=True):
                rows = [row for row in run_['curve'] if row['units'] == units]
                axes.plot([r['objects'] for r in rows], [r[name] for r in rows], style, color=colour, marker='.',
                          label=f'{label}, {units} unit{"s" * (units > 1)}')
        axes.set(title=title, xlabel='made-up objects received', ylim=(0, None))
    figure.axes[0].legend(fontsize=8)
    figure.savefig(target, dpi=110)


def main() -> int:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', type=Path, nargs='+', required=True, help='scenes')
    parser.add_argument('--limit', type=int, help='frames of each scene')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--repeats', type=int, default=3, help='of the measurement of processor time, 0 for none')
    parser.add_argument('--before', type=Path, help='result of an earlier run, for the picture')
    parser.add_argument('--picture', type=Path)
    args = parser.parse_args()
    package = open_model(args.weights)
    scenes = [Scene(folder, package, args.limit) for folder in args.data]
    result = {'schema': 'cooptrack-crowds/1', 'weights': args.weights, 'frames': sum(len(s.records) for s in scenes)}
    if args.repeats:
        result['cpu_ms'] = {name: cost(package, scenes[0], each, units, args.repeats) for name, each, units in (
            ('one honest unit', 0, 1), ('one full unit', 150, 1), ('three full units', 150, 3),
            ('one unit of 900', 900, 1), ('three units of 300', 300, 3))}
        print(result['cpu_ms'])
    result['curve'] = curve(package, scenes)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    if args.picture and args.before:
        draw(json.loads(args.before.read_text(encoding='utf-8')), result, args.picture)
    return 0


if __name__ == '__main__':
    sys.exit(main())
