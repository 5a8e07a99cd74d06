"""A network namespace for one node, tied to this one by a pair of virtual interfaces (iproute2, root)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_SPACE, _HERE, _THERE = 'cooptrack_b', 'cta', 'ctb'


class Unavailable(RuntimeError):
    """Something that a fault needs is not on this machine."""


def need_root_and(*programs: str) -> None:
    """
    Check that programs can be run as root.

    :raises Unavailable: naming what is missing.
    """
    missing = [p for p in programs if shutil.which(p) is None] + ['root'] * (os.geteuid() != 0)
    if missing:
        raise Unavailable(f"needs {' and '.join(missing)} (ip and tc are in iproute2)")


class Link:
    """The link between the namespaces; it is up and as fast as the machine at first."""

    prefix = ('ip', 'netns', 'exec', _SPACE)
    """What the command of a node on the other side starts with."""
    # Shared memory would cross the border of the namespaces.
    environment = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET', 'ROS_STATIC_PEERS': '10.77.0.1;10.77.0.2',
                   'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}
    """Variables that nodes on both sides need."""

    def down(self) -> None:
        """Cut it."""
        _run('ip', 'link', 'set', _HERE, 'down')

    def up(self) -> None:
        """Undo ``down``."""
        _run('ip', 'link', 'set', _HERE, 'up')

    def limit(self, rate: str) -> None:
        """Let so much through from there to here, in words of tc such as ``100kbit``; up to half a second waits."""
        _run(*self.prefix, 'tc', 'qdisc', 'add', 'dev', _THERE, 'root', 'tbf', 'rate', rate, 'burst', '16kb',
             'latency', '500ms')

    def unlimit(self) -> None:
        """Undo ``limit``."""
        _run(*self.prefix, 'tc', 'qdisc', 'del', 'dev', _THERE, 'root')


@contextmanager
def separated() -> Iterator[Link]:
    """
    Give the link to a new namespace, which is removed at the end.

    :raises Unavailable: without root, ip or tc.
    """
    need_root_and('ip', 'tc')
    _run('ip', 'netns', 'add', _SPACE)
    try:
        _run('ip', 'link', 'add', _HERE, 'type', 'veth', 'peer', 'name', _THERE, 'netns', _SPACE)
        _run('ip', 'addr', 'add', '10.77.0.1/24', 'dev', _HERE)
        _run('ip', 'link', 'set', _HERE, 'up')
        _run(*Link.prefix, 'ip', 'addr', 'add', '10.77.0.2/24', 'dev', _THERE)
        _run(*Link.prefix, 'ip', 'link', 'set', _THERE, 'up')
        _run(*Link.prefix, 'ip', 'link', 'set', 'lo', 'up')
        yield Link()
    finally:
        subprocess.run(['ip', 'netns', 'del', _SPACE], check=False, capture_output=True)
        subprocess.run(['ip', 'link', 'del', _HERE], check=False, capture_output=True)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
