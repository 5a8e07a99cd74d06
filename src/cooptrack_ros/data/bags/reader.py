"""Reads bags; whatever is wrong with one is reported as an error that names it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from ...common.errors import UserError
from .types import typestore


class BagReader:
    """A bag of either storage format; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Name the bag."""
        self._path = path

    def __enter__(self) -> BagReader:
        """
        Open the bag.

        :raises UserError: if it cannot be read.
        """
        with _errors_of(self._path):
            self._reader = Reader(self._path)
            self._reader.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bag."""
        self._reader.close()

    @property
    def connections(self) -> list[Connection]:
        """Topics with type and quality of service."""
        return self._reader.connections

    def messages(self, connections: Collection[Connection], start_ns: int | None = None,
                 stop_ns: int | None = None) -> Iterator[tuple[Connection, int, bytes]]:
        """
        Yield the messages of some connections (none: nothing) in order of log time, within [start, stop).

        :raises UserError: at the first one that cannot be read.
        """
        # Without connections the library would give everything.
        messages = self._reader.messages(connections, start_ns, stop_ns) if connections else iter(())
        while True:
            with _errors_of(self._path):
                found = next(messages, None)
            if found is None:
                return
            connection, log_ns, data = found
            yield connection, log_ns, bytes(data)

    def deserialize(self, connection: Connection, data: bytes) -> Any:
        """
        Return a message.

        :raises UserError: if the bytes are none of its type.
        """
        with _errors_of(self._path):
            return typestore().deserialize_cdr(data, connection.msgtype)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The library lets through whatever broken bytes cause inside it.
        raise UserError(f'{path} cannot be read as a ROS 2 bag: {str(error) or repr(error)}') from error
