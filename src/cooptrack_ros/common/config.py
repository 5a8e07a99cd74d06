"""Typed settings of network, tracker and fusion: the only place for defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from math import isnan
from pathlib import Path
from typing import Any

from .config_checks import check
from .declaration import Declaration
from .errors import UserError
from .method_config import MethodConfig, TrackerConfig
from .reading import read_yaml
from .types import Side

NOMINAL_HZ = 10.0
"""The rate of frames that lives and gaps of tracks are stated for."""
EXECUTIONS = ('fast', 'reference', 'int8', 'graph')
"""How a network may be executed, see ``tracking.execution.make_tracker``; the first is the default."""

ENCODING = Declaration('float16', 'encoding of the features in messages', choices=('float32', 'float16', 'int8'))
"""The names are those of numpy types and, in capitals, of the constants of the message."""
LATE_RULE = Declaration(
    'own', 'what becomes of the box of a track of the vehicle that late fusion pairs with one of a unit; own: it stays '
    'as it is; covariance_intersection: both are fused by their covariances, where they are known (cooptrack weights '
    'calibrate)', choices=('own', 'covariance_intersection'))


@dataclass(frozen=True)
class RangeConfig:
    """Ranges of one agent in its lidar frame, metres: x0, y0, z0, x1, y1, z1."""

    pc_range: tuple[float, ...]
    post_center_range: tuple[float, ...]
    class_range: tuple[float, ...]
    """Evaluation radius per class of ``ModelConfig.class_names``."""


EGO_RANGE = RangeConfig((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), (-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
                        (50.0, 40.0, 40.0))
INFRA_RANGE = RangeConfig((0.0, -51.2, -5.0, 102.4, 51.2, 3.0), (-10.0, -61.2, -10.0, 112.4, 61.2, 10.0),
                          (100.0, 80.0, 80.0))
WHOLE_IMAGES = 90.0, 90.0
"""See ``ModelConfig.ego_view_deg``."""


@dataclass(frozen=True)
class BackboneConfig:
    """Image backbone: ``resnet`` (bottlenecks, published names), ``compact`` or ``convnext`` with the given widths."""

    kind: str = 'resnet'
    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    out_stride: int = 32


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and method of the whole network; defaults are the published ResNet-50 model."""

    name: str = 'r50'
    class_names: tuple[str, ...] = ('car', 'bicycle', 'pedestrian')
    """What labels index; with other names each range needs a ``class_range`` of as many numbers."""
    input_size: tuple[int, int] = (544, 960)
    """Padded network input, rows x columns; images are scaled to fit and padded right and below."""
    resize: str = 'linear'
    """
    ``linear`` (published): OpenCV's interpolation, rows and columns by one scale; ``area``: means of areas, rows and
    columns each scaled to fill the network input.
    """
    ego_view_deg: tuple[float, float] = WHOLE_IMAGES
    """
    Band of the vehicle's images that the network gets, see ``model.image.view``: degrees up and down from the horizon.
    (90, 90): whole images. A roadside unit looks down at its road with the whole image.
    """
    embed_dims: int = 256
    num_heads: int = 8
    num_queries: int = 900
    bev_size: tuple[int, int] = (50, 50)
    encoder_layers: int = 3
    decoder_layers: int = 6
    ffn_dims: int = 512
    reasoning_layers: int = 2
    reasoning_ffn_dims: int = 2048
    hist_len: int = 4
    """Frames of history, the current one included; 0: no reasoning over time."""
    temporal_points: int = 4
    spatial_points: int = 8
    pillar_heights: int = 4
    decoder_points: int = 4
    point_dims: int = 64
    """Width of the first two layers of the motion extractor's nets."""
    alignment_blocks: int = 16
    max_cameras: int = 6
    max_levels: int = 4
    dropout: float = 0.1
    published_extras: bool = True
    """Keep the entries of the published files that have no effect (method.md 14.4)."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    ego_range: RangeConfig = EGO_RANGE
    infra_range: RangeConfig = INFRA_RANGE
    method: MethodConfig = field(default_factory=MethodConfig)
    tracker_vehicle: TrackerConfig = field(default_factory=TrackerConfig)
    tracker_roadside: TrackerConfig = field(default_factory=TrackerConfig)
    tracker_cooperative: TrackerConfig = field(default_factory=lambda: TrackerConfig(max_age=3))

    def range_of(self, side: Side) -> RangeConfig:
        """Return the ranges of the agent that runs as ``side``."""
        return self.infra_range if side is Side.ROADSIDE else self.ego_range

    def view_of(self, side: Side) -> tuple[float, float]:
        """Return the band of the images of the agent that runs as ``side``, see ``ego_view_deg``."""
        return WHOLE_IMAGES if side is Side.ROADSIDE else self.ego_view_deg

    def class_range_of(self, side: Side) -> dict[str, float]:
        """Return the evaluation radius in metres of each class around the agent that runs as ``side``."""
        return dict(zip(self.class_names, self.range_of(side).class_range, strict=True))

    def adds(self, side: Side) -> bool:
        """Tell whether the network of ``side`` is the vehicle's with additions."""
        return side is Side.COOPERATIVE and self.method.cooperation == 'additions'

    def tracker_of(self, side: Side) -> TrackerConfig:
        """Return the life-cycle settings of ``side``."""
        return {Side.VEHICLE: self.tracker_vehicle, Side.ROADSIDE: self.tracker_roadside,
                Side.COOPERATIVE: self.tracker_cooperative}[side]

    def at_rate(self, hz: float) -> ModelConfig:
        """
        Return the same for so many frames a second; at 10 or more nothing changes.

        Lives are counted in seconds; but where frames are rare, a track that outlives missing frames at 10 Hz outlives
        one, and one missing frame is no gap.
        """
        return self if hz >= NOMINAL_HZ else replace(
            self, tracker_vehicle=self.tracker_vehicle.at_rate(hz), tracker_roadside=self.tracker_roadside.at_rate(hz),
            tracker_cooperative=self.tracker_cooperative.at_rate(hz))


R50 = ModelConfig()

_OWN_METHOD = MethodConfig(
    previous_bev='warp', ego_motion_input='relative', first_bev='zeros', query_fill='first_n',
    max_match_distance_m=3.5, compensation='geometry', exclude_ego=True, report_only_live=True, aux_losses_stage2=True,
    roadside_lifetime_s=1.0, dup_ref_loss=False, keep_ids_after_gap=True, cls_prior_bias=True,
    carried_motion=True, association_memory=True, cooperation='additions')
"""What new trainings should use: the better choice of every switch."""
_OWN_TRACKERS = {
    'tracker_vehicle': TrackerConfig(max_age=3, max_age_s=0.25), 'tracker_roadside': TrackerConfig(max_age_s=0.05),
    'tracker_cooperative': TrackerConfig(max_age=3, max_age_s=0.25)}
"""
The published lives at 10 Hz; half a frame less than the frames, so that stamps may shake. The vehicle's tracks live as
long alone as with messages.
"""

R50_BETTER = replace(R50, name='r50_better', method=_OWN_METHOD, published_extras=False, **_OWN_TRACKERS)
"""The published size for new trainings."""

MINI = ModelConfig(
    name='mini',
    input_size=(288, 512),
    resize='area',
    ego_view_deg=(10.0, 20.0),
    embed_dims=96,
    num_heads=6,
    num_queries=150,
    bev_size=(40, 40),
    encoder_layers=2,
    decoder_layers=3,
    ffn_dims=192,
    reasoning_layers=1,
    reasoning_ffn_dims=192,
    temporal_points=2,
    alignment_blocks=6,
    max_cameras=1,
    max_levels=1,
    dropout=0.0,
    published_extras=False,
    backbone=BackboneConfig('compact', widths=(24, 48, 96, 144), blocks=(1, 2, 2, 2), out_stride=8),
    method=_OWN_METHOD,
    **_OWN_TRACKERS,
)

_RESNET_101 = BackboneConfig(blocks=(3, 4, 23, 3))
_FULL_SIZE = {'input_size': (1088, 1920), 'bev_size': (200, 200)}

R101 = replace(R50, name='r101', backbone=_RESNET_101)
CONVNEXT_SMALL = replace(
    R50, name='convnext_s', backbone=BackboneConfig('convnext', widths=(96, 192, 384, 768), blocks=(3, 3, 27, 3)))
R50_FULL = replace(R50, name='r50_full', **_FULL_SIZE)
R101_FULL = replace(R101, name='r101_full', **_FULL_SIZE)
"""Backbones of the paper's Table 6; images in full size on a BEV grid of 200x200 cells as in its Tables 1 and 3."""

_GRIFFIN_CAR = RangeConfig(EGO_RANGE.pc_range, EGO_RANGE.post_center_range, (50.0, 50.0, 50.0))
_GRIFFIN_DRONE = RangeConfig((-51.2, -51.2, -35.0, 51.2, 51.2, -20.0), (-61.2, -61.2, -40.0, 61.2, 61.2, -15.0),
                             (50.0, 50.0, 50.0))
"""For a drone 25 m above ground; its lidar frame is at the drone, so that all it sees is below."""
_GRIFFIN = {'max_cameras': 9, 'ego_range': _GRIFFIN_CAR, 'infra_range': _GRIFFIN_DRONE}
"""Room for four cameras of the car and five of the drone, which one network gets in early fusion."""
GRIFFIN_R50 = replace(R50_BETTER, name='griffin_r50', **_GRIFFIN)
# One network may see the images of car and drone, so the car's are whole as well.
MINI_GRIFFIN = replace(MINI, name='mini_griffin', input_size=(192, 320), ego_view_deg=WHOLE_IMAGES, **_GRIFFIN)
"""The paper's second data set, Griffin-25m, in the published size and in one that a CPU trains."""

_PER_CLASS = ('class_names', 'class_range')
"""Lists that may get another length."""
PRESETS = {c.name: c for c in (R50, R50_BETTER, MINI, R101, CONVNEXT_SMALL, R50_FULL, R101_FULL,
                             GRIFFIN_R50, MINI_GRIFFIN)}


def apply_overrides(config: Any, overrides: dict[str, Any], path: str = '') -> Any:
    """
    Return ``config`` (a frozen dataclass) with nested values replaced from plain YAML or JSON data.

    :raises ValueError: for an unknown key or a value of the wrong type; the text names the full key.
    """
    known = {f.name: f for f in fields(config)}
    changes = {}
    for key, value in overrides.items():
        full = f'{path}{key}'
        if key not in known:
            raise ValueError(f"unknown configuration key '{full}'; known here: {', '.join(sorted(known))}")
        current = getattr(config, key)
        if is_dataclass(current):
            if not isinstance(value, dict):
                raise ValueError(f"configuration key '{full}' must be a mapping, not {value!r}")
            changes[key] = apply_overrides(current, value, f'{full}.')
        else:
            changes[key] = _coerce(full, current, value)
    return replace(config, **changes)


def _coerce(key: str, current: Any, value: Any) -> Any:
    if isinstance(current, bool):
        ok = isinstance(value, bool)
    elif isinstance(current, int):
        ok = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(current, float):
        ok = isinstance(value, (int, float)) and not isinstance(value, bool)
        ok = ok and not isnan(value)
        value = float(value) if ok else value
    elif isinstance(current, tuple):
        ok = isinstance(value, (list, tuple)) and len(value) > 0
        if ok and key.rpartition('.')[2] in _PER_CLASS:
            current = current[:1] * len(value)
        ok = ok and len(value) == len(current)
        value = tuple(_coerce(key, old, new) for old, new in zip(current, value, strict=True)) if ok else value
    else:
        ok = isinstance(value, type(current))
    if not ok:
        raise ValueError(f"configuration key '{key}' must be {_kind(current)}, not {value!r}")
    return value


def _kind(current: Any) -> str:
    if isinstance(current, tuple):
        return f'a list of {len(current)} like {list(current)}'
    return type(current).__name__


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return plain data (lists instead of tuples) for YAML and JSON."""
    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return value
    return plain(asdict(config))


def own_choices(config: ModelConfig) -> dict[str, Any]:
    """
    Return as plain data what a configuration has otherwise than the published one, nothing for that itself.

    What identifies a model must be made of this: a key that is new and left at its default changes no model.
    """
    def differences(ours: dict[str, Any], published: dict[str, Any]) -> dict[str, Any]:
        both = ((key, value, published[key]) for key, value in ours.items() if value != published[key])
        return {key: differences(value, other) if isinstance(value, dict) else value for key, value, other in both}
    return differences(config_to_dict(config), config_to_dict(ModelConfig()))


def named_config(source: str) -> ModelConfig:
    """
    Return the configuration that a command line names: a preset or a YAML file.

    :raises UserError: if there is no such file, or it is wrong.
    """
    try:
        return load_config(source)
    except FileNotFoundError as error:
        raise UserError(f"no configuration '{source}': neither a preset ({', '.join(sorted(PRESETS))}) "
                        'nor a YAML file') from error
    except (OSError, ValueError) as error:
        raise UserError(f"configuration '{source}': {error}") from error


def stored_config(stored: dict[str, Any]) -> ModelConfig:
    """
    Return the configuration that was stored with weights.

    A switch that it does not name is younger than the weights, so it has its default, whatever the preset says now.

    :raises ValueError: for unknown presets or keys.
    """
    switches = {**asdict(MethodConfig()), **stored['method']} if 'method' in stored else {}
    return load_config({**stored, 'method': switches})


def load_config(source: str | dict[str, Any]) -> ModelConfig:
    """
    Return a model configuration from a preset name, a YAML file or plain data.

    A mapping may name its ``preset`` (default ``r50``); its other keys override that preset.

    :raises ValueError: for unknown presets or keys.
    """
    if isinstance(source, str) and source in PRESETS:
        return PRESETS[source]
    if isinstance(source, str):
        source = read_yaml(Path(source))
    overrides = dict(source)
    preset = overrides.pop('preset', 'r50')
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"unknown preset '{preset}'; known: {', '.join(sorted(PRESETS))}")
    config = apply_overrides(PRESETS[preset], overrides)
    check(config)
    return config
