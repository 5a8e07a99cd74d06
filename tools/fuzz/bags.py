"""Bags: metadata, mcap and sqlite3 files that were cut short or hold anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

from .entry import Entry, Run, plain_seeds
from .files import is_accepted
from .scene import make_scene
from .source import Source

MODULES = (
    'cooptrack_ros.data.bags.info', 'cooptrack_ros.data.bags.cut', 'cooptrack_ros.data.bags.merge',
    'cooptrack_ros.data.bags.recording', 'cooptrack_ros.data.bags.markers', 'cooptrack_ros.data.bags.writer')
_KEPT = ('/ego/odometry', '/infra/rsu_1/pair', '/ego/camera/calibration', '/tf_static')


def as_sqlite(source: Path, target: Path) -> None:
    """Write a bag again in the other storage format."""
    from rosbags.rosbag2 import Reader, StoragePlugin, Writer

    from cooptrack_ros.data.bags.types import typestore
    with Reader(source) as reader, Writer(target, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=typestore())
                       for c in reader.connections}
        for connection, log_ns, data in reader.messages():
            writer.write(connections[connection.id], log_ns, data)


def use(bag: Path, scratch: Path) -> None:
    """Do with a bag what the tools do; the target of a cut is removed again."""
    from cooptrack_ros.data.bags.cut import cut_bag
    from cooptrack_ros.data.bags.info import describe_bag
    from cooptrack_ros.data.bags.recording import read_pairs
    from cooptrack_ros.replay.player import BagPlayer
    describe_bag(bag)
    read_pairs(bag)
    topics = {topic: None for topic in _KEPT}
    for entry in BagPlayer.entries(SimpleNamespace(_path=bag, _publishers=topics)):
        assert entry.stamp_ns >= 0 or entry.data
    cut_bag(bag, scratch / 'cut', 0.0, 0.3)


def prepare(folder: Path) -> Run:
    """Convert a small scene to a bag of each storage format."""
    from cooptrack_ros.data.bags.convert import convert
    from cooptrack_ros.data.bags.cut import cut_bag
    from cooptrack_ros.data.folders import open_dataset
    convert(open_dataset(make_scene(folder)), '0000', folder / 'whole')
    cut_bag(folder / 'whole', folder / 'mcap', 0.0, 1.0, _KEPT)
    as_sqlite(folder / 'mcap', folder / 'sqlite')
    files = [path for bag in ('mcap', 'sqlite') for path in sorted((folder / bag).iterdir())]
    use(folder / 'mcap', folder)
    shutil.rmtree(folder / 'cut')

    def run(data: bytes) -> bool:
        source = Source(data)
        path = files[source.below(len(files))]
        try:
            return is_accepted(path, source, lambda: use(path.parent, folder))
        finally:
            shutil.rmtree(folder / 'cut', ignore_errors=True)
    return run


ENTRY = Entry('bags', MODULES, prepare, plain_seeds)
