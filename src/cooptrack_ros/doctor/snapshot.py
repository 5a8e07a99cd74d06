"""What ``cooptrack doctor`` has seen of a ROS system, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..nodes.health.silence import Endpoint, Wanted


@dataclass(frozen=True)
class NodeSeen:
    """
    One of our nodes.

    ``role`` is ``ego`` or ``roadside``; ``state`` that of its life cycle, empty if it did not answer; ``parameters``
    by name, as far as they are known.
    """

    name: str
    role: str
    state: str
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Wanted, ...] = ()


@dataclass
class TopicSeen:
    """
    One topic that was listened to.

    ``stamps_ns`` are those of the headers in order of arrival, for types that start with one; ``count`` counts all
    messages, ``model_id`` is that of the last one with features or tracks. ``refused`` of them could not be read,
    ``refusal`` says why the last one could not.
    """

    kind: str
    publishers: list[Endpoint] = field(default_factory=list)
    stamps_ns: list[int] = field(default_factory=list)
    count: int = 0
    model_id: str = ''
    refused: int = 0
    refusal: str = ''


@dataclass(frozen=True)
class StatusSeen:
    """The last words of one entry of /diagnostics; ``level`` is 0 OK, 1 WARN, 2 ERROR, 3 STALE."""

    name: str
    level: int
    message: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """
    Everything the findings are made of.

    ``topics`` has the inputs and tracks of our nodes by full name, ``published`` the types of all published topics;
    ``other_nodes`` are full names; ``twins`` counts nodes of ours that share a name; ``now_ns`` is the machine's clock
    at the end; ``shm_free_bytes`` None: no /dev/shm.
    """

    seconds: float
    domain_id: int
    rmw: str
    environment: dict[str, str]
    now_ns: int
    nodes: tuple[NodeSeen, ...] = ()
    other_nodes: tuple[str, ...] = ()
    topics: dict[str, TopicSeen] = field(default_factory=dict)
    published: dict[str, list[str]] = field(default_factory=dict)
    statuses: tuple[StatusSeen, ...] = ()
    shm_free_bytes: int | None = None
    twins: dict[str, int] = field(default_factory=dict)
