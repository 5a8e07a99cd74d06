"""ROS domains that nobody on this machine uses."""

from __future__ import annotations

import random
import socket

from ..core.errors import UserError

_HIGHEST = 101
"""Ports of higher domains may be taken by any program on Linux."""
_FIRST_PORT, _PORTS_PER_DOMAIN, _PARTICIPANTS = 7410, 250, 10
"""Where the participants of a domain listen (DDSI-RTPS 2.5, section 9.6.2), and how many are looked for."""


def free_domains(count: int) -> int:
    """
    Return the first of ``count`` free domains in a row, chosen at random.

    Two graphs in one domain would hear each other: messages of a stranger would be in the recording.

    :raises UserError: if there are none.
    """
    starts = range(1, _HIGHEST + 2 - count)
    for first in random.SystemRandom().sample(starts, len(starts)):
        if all(is_free(domain) for domain in range(first, first + count)):
            return first
    raise UserError(f'all ROS domains from 1 to {_HIGHEST} are in use on this machine')


def is_free(domain: int) -> bool:
    """Tell whether no participant of a domain listens on this machine."""
    first = _FIRST_PORT + _PORTS_PER_DOMAIN * domain
    return all(_can_bind(first + 2 * i) for i in range(_PARTICIPANTS))


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', port))
        except OSError:
            return False
    return True
