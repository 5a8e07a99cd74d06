"""What Ctrl+C does while a program is loaded."""

import signal
from pathlib import Path

import pytest
import setup_env

from cooptrack_ros import programs
from cooptrack_ros.common.start_up import end_when_interrupted, take_interrupts


@pytest.fixture
def ignored():
    """Let Ctrl+C be ignored, as a shell does for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_who_does_not_listen_to_ctrl_c_goes_on_not_to(ignored):
    end_when_interrupted(0)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    take_interrupts()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_it_is_an_exception_when_the_program_has_begun():
    before = signal.getsignal(signal.SIGINT)
    end_when_interrupted(0)
    assert signal.getsignal(signal.SIGINT) is not before
    take_interrupts()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler is before


def test_an_installed_package_has_the_programs_of_the_source_tree():
    setup = Path(setup_env.ROOT, 'setup.py').read_text()
    assert all(f"'{name} = cooptrack_ros.programs:{name}'," in setup and hasattr(programs, name)
               for name in setup_env.PROGRAMS)
    assert setup.count('= cooptrack_ros.programs:') == setup.count('= cooptrack_ros.') == len(setup_env.PROGRAMS)
