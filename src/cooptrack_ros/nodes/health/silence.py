"""Explains why nothing comes on a topic: from plain data of the ROS graph to words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ...wire.topics import IMAGE_TRANSPORTS, transport_of, without_transport

_FEATURES = 'cooptrack_msgs/msg/InstanceFeatureArray'
BEST_EFFORT_VALUES = {'image.qos': 'sensor_data', 'features.reliability': 'best_effort'}
"""Parameters that set a reliability, with the value that also takes what is published with best effort."""
_MAX_SUGGESTIONS = 3
_DEBUG = '/debug/'
TWIN_ADVICE = ('their topics, parameters and services are mixed up: stop one of them, or give it another name or '
               'namespace (-r __ns:=/other)')
_LARGE_DATA = 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA'


@dataclass(frozen=True)
class Endpoint:
    """One publisher or subscription: full node name, type, ``reliable`` or ``best_effort``, durability."""

    node: str
    kind: str
    reliability: str
    durability: str

    def __str__(self) -> str:
        """Return node and quality of service."""
        return f'{self.node} ({self.reliability}, {self.durability})'


@dataclass(frozen=True)
class Wanted:
    """
    What a node listens to.

    ``name`` is the topic as a remapping would name it, ``topic`` its full name; ``qos_parameter`` is the parameter
    that sets the reliability, a key of ``BEST_EFFORT_VALUES``, empty if there is none.
    """

    what: str
    name: str
    topic: str
    kind: str
    reliability: str
    durability: str
    qos_parameter: str = ''


@dataclass(frozen=True)
class Explanation:
    """Why nothing comes: what was found, what to change, and whether the two sides can never match."""

    evidence: str
    advice: str
    is_conflict: bool = False


def explain(wanted: Wanted, publishers: Sequence[Endpoint], topics: Mapping[str, Sequence[str]],
            domain_id: int) -> Explanation:
    """
    Return why a topic may be silent.

    :param publishers: of this topic; :param topics: types of all topics that have a publisher, by full name.
    """
    if not publishers:
        return _without_publisher(wanted, topics, domain_id)
    others = [p for p in publishers if p.kind != wanted.kind]
    if len(others) == len(publishers):
        return Explanation(f'{_names(others)} publishes {others[0].kind} there, wanted is {wanted.kind}',
                           _advice_on_kind(wanted, wanted.topic, others[0].kind), True)
    fitting = [p for p in publishers if p.kind == wanted.kind]
    conflicts = [(p, problem) for p in fitting if (problem := _conflict(wanted, p))]
    if len(conflicts) == len(fitting):
        return Explanation('; '.join(f'publisher {p.node} {problem[0]}' for p, problem in conflicts),
                           '; '.join(dict.fromkeys(problem[1] for _, problem in conflicts)), True)
    able = [p for p in fitting if not _conflict(wanted, p)]
    advice = f'check that {_names(able)} really sends (`ros2 topic hz {wanted.topic}`)'
    if 'best_effort' in (wanted.reliability, able[0].reliability) and transport_of(wanted.kind):
        advice += f'; best effort loses large images: set {_LARGE_DATA} on both sides, or use reliable'
    return Explanation(f"it matches the publisher {', '.join(map(str, able))}, but nothing comes", advice)


def _without_publisher(wanted: Wanted, topics: Mapping[str, Sequence[str]], domain_id: int) -> Explanation:
    near = near_misses(wanted.topic, wanted.kind, topics)
    if near:
        return Explanation(f"nobody publishes it, but {', '.join(near)} {'has' if len(near) == 1 else 'have'} its type",
                           _advice_on_name(wanted, near[0]))
    for other in (t.kind for t in IMAGE_TRANSPORTS.values() if transport_of(wanted.kind) and t.kind != wanted.kind):
        near = near_misses(wanted.topic, other, topics)
        if near:
            return Explanation(f"nobody publishes it, but there is {', '.join(near)} of type {other}",
                               _advice_on_kind(wanted, near[0], other))
    return Explanation('nobody publishes it, nor any topic of its type',
                       f'start its publisher; if it runs: the same ROS_DOMAIN_ID (here {domain_id}) and '
                       'ROS_AUTOMATIC_DISCOVERY_RANGE on both sides?')


def near_misses(topic: str, kind: str, topics: Mapping[str, Sequence[str]]) -> list[str]:
    """Return up to three other topics of a type, those with the most similar names first; debug outputs are none."""
    others = [name for name, kinds in topics.items() if kind in kinds and name != topic and _DEBUG not in name]
    return sorted(others, key=lambda name: (-SequenceMatcher(None, topic, name).ratio(), name))[:_MAX_SUGGESTIONS]


def _names(endpoints: Sequence[Endpoint]) -> str:
    return ', '.join(dict.fromkeys(p.node for p in endpoints))


def _conflict(wanted: Wanted, publisher: Endpoint) -> tuple[str, str] | None:
    """Return what is incompatible and what to change, None if the two match."""
    if wanted.reliability == 'reliable' and publisher.reliability == 'best_effort':
        change = f'let {publisher.node} publish reliable'
        if wanted.qos_parameter:
            change = f'set {wanted.qos_parameter} to {BEST_EFFORT_VALUES[wanted.qos_parameter]}, or {change}'
        return 'offers best_effort, this node asks for reliable', change
    if wanted.durability == 'transient_local' and publisher.durability == 'volatile':
        return ('offers volatile, this node asks for transient_local',
                f'let {publisher.node} publish latched (transient_local)')
    return None


def _advice_on_name(wanted: Wanted, found: str) -> str:
    if wanted.kind == _FEATURES:
        return f"name the unit '{found.split('/')[2]}' in infra_units, or start unit '{wanted.topic.split('/')[2]}'"
    return f'remap {wanted.name}:={found}'


def _advice_on_kind(wanted: Wanted, found: str, kind: str) -> str:
    value = transport_of(kind)
    if transport_of(wanted.kind) and value:
        name = without_transport(wanted.name) + IMAGE_TRANSPORTS[value].suffix
        return f'set image.transport to {value} and remap {name}:={found}'
    return f'remap {wanted.name} to a topic of type {wanted.kind}, or rename the other publisher'
