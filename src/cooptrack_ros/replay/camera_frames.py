"""Which images of a bag make a frame of an agent: one of each of its cameras, of one stamp."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ..wire.topics import EGO_NAMESPACE, camera_of, find_images, split_unit_topic, unit_namespace

EGO = ''
"""Stands for the vehicle where units have their names."""
_ONLY = 'camera'
"""Name of an agent's only camera."""


class ImageTopic(NamedTuple):
    """Where a camera gives its images; ``agent`` is the name of a unit, or ``EGO``."""

    topic: str
    transport: str
    agent: str
    camera: str


class CameraFrames:
    """The cameras of each agent of a bag, and what has come of the frames that are not complete yet."""

    def __init__(self, topics: Iterable[str]):
        """Take the names of the topics of a bag; of a camera with several transports one counts."""
        names, found = set(topics), defaultdict(set)
        for topic in names:
            agent, name = split_unit_topic(topic) or (EGO, topic.removeprefix(f'{EGO_NAMESPACE}/'))
            camera = camera_of(name)
            if camera is not None:
                found[agent].add(camera)
        self.images = {agent: [ImageTopic(*find_images(_namespace(agent), names, camera), agent, camera)
                               for camera in sorted({_ONLY} & cameras or cameras)]
                       for agent, cameras in sorted(found.items())}
        """Of each agent that has any, in the order of the names of the cameras; of an only camera, its alone."""
        self._by_topic = {image.topic: image for images in self.images.values() for image in images}
        self._come: dict[str, dict[int, set[str]]] = defaultdict(dict)

    @property
    def units(self) -> list[str]:
        """Roadside units that have images, in ascending order."""
        return [unit for unit in self.images if unit != EGO]

    def agent_of(self, topic: str) -> str | None:
        """Return the unit that an image topic belongs to, ``EGO`` for the vehicle, None for other topics."""
        image = self._by_topic.get(topic)
        return None if image is None else image.agent

    def counted_for(self, topic: str) -> str | None:
        """Return the agent that has as many frames as images there: of one camera of each agent; None for others."""
        agent = self.agent_of(topic)
        return agent if agent is not None and topic == self.images[agent][0].topic else None

    def completes(self, topic: str, stamp_ns: int) -> bool:
        """Take in an image; tell whether it is the last one of its frame."""
        agent = self._by_topic[topic].agent
        frames = self._come[agent]
        come = frames.setdefault(stamp_ns, set())
        come.add(topic)
        is_complete = len(come) == len(self.images[agent])
        if is_complete:
            # What is older stays incomplete.
            self._come[agent] = {stamp: others for stamp, others in frames.items() if stamp > stamp_ns}
        return is_complete


def _namespace(agent: str) -> str:
    return EGO_NAMESPACE if agent == EGO else unit_namespace(agent)
