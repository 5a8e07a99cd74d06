"""Covariances and probabilities of tracks from what was fitted on other scenes: see ``docs/uncertainty.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.geometry import nearest_rotation
from ..common.types import Boxes, Provenance, RoadsideMessage, Side
from ..common.uncertainty import TrackUncertainty
from ..cooperation.late_fusion import ROADSIDE_FIRST_ID
from .identities import TrackAges

POSITION, SIZE, VELOCITY = ('radial', 'tangential', 'up'), ('length', 'width', 'height'), ('along', 'across')
SPREADS = (*POSITION, 'heading', *SIZE, *VELOCITY)
"""What has a standard deviation: the centre along and across the line of sight of the agent that says it and upwards,
m; the heading modulo half a turn, rad; the size, m; the velocity along and across the heading, m/s."""
CHANCES = ('existence', 'flip')
"""What has a probability: that there is an object, and that its heading is opposite."""
FACTS = ('range_m', 'score', 'age_s', 'speed_mps', 'alone')
"""What spreads and probabilities depend on beside class and source: the speed is that of the track, 0 if unknown;
alone is 1 in frames without a message of any unit, where it says nothing that nobody else sees an object."""
SOURCES = tuple((side, source) for side in (Side.VEHICLE, Side.COOPERATIVE) for source in Provenance) + (
    (Side.ROADSIDE, Provenance.ROADSIDE),)
"""Networks, and whom their tracks can come from."""
_RANGE_M = 20.0
"""At this range the first feature is 0."""
_LEAST = 1e-3


@dataclass(frozen=True)
class Line:
    """A number that is linear in the features of a track: the constant of its class (K,), NaN: unknown; and slopes."""

    constants: np.ndarray
    slopes: np.ndarray

    def at(self, labels: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return the numbers (N,) for labels (N,) and features (N, 5)."""
        return self.constants[labels] + features @ self.slopes


@dataclass(frozen=True)
class SourceModel:
    """
    Of tracks of one source: lines of log standard deviations and of log odds, by name.

    ``limits`` (5, 2) are the lowest and highest ``FACTS`` that were seen; beyond them the nearest one counts.
    """

    limits: np.ndarray
    spreads: Mapping[str, Line]
    chances: Mapping[str, Line]


@dataclass(frozen=True)
class UncertaintyModel:
    """What was fitted for a model, by network and source; sources with too few tracks are missing."""

    sources: Mapping[tuple[Side, Provenance], SourceModel]

    def of(self, boxes: Boxes, sources: Sequence[tuple[Side, Provenance]], age_s: np.ndarray,
           origin: np.ndarray, alone: bool = False) -> TrackUncertainty:
        """
        Return what is stated of N boxes, in their frame.

        :param sources: of each; :param age_s: (N,) since they were reported first, NaN: nothing is stated.
        :param origin: (2,) or (3,) place of the agent in that frame; :param alone: no message was used.
        """
        result = TrackUncertainty.unknown(len(boxes))
        for source in set(sources) & self.sources.keys():
            rows = np.flatnonzero([s == source for s in sources] & np.isfinite(age_s))
            sight = boxes.centre[rows, :2] - np.asarray(origin)[:2]
            facts = facts_of(sight, boxes[rows], age_s[rows], alone)
            result = result.with_rows(rows, self.of_facts(
                source, boxes.label[rows], facts, np.arctan2(sight[:, 1], sight[:, 0]), boxes.yaw[rows]))
        return result

    def of_facts(self, source: tuple[Side, Provenance], label: np.ndarray, facts: np.ndarray, sight: np.ndarray,
                 yaw: np.ndarray) -> TrackUncertainty:
        """
        Return the same for N tracks of one source.

        :param facts: (N, 5), see ``FACTS``; :param sight: (N,) rad, direction from the agent to the track.
        :param yaw: (N,) of the boxes, in the same frame.
        """
        model = self.sources.get(source)
        if model is None:
            return TrackUncertainty.unknown(len(label))
        features = features_of(facts, model.limits)
        variance = {name: np.exp(2 * line.at(label, features)) for name, line in model.spreads.items()}
        chance = {name: 1 / (1 + np.exp(-line.at(label, features))) for name, line in model.chances.items()}
        position = np.zeros((len(label), 3, 3))
        position[:, :2, :2] = along_and_across(sight, variance['radial'], variance['tangential'])
        position[:, 2, 2] = variance['up']
        return TrackUncertainty(
            chance['existence'], position, variance['heading'], chance['flip'],
            np.column_stack([variance[name] for name in SIZE]),
            along_and_across(yaw, *(variance[name] for name in VELOCITY)))


class StatedTracks:
    """What one agent states of its tracks, frame by frame: since when it reports them, and how sure it is of them."""

    def __init__(self, model: UncertaintyModel | None, network: Side, adds: bool = False):
        """
        Start without tracks.

        :param model: None: only ages are known; :param network: that the agent runs.
        :param adds: whether it is the vehicle's in frames without a message, see ``MethodConfig.cooperation``.
        """
        self._model, self._network, self._alone = model, network, Side.VEHICLE if adds else network
        self.restart()

    def restart(self) -> None:
        """Forget all tracks."""
        self._ages = TrackAges()
        self._units: dict[tuple[str, int], TrackAges] = {}

    def of(self, tracks: Boxes, provenance: np.ndarray, published: np.ndarray, stamp_ns: int,
           ego_from_lidar: np.ndarray, alone: bool = False) -> tuple[np.ndarray, TrackUncertainty | None]:
        """
        Return the ages (N,) of tracks in s, NaN for those that are not published, and what is stated of them.

        Boxes of late fusion are what they are whatever network runs beside it: those of the vehicle's without features.

        :param provenance: (N,) of ``Provenance``; :param published: (N,) bool.
        :param ego_from_lidar: 4x4, for the frame that the tracks are in; :param alone: no message was used.
        """
        age_s = np.full(len(tracks), np.nan)
        age_s[published] = self._ages.observe(tracks.track_id[published], stamp_ns)
        if self._model is None:
            return age_s, None
        beside = Side.ROADSIDE if self._network is Side.ROADSIDE else Side.VEHICLE
        network = self._alone if alone else self._network
        sources = [(beside if track >= ROADSIDE_FIRST_ID else network, Provenance(source))
                   for track, source in zip(tracks.track_id.tolist(), provenance.tolist(), strict=True)]
        return age_s, self._model.of(tracks, sources, age_s, np.linalg.inv(ego_from_lidar)[:3, 3], alone)

    def of_units(self, messages: Sequence[RoadsideMessage], stamp_ns: int) -> TrackUncertainty:
        """
        Return what is known of all boxes of messages, one message after the other, in the ego lidar frame at a time.

        That is what a unit states itself, or what is known of its network.
        """
        parts = [TrackUncertainty.unknown(0)]
        for message in messages:
            boxes, stated = message.instances.boxes, message.uncertainty
            ages = self._units.setdefault((message.unit_id, message.session), TrackAges())
            age_s = ages.observe(boxes.track_id, message.stamp_ns)
            if stated is None and self._model is not None:
                source = [(Side.ROADSIDE, Provenance.ROADSIDE)] * len(boxes)
                stated = self._model.of(boxes, source, age_s, np.zeros(3))
            stated = (stated or TrackUncertainty.unknown(len(boxes))).moved((stamp_ns - message.stamp_ns) / 1e9)
            parts.append(stated.rotated(nearest_rotation(message.ego_from_infra[:3, :3])))
        return TrackUncertainty.concatenate(parts)


def facts_of(sight: np.ndarray, boxes: Boxes, age_s: np.ndarray, alone: bool) -> np.ndarray:
    """Return the ``FACTS`` (N, 5) of tracks; :param sight: (N, 2) m, from the agent to each."""
    speed = np.linalg.norm(np.nan_to_num(boxes.velocity), axis=1)
    return np.column_stack([np.linalg.norm(sight, axis=1), boxes.score, age_s, speed, np.full(len(boxes), alone)])


def features_of(facts: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the features (N, 5) of ``FACTS`` (N, 5) within their limits (5, 2): nothing is extrapolated."""
    range_m, score, age_s, speed, alone = np.clip(facts, *limits.T).T
    score = np.clip(score, _LEAST, 1 - _LEAST)
    return np.column_stack([np.log(np.maximum(range_m, 1.0) / _RANGE_M), np.log(score / (1 - score)), np.log1p(age_s),
                            np.log1p(speed), alone])


def along_and_across(angle: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return the covariances (N, 2, 2) with variances (N,) along directions (N,) rad and across them."""
    c, s = np.cos(angle), np.sin(angle)
    xy = c * s * (along - across)
    return np.stack([np.stack([c * c * along + s * s * across, xy], -1),
                     np.stack([xy, s * s * along + c * c * across], -1)], -2)
