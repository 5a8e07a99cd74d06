"""Bags."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from functools import cache, partial
from pathlib import Path

from backports import zstd
from rosbags.rosbag2 import Reader, Writer
from rosbags.rosbag2.writer import StoragePlugin
from rosbags.typesys import Stores, get_typestore

from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.reader import BagReader

from ..bomb import Bomb
from ..hollow import GIB, zeros
from .texts import merged

_TYPE = 'std_msgs/msg/String'


def _bag(folder: Path, plugin: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """Return a good bag with one message."""
    path, store = folder / 'bag', get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection('/notes', _TYPE, typestore=store)
        writer.write(connection, 1, store.serialize_cdr(store.types[_TYPE]('x'), _TYPE))
    return path


def _metadata(folder: Path) -> Path:
    path = _bag(folder)
    file = path / 'metadata.yaml'
    file.write_text(merged() + file.read_text(encoding='utf-8'), encoding='utf-8')
    return path


def _quality(folder: Path) -> Path:
    """Return a file that says the quality of service of a topic in YAML with merge keys."""
    path = _bag(folder)
    file = next(path.glob('*.mcap'))
    with Reader(path) as reader:
        topic = reader.connections[0].topic.encode()
    words = merged().encode()
    metadata = b''.join(struct.pack('<I', len(part)) + part for part in (b'offered_qos_profiles', words))
    channel = struct.pack('<HH', 1, 0) + b''.join(
        struct.pack('<I', len(part)) + part for part in (topic, b'cdr', metadata))
    lone = folder / 'bomb.mcap'
    lone.write_bytes(_mcap(struct.pack('<BQ', 0x04, len(channel)) + channel))
    file.unlink()
    return lone


def _mcap(records: bytes) -> bytes:
    """Return an mcap file of some records without an index."""
    magic = b'\x89MCAP0\r\n'
    header = struct.pack('<I', 4) + b'ros2' + struct.pack('<I', 0)
    footer = struct.pack('<BQQQI', 0x02, 20, 0, 0, 0)
    return magic + struct.pack('<BQ', 0x01, len(header)) + header + records + footer + magic


@cache
def _packed_zeros(size: int) -> bytes:
    compressor = zstd.ZstdCompressor()
    return b''.join([*(compressor.compress(block) for block in zeros(size)), compressor.flush()])


def _chunk(stated: int, folder: Path) -> Path:
    packed = _packed_zeros(4 * GIB)
    chunk = struct.pack('<QQQI', 0, 1, stated, 0) + struct.pack('<I', 4) + b'zstd' + struct.pack('<Q', len(packed))
    path = folder / 'bomb.mcap'
    path.write_bytes(_mcap(struct.pack('<BQ', 0x06, len(chunk) + len(packed)) + chunk + packed))
    return path


def _packed_file(folder: Path) -> Path:
    path = _bag(folder, StoragePlugin.SQLITE3)
    file = next(path.glob('*.db3'))
    metadata = path / 'metadata.yaml'
    text = metadata.read_text(encoding='utf-8').replace(file.name, f'{file.name}.zstd')
    text = text.replace("compression_format: ''", 'compression_format: zstd').replace(
        "compression_mode: ''", 'compression_mode: FILE')
    metadata.write_text(text, encoding='utf-8')
    (path / f'{file.name}.zstd').write_bytes(_packed_zeros(4 * GIB))
    file.unlink()
    return path


def _endless(folder: Path) -> Path:
    """Return a database whose messages are computed: each has 900 MB."""
    path = _bag(folder, StoragePlugin.SQLITE3)
    file = folder / 'bomb.db3'
    shutil.move(next(path.glob('*.db3')), file)
    with sqlite3.connect(file) as connection:
        connection.execute('ALTER TABLE messages RENAME TO kept')
        connection.execute('CREATE TABLE messages(id INTEGER, topic_id INTEGER, timestamp INTEGER, '
                           'data BLOB GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL)')
        for _ in range(8):
            connection.execute('INSERT INTO messages SELECT id, topic_id, timestamp FROM kept')
    connection.close()
    return file


def _read_all(path: Path) -> None:
    with BagReader(path) as reader:
        kept = [data for _, _, data in reader.messages(reader.connections)]
    if not kept:
        raise AssertionError('nothing was read')


BOMBS = {
    'bag_metadata': Bomb('metadata of a bag with merge keys, 1 kB', _metadata, describe_bag),
    'bag_quality': Bomb('quality of service in a bag with merge keys, 1 kB', _quality, describe_bag),
    'bag_chunk': Bomb('mcap chunk of 131 kB that becomes 4 GB', partial(_chunk, 4 * GIB), describe_bag),
    'bag_lying_chunk': Bomb('mcap chunk of 131 kB that says 1000 bytes and becomes 4 GB', partial(_chunk, 1000),
                            describe_bag),
    'bag_file': Bomb('compressed file of a bag, 131 kB that become 4 GB', _packed_file, describe_bag),
    'bag_computed': Bomb('database of 30 kB whose 8 messages have 900 MB each', _endless, _read_all),
}
