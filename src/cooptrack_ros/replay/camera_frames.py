"""Which messages of a bag make a frame of an agent: an image of each of its cameras, of one stamp, or a point cloud."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..common.errors import UserError
from ..common.types import Sensors
from ..wire.topics import (
    EGO_NAMESPACE,
    POINTS,
    camera_of,
    find_images,
    image_topic,
    split_unit_topic,
    unit_namespace,
)

EGO = ''
"""Stands for the vehicle where units have their names."""
_ONLY = 'camera'
"""Name of an agent's only camera."""


class ImageTopic(NamedTuple):
    """
    Where a camera gives its images; ``agent`` is the name of a unit, or ``EGO``.

    For an agent without cameras, where its lidar gives the clouds that make frames; no transport and camera then.
    """

    topic: str
    transport: str
    agent: str
    camera: str


class CameraFrames:
    """The cameras of each agent of a bag, or its lidar, and what has come of the frames that are not complete yet."""

    def __init__(self, topics: Iterable[str], sensors: Sensors = Sensors.CAMERA):
        """
        Take the names of the topics of a bag; of a camera with several transports one counts.

        :param sensors: of all agents: without cameras every point cloud makes a frame.
        """
        self._names, self._sensors = set(topics), sensors
        self.images = self._find_images() if sensors.has_camera else {
            agent: [ImageTopic(topic, '', agent, '')] for agent, name, topic in self._split() if name == POINTS}
        """Of each agent that has any, in the order of the names of the cameras; of an only camera, its alone."""
        self._by_topic = {image.topic: image for images in self.images.values() for image in images}
        self._come: dict[str, dict[int, set[str]]] = defaultdict(dict)

    def _split(self) -> list[tuple[str, str, str]]:
        """Return agent, name below its namespace, and topic, in the order of the agents."""
        return sorted((*(split_unit_topic(topic) or (EGO, topic.removeprefix(f'{EGO_NAMESPACE}/'))), topic)
                      for topic in self._names)

    def _find_images(self) -> dict[str, list[ImageTopic]]:
        found = defaultdict(set)
        for agent, name, _ in self._split():
            camera = camera_of(name)
            if camera is not None:
                found[agent].add(camera)
        return {agent: [ImageTopic(*find_images(namespace_of(agent), self._names, camera), agent, camera)
                        for camera in sorted({_ONLY} & cameras or cameras)]
                for agent, cameras in found.items()}

    def check(self, path: Path) -> None:
        """Raise a UserError if a sensor of the vehicle gives nothing; :param path: of the bag."""
        below = f'{EGO_NAMESPACE}/'
        if self._sensors.has_camera and EGO not in self.images:
            raise UserError(f'{path}: no images on {below}{image_topic()} or {below}{image_topic("camera_NAME")}; '
                            'is this a bag of `cooptrack bag convert`?')
        if self._sensors.has_lidar and f'{below}{POINTS}' not in self._names:
            raise UserError(f'{path}: no point clouds on {below}{POINTS}; is this a bag of `cooptrack bag convert`?')

    @property
    def units(self) -> list[str]:
        """Roadside units that make frames, in ascending order."""
        return [unit for unit in self.images if unit != EGO]

    def agent_of(self, topic: str) -> str | None:
        """Return the unit whose frames a topic makes, ``EGO`` for the vehicle, None for other topics."""
        image = self._by_topic.get(topic)
        return None if image is None else image.agent

    def counted_for(self, topic: str) -> str | None:
        """Return the agent that has as many frames as images there: of one camera of each agent; None for others."""
        agent = self.agent_of(topic)
        return agent if agent is not None and topic == self.images[agent][0].topic else None

    def completes(self, topic: str, stamp_ns: int) -> bool:
        """Take in a message; tell whether it is the last one of its frame."""
        agent = self._by_topic[topic].agent
        frames = self._come[agent]
        come = frames.setdefault(stamp_ns, set())
        come.add(topic)
        is_complete = len(come) == len(self.images[agent])
        if is_complete:
            # What is older stays incomplete.
            self._come[agent] = {stamp: others for stamp, others in frames.items() if stamp > stamp_ns}
        return is_complete


def namespace_of(agent: str) -> str:
    """Return the namespace of a unit or of ``EGO``."""
    return EGO_NAMESPACE if agent == EGO else unit_namespace(agent)
