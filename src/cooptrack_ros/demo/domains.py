"""ROS domains that nobody else on this machine uses."""

from __future__ import annotations

import random
import socket
import weakref

from ..common.errors import UserError

_HIGHEST = 101
"""Ports of higher domains may be taken by any program on Linux."""
_FIRST_PORT, _PORTS_PER_DOMAIN, _PARTICIPANTS = 7410, 250, 10
"""Where the participants of a domain listen (DDSI-RTPS 2.5, section 9.6.2), and how many are looked for."""
_RESERVED_PORT = 7405
"""Of domain 0; between the ports of multicast and those of participants, where DDS never listens."""


class DomainReservation:
    """
    ROS domains in a row that belong to one owner: until it closes the reservation, drops it, or its process ends.

    A bound port stands for each domain, so that reservations of other processes and other users keep off it, and no
    file is left behind by a process that was killed.
    """

    def __init__(self, first: int, sockets: list[socket.socket]):
        """Keep the sockets that stand for the domains from ``first`` on."""
        self.first = first
        self._finalizer = weakref.finalize(self, _close, sockets)

    def close(self) -> None:
        """Give the domains back; may be called again."""
        self._finalizer()

    def __enter__(self) -> DomainReservation:
        """Return the reservation."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the domains back."""
        self.close()


def reserve_domains(count: int = 1) -> DomainReservation:
    """
    Reserve ``count`` free domains in a row, chosen at random.

    Two graphs in one domain would receive each other's messages: those of a stranger would be in the recording.

    :raises UserError: if there are none.
    """
    starts = range(1, _HIGHEST + 2 - count)
    for first in random.SystemRandom().sample(starts, len(starts)):
        domains = range(first, first + count)
        sockets = [s for s in map(_reserve, domains) if s]
        if len(sockets) == count and all(map(is_free, domains)):
            return DomainReservation(first, sockets)
        _close(sockets)
    raise UserError(f'all ROS domains from 1 to {_HIGHEST} are in use on this machine')


def is_free(domain: int) -> bool:
    """Tell whether no participant of a domain listens on this machine."""
    first = _FIRST_PORT + _PORTS_PER_DOMAIN * domain
    sockets = [_bound('', first + 2 * i) for i in range(_PARTICIPANTS)]
    _close([s for s in sockets if s])
    return all(sockets)


def _reserve(domain: int) -> socket.socket | None:
    return _bound('127.0.0.1', _RESERVED_PORT + _PORTS_PER_DOMAIN * domain)


def _bound(host: str, port: int) -> socket.socket | None:
    """Return a socket bound to a port, None if somebody else has it."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        return None
    return bound


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()
