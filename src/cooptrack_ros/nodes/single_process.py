"""Ego node and roadside nodes in one process, each with the arguments of its own program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from .ego_node import EgoNode
from .given import split_given
from .node_base import AgentNode, run_nodes
from .roadside_node import RoadsideNode
from .usage import SINGLE_PROCESS

NODES: dict[str, type[AgentNode]] = {'--ego': EgoNode, '--roadside': RoadsideNode}
"""What starts the arguments of a node."""
BOTH = '--both'
"""What starts the arguments of all nodes."""


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[partial[AgentNode]]]:
    """
    Return the arguments of the process, and per node what creates it.

    Parameters and remappings belong to one node only: what one side calls ``lidar_frame`` is not that of the other.
    """
    starts = [i for i, word in enumerate(arguments) if word in NODES or word == BOTH]
    parts = [(arguments[i], list(arguments[i + 1:end])) for i, end in zip(starts, [*starts[1:], len(arguments)])]
    # First, so that a node's own parameters win, as those of a launch file do over what surrounds them.
    common = [word for name, words in parts if name == BOTH for word in words]
    nodes = [_node(NODES[name], [*common, *words]) for name, words in parts if name in NODES]
    return list(arguments[:starts[0] if starts else len(arguments)]), nodes


def _node(kind: type[AgentNode], arguments: Sequence[str]) -> partial[AgentNode]:
    words, given = split_given(arguments)
    return partial(kind, cli_args=words, parameter_overrides=given)


def main() -> int:
    """Run the nodes that the command line names."""
    own, nodes = split_arguments(sys.argv[1:])
    if not nodes:
        print(SINGLE_PROCESS, file=sys.stderr)
        return 2
    return run_nodes(*nodes, args=own)
