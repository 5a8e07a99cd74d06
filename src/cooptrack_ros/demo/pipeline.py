"""The demonstration from a seed to numbers and pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.files import write_atomically
from ..common.outputs import write_figures
from ..common.types import Side
from ..data.bags.merge import merge_answers
from ..data.bags.recording import Recording, read_pairs, read_recording
from ..data.dataset import DataSet, FrameRecord
from ..data.folders import open_dataset
from ..data.synth import PROVENANCE, generate
from ..viz.image_files import write_image
from ..viz.recording_files import write_album
from ..weights.store import open_model
from . import passes, results
from .options import COOPERATIVE, REAL_TIME_S, REPLAYED, UNIT, DemoOptions
from .voxels import StreetVoxels, measure_street, street_picture

Advance = Callable[[int, int], None]
Step = Callable[[str], AbstractContextManager[Advance]]
"""Announces a step; inside, ``advance(done, total)`` shows how far it is."""
REAL_TIME = 'real_time'
STREET_NAME = 'voxels.png'
_FRAME_RATE_HZ = 10


@dataclass(frozen=True)
class DemoResult:
    """What there is to tell: figures, files, objects tracked that the vehicle could not see."""

    metrics: dict[str, Any]
    pictures: tuple[Path, ...]
    unseen_tracked: int
    files: dict[str, Path]


def run_demo(options: DemoOptions, step: Step) -> DemoResult:
    """
    Make what is missing, run the passes, measure and draw.

    :param step: see ``Step``.
    :raises UserError: naming the step, the log file and its last lines.
    """
    # Nothing of an earlier demonstration may look like a result of this one.
    _remove_results(options)
    _prepare(options, step)
    with step('both nodes, cooperative, in lockstep'):
        passes.first_pass(options)
    with step('ego node in the other modes, over the recorded features') as advance:
        names: list[str] = []
        passes.replayed_passes(options, lambda name: advance(len(names) + 1, len(REPLAYED)) or names.append(name))
    with step(f'both nodes in real time, {REAL_TIME_S:g} s'):
        passes.real_time_pass(options, REAL_TIME, round(min(REAL_TIME_S, options.seconds) * _FRAME_RATE_HZ))
    return _collect(options, step)


def _prepare(options: DemoOptions, step: Step) -> None:
    """Make scene and bag unless they are there; remove those of other inputs."""
    cache = options.scene.parent
    for stale in cache.glob('*') if cache.is_dir() else ():
        if stale not in (options.scene, options.bag):
            shutil.rmtree(stale)
    if not (options.scene / PROVENANCE).is_file():
        with step(f'scene of seed {options.seed}') as advance:
            generate(options.scene, options.seed, options.seconds, options.size, occupancy=options.occupancy,
                     progress=advance)
    if not options.bag.exists():
        # Imported late: it loads ROS.
        from ..data.bags.convert import convert
        with step('scene as a ROS 2 bag') as advance:
            dataset = open_dataset(options.scene)
            convert(dataset, dataset.sequences()[0], options.bag, progress=advance)


def _collect(options: DemoOptions, step: Step) -> DemoResult:
    dataset = open_dataset(options.scene)
    records = dataset.records('cooperative')
    class_range = open_model(options.weights).config.class_range_of(Side.VEHICLE)
    recordings: dict[str, Recording] = {}
    with step('reading what crossed the topics') as advance:
        jobs = (COOPERATIVE, *REPLAYED)
        for done, job in enumerate(jobs, 1):
            recordings[job.name] = read_recording(options.answers(job.name), UNIT)
            advance(done, len(jobs))
        real_time = read_recording(options.answers(REAL_TIME), UNIT)
        merge_answers(options.bag, options.answers(COOPERATIVE.name), options.out / 'recording')
    with step('measuring') as advance:
        metrics = _measure(options, records, class_range, recordings, real_time, advance)
    with step('drawing') as advance:
        frames = results.frames_to_draw(recordings[COOPERATIVE.name], read_pairs(options.bag, UNIT), records)
        pictures = write_album(options.out / 'pictures', records, dataset.partners(records), frames, 'cooperative',
                               advance=advance)
    if options.occupancy:
        with step('voxels: reading, measuring, drawing'):
            metrics['occupancy'] = _voxels(options, dataset, records)
            write_figures(options.out / 'metrics.json', metrics)
    files = {'pictures': options.out / 'pictures', 'animation': pictures[-1],
             'recorded bag': options.out / 'recording', 'tracks': options.out / 'tracks.json',
             'figures': options.out / 'metrics.json', 'logs': options.logs}
    if options.occupancy:
        files['street'] = options.out / 'pictures' / STREET_NAME
    return DemoResult(metrics, tuple(pictures), results.unseen_by_ego(frames, records, tuple(class_range)), files)


def _voxels(options: DemoOptions, dataset: DataSet, records: list[FrameRecord]) -> dict[str, Any]:
    """Draw the street as voxels, in the frame in which the unit adds most; return the figures."""
    voxels = StreetVoxels.read(options)
    figures, record = measure_street(voxels, dataset, records, options.occupancy)
    caption = f't = {(record.stamp_us - records[0].stamp_us) / 1e6:.1f} s'
    write_image(options.out / 'pictures' / STREET_NAME, street_picture(voxels, record, options.occupancy, caption))
    return figures


def _measure(options: DemoOptions, records: list[FrameRecord], class_range: dict[str, float],
             recordings: dict[str, Recording], real_time: Recording, advance: Advance) -> dict[str, Any]:
    """Write tracks.json and metrics.json; return the latter's content."""
    exchanges = {name: results.exchange(name, recording, records, class_range)
                 for name, recording in recordings.items()}
    metrics: dict[str, Any] = {}
    order = ['ego_only', 'late', COOPERATIVE.name, 'cooperative_features_zeroed']
    for done, name in enumerate(order, 1):
        metrics[name] = results.figures(exchanges[name])
        advance(done, len(order) + 1)
    metrics['oracle'] = results.oracle_figures(options.scene, class_range)
    cooperative = recordings[COOPERATIVE.name]
    metrics |= {
        'bytes_per_second': round(results.bytes_per_second(
            {stamp: frame.serialized_bytes for stamp, frame in cooperative.features.items()}), 1),
        'latency_ms': results.latency_ms(real_time),
        'real_time': {'images_played': passes.replay_report(options, REAL_TIME)['ego_images'],
                      'frames_answered': len(real_time.tracks)},
        'inputs': {'seed': options.seed, 'seconds': options.seconds, 'size': list(options.size),
                   'weights': options.weights, 'frames': len(records), 'occupancy': options.occupancy},
        'tracks': 'live tracks, as the ego node publishes them',
        'detections': 'the 300 best boxes' if cooperative.detections else 'the published tracks',
    }
    tracks = {**exchanges[COOPERATIVE.name],
              'provenance': results.provenance_rows(cooperative, records),
              'modes': {name: {'predictions': content['predictions']} for name, content in exchanges.items()}}
    # First what is small and cannot be made again without another run.
    write_figures(options.out / 'metrics.json', metrics)
    write_atomically(options.out / 'tracks.json', json.dumps(tracks) + '\n')
    return metrics


def _remove_results(options: DemoOptions) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ('tracks.json', 'metrics.json'):
        (options.out / name).unlink(missing_ok=True)
    for name in ('recording', 'pictures', 'answers', 'logs'):
        shutil.rmtree(options.out / name, ignore_errors=True)
