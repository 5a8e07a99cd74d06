"""Received messages of one roadside unit: how many are taken, and which of them belongs to an ego frame."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from ..common.types import InstanceSet, RoadsideMessage
from ..common.uncertainty import TrackUncertainty
from .compensation import HISTORY_S, fitted_velocities
from .sessions import LONGEST_BURST, Sessions, StaleMessage

_AHEAD_NS = 1_000_000_000
"""What lies farther ahead after a jump of time is left over from before it."""
_MAX_RELATIONS = 200


@dataclass(frozen=True)
class UnitMessage:
    """
    A received, checked message of a unit; ``map_from_infra`` (4, 4) is the pose of its lidar frame.

    ``uncertainty`` is what it states of its boxes in that frame, None for nothing.
    """

    unit_id: str
    stamp_ns: int
    session: int
    sequence: int
    model_id: str
    instances: InstanceSet
    map_from_infra: np.ndarray
    uncertainty: TrackUncertainty | None = None

    def placed(self, ego_from_infra: np.ndarray, earlier: Sequence[UnitMessage] = ()) -> RoadsideMessage:
        """
        Return it with its place in the ego lidar frame.

        :param ego_from_infra: of the unit where this message says that it is;
        :param earlier: messages of the unit before it, see ``UnitBuffer.before``.
        """
        return RoadsideMessage(self.unit_id, self.stamp_ns, self.instances, ego_from_infra,
                               tuple(m.placed(self.carried(ego_from_infra, m.map_from_infra)) for m in earlier),
                               session=self.session, uncertainty=self.uncertainty)

    def carried(self, ego_from_infra: np.ndarray, map_from_then: np.ndarray) -> np.ndarray:
        """
        Return the relation (4, 4) of the vehicle with the unit at another of its poses, which is the same if it stands.

        :param ego_from_infra: with the unit where this message says; :param map_from_then: the other pose.
        """
        if np.array_equal(self.map_from_infra, map_from_then):
            return ego_from_infra
        return ego_from_infra @ np.linalg.inv(self.map_from_infra) @ map_from_then


@dataclass(frozen=True)
class PairingConfig:
    """How old a message may be, how far ahead its clock, and how many a unit may send."""

    max_infra_age_s: float = 0.5
    max_clock_skew_s: float = 0.05
    max_rate_hz: float = math.inf
    capacity: int = 32


class Numbered(Protocol):
    """What a buffer needs of a message."""

    stamp_ns: int
    session: int
    sequence: int


Kept = TypeVar('Kept', bound=Numbered)


class UnitBuffer(Generic[Kept]):
    """
    Keeps the last messages of a unit, and refuses those whose numbers cannot be true.

    Where there is no room for another one, what is farthest from the last frame that asked goes.
    """

    def __init__(self, config: PairingConfig):
        """Start empty."""
        self.config = config
        self.sessions = Sessions(config.max_rate_hz)
        self._messages: list[Kept] = []
        self._refused: deque[Kept] = deque(maxlen=config.capacity)
        self._asked_ns: int | None = None

    def add(self, message: Kept, now_s: float | None = None) -> bool:
        """
        Keep a message; return True if from now on another session of the unit counts.

        :param now_s: when it arrived, see ``Sessions.admit``.
        :raises StaleMessage: for a number that is a replay or cannot be, or a session that does not count.
        """
        known = self.sessions.alternations
        try:
            changed = self.sessions.admit(message.session, message.sequence, message.stamp_ns, now_s)
        except StaleMessage as error:
            if error.reason == 'replayed':
                self._refused.append(message)
            raise
        if self.sessions.alternations > known:
            later = self.sessions.later(message.session)
            self._messages = [m for m in self._messages if m.session not in later]
        self._messages.append(message)
        if len(self._messages) > self.config.capacity:
            now_ns = message.stamp_ns if self._asked_ns is None else self._asked_ns
            farthest = max(range(len(self._messages)), key=lambda i: abs(self._messages[i].stamp_ns - now_ns))
            del self._messages[farthest]
        return changed

    def at(self, stamp_ns: int) -> Kept | None:
        """Return the message with exactly this stamp."""
        return next((m for m in reversed(self._messages) if m.stamp_ns == stamp_ns), None)

    def before(self, message: Kept) -> list[Kept]:
        """Return the kept messages of the unit that tell how its objects came to where another one says, by stamp."""
        oldest = message.stamp_ns - round(HISTORY_S * 1e9)
        # Identities of objects hold within a session.
        return sorted((m for m in self._messages if oldest <= m.stamp_ns < message.stamp_ns
                       and m.session == message.session), key=lambda m: m.stamp_ns)

    def newest_for(self, ego_stamp_ns: int) -> Kept | None:
        """Return the newest message that is not younger than the ego frame (but for clock skew) nor too old."""
        self._asked_ns = ego_stamp_ns
        oldest = ego_stamp_ns - round(self.config.max_infra_age_s * 1e9)
        youngest = ego_stamp_ns + round(self.config.max_clock_skew_s * 1e9)
        usable = [m for m in self._messages if oldest <= m.stamp_ns <= youngest]
        return max(usable, key=lambda m: m.stamp_ns, default=None)

    def restart(self, stamp_ns: int) -> None:
        """
        Go on after a jump of time to ``stamp_ns``, as when a bag starts again.

        What lies ahead is forgotten. Messages that were refused as replays but belong to the new time are taken
        in: the unit's recorded numbers start again before the ego vehicle can know of the jump.
        """
        def fits(message: Kept) -> bool:
            return message.stamp_ns <= stamp_ns + _AHEAD_NS

        back = [m for m in self._refused if fits(m)]
        kept = [m for m in self._messages if fits(m) and m.sequence not in {b.sequence for b in back}]
        self._messages = [*kept, *back]
        self._refused.clear()
        self._asked_ns = stamp_ns
        self.sessions.restart({
            session: max((m.sequence, m.stamp_ns) for m in (back or kept) if m.session == session)
            for session in {m.session for m in (back or kept)}})


@dataclass(frozen=True)
class Received:
    """What is used for an ego frame: messages whose features are ``fused``, and ``late`` ones that give boxes only."""

    fused: tuple[RoadsideMessage, ...] = ()
    late: tuple[RoadsideMessage, ...] = ()

    @property
    def messages(self) -> tuple[RoadsideMessage, ...]:
        """Return all of them."""
        return *self.fused, *self.late


class UnitPairing:
    """What is known of one unit, and what of it belongs to an ego frame."""

    def __init__(self, unit_id: str, config: PairingConfig, model_id: str | None = None, may_create: bool = True):
        """
        Start without messages.

        :param model_id: of the only model whose features can be fused, None if boxes are all that is wanted.
        :param may_create: whether the unit may add objects, see ``RoadsideMessage``.
        """
        self.unit_id, self.config, self.model_id = unit_id, config, model_id
        self._buffer: UnitBuffer[UnitMessage] = UnitBuffer(config)
        self._may_create = may_create
        self._relations: OrderedDict[int, tuple[int, np.ndarray]] = OrderedDict()
        self._refused: deque[int] = deque(maxlen=_MAX_RELATIONS)
        self._motion: tuple[tuple, tuple[np.ndarray, np.ndarray]] | None = None

    def add(self, message: UnitMessage, now_s: float | None = None) -> bool:
        """Keep a message, see ``UnitBuffer.add``."""
        return self._buffer.add(message, now_s)

    @property
    def alternations(self) -> int:
        """Return how often a session of the unit went on that another one had followed."""
        return self._buffer.sessions.alternations

    def refuse(self, stamp_ns: int) -> None:
        """Note that a message cannot be used, so that nobody waits for it."""
        self._refused.append(stamp_ns)

    def relate(self, ego_ns: int, infra_ns: int, ego_from_infra: np.ndarray) -> None:
        """Store the exact relation of an ego frame and a roadside frame."""
        self._relations[ego_ns] = infra_ns, ego_from_infra
        while len(self._relations) > _MAX_RELATIONS:
            self._relations.popitem(last=False)

    def has_pair(self, ego_ns: int) -> bool:
        """Tell whether an exact relation is known for an ego frame."""
        return ego_ns in self._relations

    def paired_ns(self, ego_ns: int) -> int | None:
        """Return the stamp of the roadside frame that the pair of an ego frame names, None without a pair."""
        return self._relations.get(ego_ns, (None, None))[0]

    def is_settled(self, ego_ns: int) -> bool:
        """Tell whether the message that the pair of an ego frame names was taken or refused."""
        infra_ns = self._relations[ego_ns][0]
        return self._buffer.at(infra_ns) is not None or infra_ns in self._refused

    def message_for(self, ego_ns: int, map_from_ego_lidar: np.ndarray) -> tuple[RoadsideMessage | None, bool]:
        """
        Return the message to fuse with an ego frame, in the ego frame, and whether its features can be used.

        The exact relation is used when there is one: it holds for the message that it names, and for every one of a
        unit that does not move. Otherwise the pose of the unit and of the vehicle in the map.
        """
        infra_ns, ego_from_infra = self._relations.get(ego_ns, (None, None))
        # Asked in any case: what is kept depends on it.
        newest = self._buffer.newest_for(ego_ns)
        message = (self._buffer.at(infra_ns) if infra_ns else None) or newest
        if message is None:
            return None, False
        earlier = self._buffer.before(message)
        moves = any(not np.array_equal(m.map_from_infra, message.map_from_infra) for m in earlier)
        if ego_from_infra is None or (moves and message.stamp_ns != infra_ns):
            ego_from_infra = np.linalg.inv(map_from_ego_lidar) @ message.map_from_infra
        has_features = message.instances.semantic.shape[1] > 0 or not len(message.instances)
        placed = self._with_motion(message, message.placed(ego_from_infra, earlier))
        return replace(placed, may_create=self._may_create), message.model_id == self.model_id and has_features

    def _with_motion(self, message: UnitMessage, placed: RoadsideMessage) -> RoadsideMessage:
        """Return a placed message with how its objects move, worked out once for all frames that use it."""
        # A message that was late may still come between the earlier ones.
        known = message.session, message.sequence, tuple(earlier.stamp_ns for earlier in placed.earlier)
        if self._motion is None or self._motion[0] != known:
            self._motion = known, fitted_velocities(placed)
        return replace(placed, motion=self._motion[1])

    def restart(self, stamp_ns: int) -> None:
        """Go on after a jump of time to a stamp."""
        self._buffer.restart(stamp_ns)


class RateLimit:
    """A token bucket: ``rate_hz`` on average, bursts of as many as come within a second at that rate, at most 20."""

    def __init__(self, rate_hz: float):
        """Start with a full bucket."""
        self._rate_hz = rate_hz
        self._burst = rate_hz if math.isinf(rate_hz) else min(max(rate_hz, 1.0), LONGEST_BURST)
        self._tokens, self._at_s = self._burst, None

    def allows(self, now_s: float) -> bool:
        """Tell whether one more may happen; :param now_s: steady clock."""
        if self._at_s is not None and now_s > self._at_s:
            self._tokens = min(self._tokens + (now_s - self._at_s) * self._rate_hz, self._burst)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
