"""What units that do not run our network say of objects, in the form that late fusion takes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.geometry import make_pose, transform_boxes
from ..common.types import Boxes, InstanceSet
from ..common.uncertainty import TrackUncertainty
from .pairing import UnitMessage

TICKS_PER_S = 100
"""Foreign messages carry no numbers: their stamps count in these parts of a second, as one number each."""
_MAX_DISTANCE_M = 1000.0
"""What a sender speaks of lies within this of the origin of its frame."""
_MAX_KNOWN, _MAX_SENDERS = 65536, 64
_SESSION_BITS = 32
NOT_STATED = 1e4
"""Variance (m^2, (m/s)^2, 100 m or m/s each) of what a sender does not state beside a position that it is sure of."""
LEAST_STD_M, LEAST_STD_RAD = 0.01, 1e-3
"""Smaller standard deviations are not believed: their inverse would leave no room for anybody else."""

_CLASSES = {
    'car': ('car',), 'truck': ('truck', 'car'), 'bus': ('bus', 'car'), 'trailer': ('trailer', 'truck', 'car'),
    'motorcycle': ('motorcycle', 'motorcyclist', 'bicycle', 'cyclist'), 'bicycle': ('bicycle', 'cyclist'),
    'pedestrian': ('pedestrian',)}
"""Classes of models that may stand for what others call something, the closest first (as V2X-Seq-SPD joins them)."""


def label_of(kind: str, class_names: Sequence[str]) -> int:
    """Return the index of the class of a model that stands for a kind of object, -1 if none does."""
    names = [name.lower() for name in class_names]
    return next((names.index(name) for name in _CLASSES.get(kind, ()) if name in names), -1)


@dataclass(frozen=True)
class ForeignObjects:
    """
    What a sender says of N objects in one message.

    ``boxes`` stand in the map at ``stamp_ns``; their identities hold within ``session``, a number that the sender has
    for itself. ``uncertainty`` is in the axes of the map. ``place`` (3,) is where the sender is, None if it does not
    say. ``no_class`` counts objects of classes that the model does not know, which are left out.
    """

    stamp_ns: int
    boxes: Boxes
    uncertainty: TrackUncertainty
    session: int = 0
    place: np.ndarray | None = None
    no_class: int = 0


class Numbers:
    """Small numbers for identities of any kind, in order of appearance; the same again while it is remembered."""

    def __init__(self) -> None:
        """Start with 1."""
        self._known: OrderedDict[Hashable, int] = OrderedDict()
        self._next = 1

    def of(self, identity: Hashable) -> int:
        """Return the number of an identity."""
        if identity not in self._known:
            self._known[identity], self._next = self._next, self._next + 1
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(identity)
        return self._known[identity]


class LocalFrames:
    """
    A frame for each sender, with the axes of the map and its origin near what it speaks of.

    Maps may begin a hundred kilometres away, where a small turn is a long way. A frame stays as it is, so that earlier
    messages mean the same places; a sender that has driven out of it gets another one, and with it a new session.
    """

    def __init__(self) -> None:
        """Know of no sender."""
        self._known: OrderedDict[int, tuple[int, np.ndarray]] = OrderedDict()
        self._count = 0

    def message(self, unit_id: str, objects: ForeignObjects) -> UnitMessage:
        """Return what a sender said as a message of a unit."""
        session, origin = self._frame(objects)
        map_from_unit = make_pose(np.eye(3), origin)
        boxes = transform_boxes(np.linalg.inv(map_from_unit), objects.boxes)
        return UnitMessage(unit_id, objects.stamp_ns, session, objects.stamp_ns * TICKS_PER_S // 10**9, '',
                           InstanceSet.of_boxes(boxes), map_from_unit, objects.uncertainty)

    def _frame(self, objects: ForeignObjects) -> tuple[int, np.ndarray]:
        centre = objects.place
        if centre is None and len(objects.boxes):
            centre = objects.boxes.centre.mean(0)
        count, origin = self._known.get(objects.session, (0, None))
        if origin is None or (centre is not None and np.linalg.norm(centre - origin) > _MAX_DISTANCE_M):
            self._count += 1
            count, origin = self._count, np.zeros(3) if centre is None else np.round(centre)
            self._known[objects.session] = count, origin
            while len(self._known) > _MAX_SENDERS:
                self._known.popitem(last=False)
        self._known.move_to_end(objects.session)
        return count << _SESSION_BITS | objects.session, origin
