"""Writes ROS messages to an mcap bag that appears only when it is complete."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rclpy.serialization import serialize_message
from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import StoragePlugin, Writer

from ...common.errors import UserError
from ...wire.topics import kind_name
from .types import VOLATILE, typestore


class BagWriter:
    """
    A new bag; use as a context manager.

    Everything is written beside the target and moved there at the end, so that a failure or an interruption
    leaves nothing that looks like a bag.
    """

    def __init__(self, path: Path) -> None:
        """Prepare a bag; raise a UserError if there is something at ``path``."""
        if path.exists():
            raise UserError(f'{path} exists already: give another place or remove it')
        self._path = path
        self._types = typestore()
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        """Open the bag in a temporary folder of the same file system."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(prefix=f'.{self._path.name}.', dir=self._path.parent))
        except OSError as error:
            raise UserError(f'{self._path} cannot be written: {error.strerror}') from error
        # The mcap file takes the name of its folder, hence a folder of the final name inside.
        self._writer = Writer(self._scratch / self._path.name, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        return self

    def write(self, topic: str, message: Any, log_ns: int, qos: Qos = VOLATILE) -> None:
        """Append a message; the first one of a topic settles its type and quality of service."""
        self.write_serialized(topic, kind_name(type(message)), serialize_message(message), log_ns, qos)

    def write_serialized(self, topic: str, kind: str, data: bytes, log_ns: int, qos: Qos = VOLATILE) -> None:
        """Append a serialized message of a type like ``nav_msgs/msg/Odometry``."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._types, offered_qos_profiles=[qos])
        with self._disk_errors():
            self._writer.write(self._connections[topic], log_ns, data)

    def set_custom_data(self, key: str, value: str) -> None:
        """Put a text into the metadata of the bag."""
        self._writer.set_custom_data(key, value)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bag and move it to its place, or remove what was written."""
        try:
            if kind is None:
                with self._disk_errors():
                    self._writer.close()
                    self._writer.path.rename(self._path)
            else:
                with suppress(OSError):
                    self._writer.abort()
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f'{self._path} cannot be written: {error.strerror}; nothing is left of it') from error
