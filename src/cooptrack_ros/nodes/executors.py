"""What takes messages from the middleware and calls the nodes of a process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

from ..common.errors import UserError

_EVENTS = 'rclpy.experimental'
_AT_MOST_S = 1.0


def executor_of(kinds: Iterable[str]) -> Executor:
    """
    Return what the parameter ``executor`` names.

    :param kinds: its value in each of the nodes that share it.
    :raises UserError: if they differ, or this rclpy does not have it.
    """
    wanted = sorted(set(kinds))
    if len(wanted) > 1:
        raise UserError(f"parameter 'executor' is {' and '.join(wanted)} for nodes of one process, expected one value "
                        'for all')
    if wanted == ['single']:
        return SingleThreadedExecutor()
    if find_spec(_EVENTS) is None:
        raise UserError(f"parameter 'executor' is events, but this rclpy has no {_EVENTS} (from ROS 2 Kilted and late "
                        'versions of Jazzy on): expected single')
    from rclpy.experimental import EventsExecutor
    return EventsExecutor()


def spin(executor: Executor, nodes: Sequence[Node]) -> None:
    """Call nodes with what comes until the process is asked to stop; one executor serves all."""
    for node in nodes:
        executor.add_node(node)
    if isinstance(executor, SingleThreadedExecutor):
        executor.spin()
        return
    # Without a limit, that of events waits until a time that old C libraries, as those of the wheels, take for past.
    while executor.context.ok():
        executor.spin_once(timeout_sec=_AT_MOST_S)
