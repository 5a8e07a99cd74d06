"""Compressed bags are read as others are; what unfolds is in the files of the red team (test_redteam_bombs.py)."""

import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import ChunkInfo
from std_msgs.msg import String

from cooptrack_ros.common.reading import MIB
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.types import typestore
from cooptrack_ros.data.bags.unpacking import bounded_zstd, check_chunks

TYPE = 'std_msgs/msg/String'


def chunk(start, end, size):
    return ChunkInfo(start, end, 0, 0, {}, 0, 'zstd', 1, size, {})


@pytest.mark.parametrize('plugin', list(StoragePlugin))
@pytest.mark.parametrize('mode', list(CompressionMode))
def test_messages_are_those_that_were_written(tmp_path, plugin, mode):
    if (plugin, mode) == (StoragePlugin.SQLITE3, CompressionMode.STORAGE):
        pytest.skip('only mcap compresses its chunks')
    store, texts = typestore(), [f'{i} ' * 200 for i in range(20)]
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=plugin)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection('/notes', TYPE, typestore=store)
        for i, text in enumerate(texts):
            writer.write(connection, i, store.serialize_cdr(store.types[TYPE](text), TYPE))
    with BagReader(tmp_path / 'bag') as reader:
        found = [reader.deserialize(c, data) for c, _, data in reader.messages(reader.connections)]
    assert [message.data for message in found] == texts
    assert String(data=found[0].data).data == texts[0]


def test_compressed_data_that_is_cut_or_too_much_is_refused():
    from rosbags.rosbag2.storage_mcap import zstd
    data = zstd.compress(bytes(1000))
    assert bounded_zstd(data, 1000) == bytes(1000)
    with pytest.raises(ValueError, match='more than 999 bytes'):
        bounded_zstd(data, 999)
    with pytest.raises(ValueError, match='ends too early'):
        bounded_zstd(data[:-1], 1000)


def test_chunks_that_lie_at_the_same_time_are_bounded():
    check_chunks([chunk(i, i + 1, 100 * MIB) for i in range(0, 100, 2)])
    check_chunks([])
    with pytest.raises(ValueError, match='of the same time'):
        check_chunks([chunk(0, i, 100 * MIB) for i in range(6)])
