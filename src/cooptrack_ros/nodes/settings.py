"""
Parameters of the nodes: their names, types, defaults, ranges, units and descriptions.

Those that the command line has too are declared in ``core`` and only named here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import Field, dataclass, fields
from typing import Any

from ..common.config import ENCODING, EXECUTIONS, LATE_RULE
from ..common.declaration import Declaration, parameter
from ..common.earth import Geodetic, MapPlace
from ..common.errors import UserError
from ..common.method_config import COMPENSATION
from ..cooperation.channel_model import LinkConfig
from ..wire.marker_board import LIFETIME_S
from ..wire.markers import LABEL_HEIGHT_M
from ..wire.topics import CPM, FEATURES, IMAGE_TRANSPORTS, TRACKED_OBJECTS, UNIT_KINDS, check_name

FEATURE_MODES, LATE_MODES = ('auto', 'cooperative', 'distance_association'), ('auto', 'late')
"""Values of ``fusion.mode`` with which features and with which boxes are fused."""
_MAX_HEIGHT_M = 10_000.0

EXECUTOR = Declaration(
    'single', 'what takes messages from the middleware: the SingleThreadedExecutor of rclpy, or its EventsExecutor, '
    'which is experimental and not in every rclpy; nodes of one process share it', choices=('single', 'events'))


@dataclass(frozen=True)
class CommonSettings:
    """Parameters of both nodes; ``__`` in a name stands for the dot of the ROS parameter."""

    autostart: bool = parameter(True, 'configure and activate by itself at start')
    weights: str = parameter('mini', 'model name, folder, or random:PRESET')
    device: str = parameter('cpu', 'where the network runs: cpu, cuda or cuda:N')
    execution: str = parameter(
        EXECUTIONS[0], 'the network arranged for speed, or as it is written; their results differ by rounding; int8: '
        'fast in 8-bit integers on a CPU, for models with measured activations; graph: CUDA graphs of fixed shapes, '
        'which have never run on a device', choices=EXECUTIONS)
    threads: int = parameter(1, 'CPU threads of the network', low=1, high=64)
    executor: str = EXECUTOR.field()
    map_frame: str = parameter('map', 'fixed frame that poses refer to')
    map_origin: str = parameter(
        '', 'latitude, longitude and height above the ellipsoid of the origin of map_frame (WGS 84; degrees, metres), '
        'separated by commas, needed for CPM')
    map_yaw: float = parameter(
        0.0, 'from east, counter-clockwise, to the x axis of map_frame', unit='deg', low=-360, high=360)
    lidar_frame: str = parameter('', 'frame of the network, needed with camera.source camera_info')
    camera__enabled: bool = parameter(
        True, 'look at images; false: at point clouds alone, of which each makes a frame')
    camera__source: str = parameter(
        'calibration', 'what the projection comes from: the exact Calibration, CameraInfo and the transform of its '
        'frame, or files', choices=('calibration', 'camera_info', 'file'))
    camera__files: str = parameter('', 'calibration files of the cameras in their order, separated by commas, needed '
                                   'with camera.source file')
    cameras: str = parameter('', 'names of several cameras, separated by commas, the anchor first; empty: one camera')
    cameras__topics: str = parameter('~/input/{name}', 'where the topics of each of several cameras stand, with its '
                                     'name in place of {name}')
    cameras__tolerance_ms: float = parameter(
        50.0, 'how far the images of one frame may lie apart', unit='ms', low=1.0, high=1000)
    image__rectified: bool | None = parameter(
        None, 'whether images are without distortion; must be stated with camera.source camera_info, '
        'otherwise the Calibration says it')
    image__transport: str = parameter(
        'compressed', 'which image topic to read; ffmpeg and foxglove are H.264 or H.265 video and need PyAV',
        choices=tuple(IMAGE_TRANSPORTS))
    image__qos: str = parameter('reliable', 'quality of service of sensor inputs', choices=('reliable', 'sensor_data'))
    lidar__enabled: bool = parameter(
        False, 'look at point clouds too, with the branch that the card of the model lists')
    lidar__max_age: float = parameter(
        0.05, 'how far the point cloud of a frame may lie from its image, longest wait for one', unit='s', low=0.001,
        high=1)
    lidar__intensity_scale: int = parameter(
        0, 'strongest return of the sensor, for intensities in whole numbers of a wide type none of which is above 1; '
        '0: 255 on the vehicle, 1 at the roadside', low=0, high=65535)
    features__reliability: str = parameter(
        'reliable', 'reliability of /infra/<unit>/features; a reliable receiver gets nothing from a best_effort unit',
        choices=('reliable', 'best_effort'))
    features__depth: int = parameter(
        5, 'messages of /infra/<unit>/features that are kept for a slow link', low=1, high=100)
    lockstep: bool = parameter(False, 'process every image in order and wait for what belongs to it (replay)')
    lockstep_timeout: float = parameter(20.0, 'longest wait for what belongs to an image', unit='s', low=0.1, high=600)
    markers__lifetime: float = parameter(
        LIFETIME_S, 'life of a marker, 0 for ever', unit='s', low=0.0, high=60, live=True)
    markers__colour_by: str = parameter('identity', 'what the colour of a track tells',
                                        choices=('identity', 'provenance'), live=True)
    markers__trail_seconds: float = parameter(
        3.0, 'length of the trails of tracks, 0 for none', unit='s', low=0.0, high=60, live=True)
    markers__label_height: float = parameter(
        LABEL_HEIGHT_M, 'height of the labels of tracks; 1.2 can be read from far above', unit='m', low=0.1, high=5,
        live=True)
    output__frame: str = parameter(
        '', 'frame that tracks, detections and tracked objects are given in at the stamp of the image: map_frame, or '
        'one of /tf; empty: lists in the frame of the network, tracked objects in map_frame. Without its transform '
        'nothing is published of a frame')
    output__min_score: float = parameter(
        0.0, 'tracks that score less are not published; 0 leaves it to the model', low=0.0, high=1.0, live=True)
    occupancy__enabled: bool = parameter(
        False, 'find class and identity of every voxel after the tracks are out, with the head that the card of the '
        'model lists')
    occupancy__min_voxels: int = parameter(
        1, 'things of fewer voxels are not published', low=1, high=10000, live=True)
    prediction__enabled: bool = parameter(False, 'publish tracks predicted to the present time as well', live=True)
    debug__image: bool = parameter(True, 'draw tracks into the image while somebody subscribes', live=True)
    diagnostics__period: float = parameter(1.0, 'time between diagnostic messages', unit='s', low=0.1, high=60)

    def map_place(self) -> MapPlace:
        """
        Return where the map is on the Earth.

        :raises UserError: if the parameter does not say it.
        """
        try:
            latitude, longitude, height_m = map(float, self.map_origin.split(','))
        except ValueError:
            latitude = longitude = height_m = math.nan
        if not (abs(latitude) < 90 and abs(longitude) <= 180 and abs(height_m) < _MAX_HEIGHT_M):
            raise UserError(f"parameter 'map_origin': '{self.map_origin}', expected latitude, longitude and height of "
                            'the origin of map_frame, as in 50.7753,6.0839,220, which CPM need')
        return MapPlace(Geodetic(latitude, longitude, height_m), math.radians(self.map_yaw))


@dataclass(frozen=True)
class RoadsideSettings(CommonSettings):
    """Parameters of the roadside node."""

    unit_id: str = parameter('rsu_1', 'name of the unit, as in the topic /infra/<unit>/features')
    features__encoding: str = ENCODING.field(live=True)
    features__compact: bool = parameter(
        True, 'leave out the positional embeddings, which receivers recompute that have the roadside weights of this '
        'model; false for receivers without them', live=True)
    features__max_instances: int = parameter(64, 'instances per message, the best by score', low=1, high=900, live=True)
    rate: float = parameter(10.0, 'nominal rate that the unit announces', unit='Hz', low=0.1, high=100)
    cpm__station_id: int = parameter(
        0, 'publish tracks as Collective Perception Messages of this station; 0: do not', low=0, high=4294967295)


@dataclass(frozen=True)
class EgoSettings(CommonSettings):
    """Parameters of the ego node."""

    infra_units: str = parameter(
        'rsu_1', 'names of the roadside units to listen to, separated by commas; NAME:tracked_objects and NAME:cpm are '
        'units that do not run our network, whose boxes alone are fused; NAME:cpm:STATION listens to one station of '
        'those that send there')
    fusion__mode: str = parameter('auto', 'auto falls back when messages are missing or unusable',
                                  choices=('auto', 'cooperative', 'distance_association', 'late', 'none'))
    fusion__late_rule: str = LATE_RULE.field()
    fusion__online_extrinsics: bool = parameter(
        False, 'online extrinsic calibration of units, from objects that both sides detect', live=True)
    fusion__compensation: str = COMPENSATION.field(
        default='model', choices=('model', *COMPENSATION.choices),
        description=f'{COMPENSATION.description}; model: as the card of the model says')
    fusion__max_infra_age_ms: float = parameter(
        0.0, 'oldest usable message; 0: 1000 where its age is compensated, otherwise 500', unit='ms', low=0, high=10000)
    fusion__roadside_lifetime: float = parameter(
        1.0, 'a track that the vehicle does not see itself ends when the last message that spoke of it is older',
        unit='s', low=0.1, high=3600)
    fusion__confirm_only: str = parameter(
        '', 'names of units, separated by commas, that may only confirm what the vehicle sees itself and never add '
        'objects')
    fusion__max_unit_rate: float = parameter(
        100.0, 'messages that are taken from one unit, on average over a second; more are dropped unread, but not '
        'with lockstep', unit='Hz', low=1, high=10000)
    fusion__pairs: bool = parameter(
        False, 'believe /infra/<unit>/pair, which players of recorded data send, also without lockstep: who publishes '
        'it says where the unit stands')
    fusion__max_instances: int = parameter(
        0, 'instances of one message, more are refused; 0: as many as the network has queries, since no sender knows '
        'more', low=0, high=900)
    fusion__max_received: int = parameter(
        0, 'instances of all units together that a frame looks at, the best of each unit; 0: as many as the network '
        'has queries', low=0, high=10000)
    fusion__max_added_per_unit: int = parameter(
        0, 'objects of one unit that the vehicle does not see itself, the best by score; 0: a fifth of the queries',
        low=0, high=900)
    fusion__max_added: int = parameter(
        0, 'the same of all units together; 0: what the objects of the vehicle and its floor of learned queries leave',
        low=0, high=900)
    fusion__time_budget_ms: float = parameter(
        100.0, 'when alignment and association have taken so long, a frame goes on without the units that are left; '
        'not with lockstep', unit='ms', low=1, high=60000)
    fusion__max_clock_skew_ms: float = parameter(50.0, 'how far a message may lie ahead', unit='ms', low=0, high=1000)
    pose__source: str = parameter('odometry', 'what poses come from: nav_msgs/Odometry, geometry_msgs/PoseStamped, '
                                  'or the transform of map_frame and base_frame', choices=('odometry', 'pose', 'tf'))
    base_frame: str = parameter('', 'frame of the vehicle whose pose is given; empty: the one that Calibration names')
    odometry__tolerance_ms: float = parameter(
        100.0, 'largest distance to the neighbouring poses between which is interpolated, longest wait for a pose',
        unit='ms', low=0, high=5000)

    def method_overrides(self) -> dict[str, Any]:
        """Return the switches of the model that the parameters set; None: as the model has it."""
        return {'association': 'distance' if self.fusion__mode == 'distance_association' else None,
                'compensation': None if self.fusion__compensation == 'model' else self.fusion__compensation,
                'roadside_lifetime_s': self.fusion__roadside_lifetime, 'max_received': self.fusion__max_received,
                'max_added': self.fusion__max_added, 'max_added_per_unit': self.fusion__max_added_per_unit,
                'fusion_time_s': float('inf') if self.lockstep else self.fusion__time_budget_ms / 1e3}

    def units(self) -> dict[str, str]:
        """
        Return the units to listen to, in ascending order, and what each sends, of ``wire.topics.UNIT_KINDS``.

        Behind ``cpm`` the number of the only station that counts may stand, as in ``cpm:4711``.

        :raises UserError: for a name that no unit can have, one that is there twice, or a type that is not known.
        """
        found: dict[str, str] = {}
        for entry in sorted({entry.strip() for entry in self.infra_units.split(',')} - {''}):
            name, colon, kind = (part.strip() for part in entry.partition(':'))
            check_name("parameter 'infra_units'", name)
            if colon and kind not in UNIT_KINDS and not re.fullmatch(rf'{CPM}:\d{{1,10}}', kind):
                raise UserError(f"parameter 'infra_units': '{kind}' is no type of a unit, expected "
                                f"{', '.join(UNIT_KINDS)} or {CPM}:STATION, as in {name}:{TRACKED_OBJECTS}")
            if name in found:
                raise UserError(f"parameter 'infra_units' names the unit '{name}' twice, with different types")
            found[name] = kind or FEATURES
        if self.fusion__mode == 'none':
            return {}
        foreign = [name for name, kind in found.items() if kind != FEATURES]
        if foreign and self.fusion__mode not in LATE_MODES:
            raise UserError(f"parameter 'infra_units': of {', '.join(foreign)} only boxes come, which fusion.mode "
                            f"'{self.fusion__mode}' does not fuse, expected {' or '.join(LATE_MODES)}")
        return dict(sorted(found.items()))

    def only_confirm(self, units: Collection[str]) -> set[str]:
        """
        Return the units that may add nothing.

        :raises UserError: for one that is not listened to, whose restriction would silently not hold.
        """
        names = {name.strip() for name in self.fusion__confirm_only.split(',')} - {''}
        if self.fusion__mode != 'none' and names - set(units):
            raise UserError(f"parameter 'fusion.confirm_only' names {', '.join(sorted(names - set(units)))}, which is "
                            f"not among the units that are listened to ({', '.join(units) or 'none'})")
        return names

    def max_infra_age_s(self, compensation: str) -> float:
        """Return the age of the oldest usable message; :param compensation: that of the model as it runs."""
        return (self.fusion__max_infra_age_ms or (500 if compensation == 'none' else 1000)) / 1e3


@dataclass(frozen=True)
class LinkEmulatorSettings(LinkConfig):
    """Parameters of the link emulator: those of the bad link, and of the node itself."""

    features__reliability: str = parameter(
        'reliable', 'reliability of both topics', choices=('reliable', 'best_effort'))
    features__depth: int = parameter(5, 'messages that are kept for a slow link', low=1, high=100)
    executor: str = EXECUTOR.field()
    diagnostics__period: float = parameter(1.0, 'time between diagnostic messages', unit='s', low=0.1, high=60)


def ros_name(item: Field) -> str:
    """Return the ROS parameter name of a settings field."""
    return item.name.replace('__', '.')


Settings = type[CommonSettings] | type[LinkEmulatorSettings]
_LEFT_TO_LAUNCH_FILES = {'cameras__topics'}
"""What launch files set below the parameter file: named there, but not set."""


def to_yaml(settings: Settings, node_name: str) -> str:
    """Return the parameter file of a node with all defaults and their meaning."""
    lines = [f'# Parameters of {node_name}: defaults. Made from nodes/settings.py by tools/make_configs.py.',
             '/**:', '  ros__parameters:']
    for item in fields(settings):
        meta, value = item.metadata, item.default
        text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else value
        # What has no default cannot be set to nothing either.
        text = 'true' if value is None else text
        indent = '    # ' if value is None or item.name in _LEFT_TO_LAUNCH_FILES else '    '
        notes = [f'[{meta["unit"]}]'] if meta['unit'] else []
        notes += [meta['description']]
        notes += [f'one of: {", ".join(meta["choices"])}'] if meta['choices'] else []
        notes += ['may change while running'] if meta['live'] else []
        lines.append(f'{indent}{ros_name(item)}: {text}  # {"; ".join(notes)}')
    return '\n'.join(lines) + '\n'
