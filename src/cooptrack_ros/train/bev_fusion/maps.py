"""BEV features of both sides, computed once with the trained networks, in files that are read frame by frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError
from ...common.files import replacing
from ...common.reading import parse_json
from ...common.timeline import continues
from ...common.types import Frame, Side
from ...cooperation.bev_cells import confidence_map
from ...data.dataset import DataSet, FrameRecord, OpenedData, recordings
from ...model.image.preprocess import least_size
from ...tracking.frame_records import Past
from ...tracking.tracker import AgentTracker
from ...weights.store import ModelPackage
from ..clips import training_frames

_PARTS = ('ego', 'infra', 'confidence')


@dataclass(frozen=True)
class PairMaps:
    """A pair: BEV features of vehicle and unit (cells, C), and how sure the unit is of each cell (cells,); float32."""

    ego: np.ndarray
    infra: np.ndarray
    confidence: np.ndarray


class MapFile:
    """The pairs of a recording in a file of float16, of which only those are read that are asked for."""

    def __init__(self, path: Path):
        """
        Look what there is.

        :raises UserError: for a file that cannot be read.
        """
        from safetensors import SafetensorError, safe_open
        try:
            self._file = safe_open(str(path), 'numpy')
            self._place = {token: i for i, token in enumerate(parse_json(self._file.metadata()['tokens']))}
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise UserError(f'{path} cannot be read: {error}; remove it, it is made again') from error

    def read(self, token: str) -> PairMaps:
        """Return the pair of a vehicle frame."""
        i = self._place[token]
        return PairMaps(*(self._file.get_slice(name)[i].astype(np.float32) for name in _PARTS))


class _Encoder:
    """Encodes the BEV features of an agent frame by frame, without its tracks."""

    def __init__(self, tracker: AgentTracker):
        self._tracker, self._past = tracker, None

    @torch.inference_mode()
    def __call__(self, frame: Frame) -> Tensor:
        """Return (cells, C)."""
        stages, inputs = self._tracker.stages, self._tracker.prepare(frame)
        gap_s = self._tracker.config.tracker_of(self._tracker.side).reset_gap_s
        past = self._past
        if past is not None and not continues(inputs.stamped_pose, past.stamped_pose, gap_s):
            past = None
        _, bev = stages.encode(inputs, past, lambda name, value: None, lambda stage: None)
        self._past = Past(inputs.stamped_pose, stages.learned_queries()[:0], bev)
        return bev[0]


def pair_maps(dataset: DataSet, vehicle: AgentTracker, roadside: AgentTracker,
              hz: int = 0) -> Iterator[tuple[str, PairMaps]]:
    """Yield vehicle token and maps of pairs of a recording: all, or those that training takes at a rate."""
    config, least = vehicle.config, least_size(vehicle.config)
    for records in _sequences(dataset, hz):
        encode, state = _Encoder(vehicle), roadside.initial()
        for record in records:
            state, output = roadside.step(state, record.frame('infrastructure', least))
            confidence = confidence_map(output.detections, config.range_of(Side.ROADSIDE).pc_range, config.bev_size)
            ego, infra = (bev.cpu().numpy() for bev in (encode(record.frame(least=least)), state.bev[0]))
            yield record.token, PairMaps(ego, infra, confidence)


def _sequences(dataset: DataSet, hz: int) -> Iterator[list[FrameRecord]]:
    """Yield the pairs of each sequence; :param hz: of those that training takes, 0: all, as the trackers need them."""
    if not hz:
        yield from (dataset.records('cooperative', sequence) for sequence in dataset.sequences())
        return
    for _, records in groupby(training_frames(dataset, 'cooperative', hz), lambda r: r.sequence):
        yield list(records)


def save_maps(path: Path, maps: dict[str, PairMaps]) -> None:
    """Write the pairs of a recording by vehicle token, atomically."""
    from safetensors.numpy import save_file
    arrays = {name: np.stack([getattr(m, name) for m in maps.values()]).astype(np.float16) for name in _PARTS}
    with replacing(path) as part:
        save_file(arrays, str(part), {'tokens': json.dumps(list(maps))})


def collect_maps(vehicle: ModelPackage, roadside: ModelPackage, datasets: OpenedData, cache: Path,
                 report: Callable[[str], None], device: str = 'cpu', hz: int = 0) -> dict[str, MapFile]:
    """
    Return the pairs of all data by recording, from the cache folder where they are there already.

    :param vehicle: model of the vehicle, :param roadside: of the units; of both the networks of one side each.
    """
    cache = cache / f'{vehicle.model_id(Side.VEHICLE)}_{roadside.model_id(Side.ROADSIDE)}_{hz}'
    trackers = None
    found = {}
    for name, dataset in recordings(datasets, 'cooperative'):
        path = cache / f'{name}.safetensors'
        if not path.is_file():
            trackers = trackers or [package.tracker(side, device) for package, side in (
                (vehicle, Side.VEHICLE), (roadside, Side.ROADSIDE))]
            path.parent.mkdir(parents=True, exist_ok=True)
            report(f'BEV features of {name}')
            save_maps(path, dict(pair_maps(dataset, *trackers, hz)))
        found[name] = MapFile(path)
    return found
