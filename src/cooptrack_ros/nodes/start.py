"""Starts ROS in a process; what keeps it from starting is told in one line with the way out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from ..common.errors import UserError
from .health.middleware import mixed_reliability
from .health.silence import BEST_EFFORT_VALUES

MAX_DOMAIN = 232
_ADVICE = {
    'log directory': 'set ROS_LOG_DIR to a folder that can be written',
    'logging': 'set ROS_LOG_DIR to a folder that can be written',
    'log level': 'expected debug, info, warn, error or fatal',
    'params file': 'expected YAML like `/**: {ros__parameters: {name: value}}`',
    'parameter override': 'expected -p name:=value',
    '__ns': 'expected a namespace like /ego: letters, digits and underscores between slashes',
    '__node': 'expected a name of letters, digits and underscores',
    'remap rule': 'expected -r from:=to, both names of topics',
}
"""By a word in what ROS says; the first one counts."""


def init_ros(args: list[str] | None = None, context: rclpy.Context | None = None,
             domain_id: int | None = None) -> None:
    """
    Start ROS; the arguments are those of ``rclpy.init``.

    :raises UserError: if it does not start, with what to change.
    """
    if domain_id is None:
        _check_domain(os.environ.get('ROS_DOMAIN_ID', ''))
    try:
        rclpy.init(args=args, context=context, domain_id=domain_id)
    except Exception as error:
        raise UserError(in_words(error)) from error


@contextmanager
def looking(name: str, domain_id: int | None) -> Iterator[tuple[Node, Callable[[float], None]]]:
    """
    Give a node that only looks, and what lets its callbacks run for at most so many seconds.

    It has a context of its own; :param domain_id: None for that of ROS_DOMAIN_ID.
    """
    context = rclpy.Context()
    init_ros([], context, domain_id)
    executor = SingleThreadedExecutor(context=context)
    node = rclpy.create_node(name, context=context, enable_rosout=False, start_parameter_services=False)
    try:
        executor.add_node(node)
        yield node, lambda seconds: executor.spin_once(timeout_sec=seconds)
    finally:
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown(context=context)


def report_middleware(node: Node) -> None:
    """Log the middleware, with a warning where it matters."""
    rmw = rclpy.get_rmw_implementation_identifier()
    node.get_logger().info(f'middleware {rmw}')
    parameters = {name: node.get_parameter(name).value for name in BEST_EFFORT_VALUES if node.has_parameter(name)}
    mixed = mixed_reliability(rmw, parameters)
    if mixed:
        node.get_logger().warning('{}. To do: {}'.format(*mixed))


def in_words(error: Exception) -> str:
    """Return what ROS says in one line, without the places in its sources, and what to change."""
    text = re.sub(r'(, at \S+:\d+)+', '', ' '.join(str(error).split()))
    text = text.removeprefix('failed to initialize rcl: ')
    advice = next((advice for word, advice in _ADVICE.items() if word in text), '')
    return f'ROS does not start: {text}' + (f'. To do: {advice}' if advice else '')


def _check_domain(text: str) -> None:
    # The middleware ends the process for a number that is too large.
    if text and not (text.isascii() and text.isdigit() and int(text) <= MAX_DOMAIN):
        raise UserError(f"ROS_DOMAIN_ID is '{text}', expected a number from 0 to {MAX_DOMAIN}")
