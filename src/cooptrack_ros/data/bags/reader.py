"""Reads bags; whatever is wrong with one is reported as an error that names it."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection, Qos, QosDurability
from rosbags.rosbag2 import Reader

from ...common.errors import UserError
from .types import LATCHED, VOLATILE, is_always_latched, typestore
from .unpacking import bound_library, bounded_zstd, check_chunks, check_database, check_folder

_FILES = ('.mcap', '.db3')
_METADATA = 'metadata.yaml'
_REMEDY = ('a recording that was cut short is mended by `mcap recover` (for each .mcap file) and then '
           '`ros2 bag reindex` (for the folder)')


class BagReader:
    """
    A bag of either storage format, or single files of one without metadata; use as a context manager.

    What ``metadata.yaml`` says of topics counts less than the files themselves: people edit it, tools leave parts of
    it empty. Split files are read side by side, in order of log time.
    """

    def __init__(self, path: Path) -> None:
        """Name the bag, or one of its files."""
        self._path = path

    def __enter__(self) -> BagReader:
        """
        Open the bag.

        :raises UserError: if it cannot be read.
        """
        bound_library()
        with ExitStack() as stack:
            self._parts = []
            for file in _files(self._path):
                _check(file)
                with _errors_of(file, _REMEDY):
                    self._parts += _parts(stack.enter_context(Reader(file)))
            self._connections = _merged(self._parts)
            self._close = stack.pop_all().close
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bag."""
        self._close()

    @property
    def connections(self) -> list[Connection]:
        """Topics with type, number of messages and one quality of service: see ``qos_of``."""
        return list(self._connections.values())

    @property
    def span_ns(self) -> tuple[int, int]:
        """Log times of the first and the last message; 0 without any."""
        filled = [part.metadata for part in self._parts if part.metadata.message_count]
        return (min((m.start_time for m in filled), default=0), max((m.end_time - 1 for m in filled), default=0))

    @property
    def custom_data(self) -> Any:
        """What ``metadata.yaml`` holds under that name; None without."""
        return self._parts[0].custom_data if self._parts else None

    def messages(self, connections: Collection[Connection], start_ns: int | None = None,
                 stop_ns: int | None = None) -> Iterator[tuple[Connection, int, bytes]]:
        """
        Yield the messages of some connections (none: nothing) in order of log time, within [start, stop).

        :raises UserError: at the first one that cannot be read.
        """
        wanted = {_key(c) for c in connections}
        messages = heapq.merge(*(part.messages(wanted, start_ns, stop_ns) for part in self._parts),
                               key=lambda message: message[1])
        while True:
            with _errors_of(self._path):
                found = next(messages, None)
            if found is None:
                return
            connection, log_ns, data = found
            yield self._connections[_key(connection)], log_ns, data

    def deserialize(self, connection: Connection, data: bytes) -> Any:
        """
        Return a message.

        :raises UserError: if the bytes are none of its type.
        """
        with _errors_of(self._path):
            return typestore().deserialize_cdr(data, connection.msgtype)


def qos_of(connection: Connection) -> Qos:
    """Return with which quality of service a connection of ``BagReader`` was recorded."""
    return connection.ext.offered_qos_profiles[0]


def is_latched(connection: Connection) -> bool:
    """Tell whether late subscribers get a topic too."""
    return qos_of(connection).durability is QosDurability.TRANSIENT_LOCAL


class _Part:
    """One file of a bag; the library's reader of the whole, if there is one, knows how it is compressed."""

    def __init__(self, storage: Any, folder: Any = None) -> None:
        self.metadata, self.connections = storage.metadata, list(storage.connections)
        self.metadata_connections = list(folder.connections) if folder else []
        self.custom_data = folder.metadata.custom if folder else None
        # Files of the other format have none.
        check_chunks(getattr(storage, 'chunks', ()))
        self._storage = storage
        self._unpack = bounded_zstd if folder and folder.metadata.compression_mode == 'message' else bytes

    def messages(self, wanted: Collection[tuple[str, str]], start_ns: int | None,
                 stop_ns: int | None) -> Iterator[tuple[Connection, int, bytes]]:
        # In the words of the file: the library drops what others describe differently.
        chosen = [c for c in self.connections if _key(c) in wanted]
        # Without connections it would give everything.
        found = self._storage.messages(chosen, start_ns, stop_ns) if chosen else iter(())
        return ((connection, log_ns, self._unpack(data)) for connection, log_ns, data in found)


def _parts(reader: Reader) -> list[_Part]:
    """Return the files that an open reader has."""
    storage = reader.storage
    if not hasattr(storage, 'storages'):
        return [_Part(storage)]
    return [_Part(file, storage) for file in storage.storages]


def _files(path: Path) -> list[Path]:
    """Return what the library opens: the bag as a whole, or its files if nothing says what belongs to it."""
    if path.is_file() or (path / _METADATA).is_file():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix in _FILES) if path.is_dir() else []
    if not files:
        raise UserError(f'{path} cannot be read as a ROS 2 bag: expected {path / _METADATA}, or a file *.mcap or *.db3')
    return files


def _check(path: Path) -> None:
    """Raise a UserError for what would unfold in the hands of the library."""
    if path.is_dir():
        check_folder(path, _METADATA)
    for file in path.glob('*.db3') if path.is_dir() else [path] if path.suffix == '.db3' else []:
        check_database(file)


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _merged(parts: Collection[_Part]) -> dict[tuple[str, str], Connection]:
    """
    Return one connection for each topic and type, with the number of all its messages.

    It is latched if any file or the metadata says so, or if such topics always are.
    """
    connections = [c for part in parts for c in part.connections]
    described = connections + [c for part in parts for c in part.metadata_connections]
    merged: dict[tuple[str, str], Connection] = {}
    for key in dict.fromkeys(map(_key, described)):
        said = [qos for c in described if _key(c) == key for qos in c.ext.offered_qos_profiles]
        qos = next((q for q in said if q.durability is QosDurability.TRANSIENT_LOCAL), None)
        if qos is None:
            qos = LATCHED if is_always_latched(*key) else (said or [VOLATILE])[0]
        first = next(c for c in described if _key(c) == key)
        merged[key] = first._replace(
            msgcount=sum(c.msgcount for c in connections if _key(c) == key),
            ext=first.ext._replace(offered_qos_profiles=[qos]))
    return merged


@contextmanager
def _errors_of(path: Path, remedy: str = '') -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The library lets through whatever broken bytes cause inside it.
        raise UserError(f'{path} cannot be read as a ROS 2 bag: {str(error) or repr(error)}'
                        + (f'; {remedy}' if remedy else '')) from error
