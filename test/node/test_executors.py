"""The executor of nodes: chosen by a parameter, with the same answers, and one for all nodes of a process."""

import subprocess
import sys
from functools import partial

import pytest
from rclpy.executors import SingleThreadedExecutor
from support.ros_world import EgoWorld, World

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes import executors
from cooptrack_ros.nodes.link_emulator import LinkEmulator
from cooptrack_ros.nodes.node_base import run_nodes, run_program

EVENTS = ['--ros-args', '-p', 'executor:=events']


def answers(executor, frames=2):
    """Return the tracks that an ego node without network answers with."""
    world = World(executor)
    try:
        ego = EgoWorld(world)
        answered = []
        for sequence in range(frames):
            ego.features(sequence=sequence)
            answered.append(ego.frame())
        return answered
    finally:
        world.close()


def test_both_executors_give_the_same_tracks():
    from rclpy.experimental import EventsExecutor
    assert answers(EventsExecutor) == answers(SingleThreadedExecutor)


INTERRUPTED = """
import os, signal, sys
from cooptrack_ros.nodes.link_emulator import LinkEmulator
from cooptrack_ros.nodes.node_base import run_program

def report(node):
    print('called', flush=True)
    # As Ctrl+C does, from where messages are handled.
    os.kill(os.getpid(), signal.SIGINT)

LinkEmulator._report = report
raise SystemExit(run_program(LinkEmulator, sys.argv[1:]))
"""


def test_a_node_on_events_works_until_it_is_interrupted():
    # In a process of its own: an interrupt that comes late would end the one of the tests.
    done = subprocess.run([sys.executable, '-c', INTERRUPTED, *EVENTS, '-p', 'diagnostics.period:=0.1'],
                          capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0 and 'called' in done.stdout, done.stderr


def test_an_executor_that_rclpy_lacks_is_refused_in_words(monkeypatch, capsys):
    monkeypatch.setattr(executors, '_EVENTS', 'rclpy.no_such_module')
    assert run_program(LinkEmulator, EVENTS) == 1
    text, = (line for line in capsys.readouterr().err.splitlines() if line.startswith('error: '))
    assert "'executor' is events" in text and 'rclpy.no_such_module' in text and 'expected single' in text


def test_nodes_of_one_process_share_one(monkeypatch, capsys):
    kinds = [partial(LinkEmulator, cli_args=words) for words in (EVENTS, [])]
    assert run_nodes(*kinds, args=[]) == 1
    assert "'executor' is events and single" in capsys.readouterr().err
    with pytest.raises(UserError, match='one value for all'):
        executors.executor_of(['single', 'events'])
