"""Frames per second of generator, readers and augmentation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..common.config import ModelConfig
from ..common.types import Side
from ..data.folders import open_dataset
from ..data.synth import generate
from ..model.image.preprocess import least_size, prepare_image
from ..model.image.view import network_views
from ..train.clips import ClipStream
from ..train.frame_tensors import tracker_input
from ..train.recipe import load_recipe, recipe_family
from .machine import describe_machine, peak_rss_mib
from .train import SCENE_SEED

_MAX_SAMPLES = 100


def measure_data(seconds: float, size: tuple[int, int], config: ModelConfig, with_bag: bool = True) -> dict[str, Any]:
    """
    Make a scene and read it in every way, in this process alone.

    :param seconds: length of the scene; :param size: width and height of its images;
    :param config: whose network input is prepared; :param with_bag: also convert it to a bag and read that.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / 'scene'
        took = _seconds(lambda: generate(folder, SCENE_SEED, seconds, size))
        parts = {'generate': _rate(len(list(folder.rglob('*.jpg'))), took)}
        parts |= _read(folder, config)
        if with_bag:
            parts |= _bag(folder, Path(scratch) / 'bag')
    return {'schema': 'cooptrack-bench-data/1', 'scene_seconds': seconds, 'camera_size': list(size),
            'config': config.name, 'input_size': list(config.input_size), 'parts': parts,
            'memory': {'peak_rss_mib': peak_rss_mib()}, 'machine': describe_machine()}


def _read(folder: Path, config: ModelConfig) -> dict[str, dict[str, float]]:
    """Return the rates of everything between files and a training frame, one after another."""
    recipe = load_recipe(f'{recipe_family(config)}-vehicle')
    records = []
    took = _seconds(lambda: records.extend(open_dataset(folder).records('cooperative')))
    parts = {'read records': _rate(len(records), took)}
    frames, rng = [], np.random.default_rng(0)
    least = least_size(config)
    took = _seconds(lambda: frames.extend(r.frame(least=least) for r in records[:_MAX_SAMPLES]))
    parts['decode images'] = _rate(len(frames), took)
    took = _seconds(lambda: [prepare_image(network_views(f, config, Side.VEHICLE)[0][0], config) for f in frames])
    parts['prepare for the network'] = _rate(len(frames), took)
    took = _seconds(lambda: [tracker_input(f, Side.VEHICLE, config, recipe.augment, rng) for f in frames])
    parts['augment and prepare'] = _rate(len(frames), took)
    stream = ClipStream([(folder, open_dataset(folder))], Side.VEHICLE, config, recipe)
    places = list(islice(stream.positions(0), len(frames)))
    took = _seconds(lambda: [stream.sample(0, place) for place in places])
    parts['training frames, all together'] = _rate(len(places), took)
    return parts


def _bag(folder: Path, bag: Path) -> dict[str, dict[str, float]]:
    """Return the rates of writing a bag of a scene and of reading all of its messages."""
    from rosbags.highlevel import AnyReader

    from ..data.bags.convert import convert
    from ..data.bags.types import typestore
    dataset = open_dataset(folder)
    counts = []
    took = _seconds(lambda: counts.append(convert(dataset, dataset.sequences()[0], bag)))
    parts = {'write bag, messages': _rate(counts[0], took)}

    def read() -> None:
        with AnyReader([bag], default_typestore=typestore()) as reader:
            for connection, _, data in reader.messages():
                reader.deserialize(data, connection.msgtype)
    return parts | {'read bag, messages': _rate(counts[0], _seconds(read))}


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _rate(count: int, seconds: float) -> dict[str, float]:
    return {'count': count, 'seconds': seconds, 'per_second': count / seconds}
