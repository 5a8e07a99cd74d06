"""Graphs of one machine keep away from each other."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.demo import domains
from cooptrack_ros.demo.domains import reserve_domains

ANOTHER = """
import sys
from cooptrack_ros.demo.domains import reserve_domains
reservation = reserve_domains()
print(reservation.first, flush=True)
sys.stdin.read()
"""


def test_a_domain_with_a_participant_is_not_free():
    with reserve_domains() as reserved, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(('', 7410 + 250 * reserved.first + 2))
        assert not domains.is_free(reserved.first)
        participant.close()
        assert domains.is_free(reserved.first)


def test_used_domains_are_passed_over(monkeypatch):
    # Three pairs, as another run of these tests may have one of them.
    monkeypatch.setattr(domains, 'is_free', lambda domain: domain in (7, 20, 21, 40, 41, 60, 61, 90))
    with reserve_domains(2) as reserved:
        assert reserved.first in (20, 40, 60)


def test_no_free_domain_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(domains, 'is_free', lambda domain: False)
    with pytest.raises(UserError, match='all ROS domains'):
        reserve_domains()


def test_domains_stay_in_the_range_that_is_safe_on_linux(monkeypatch):
    monkeypatch.setattr(domains, 'is_free', lambda domain: domain <= 1 or domain >= 101)
    with pytest.raises(UserError, match='all ROS domains'):
        reserve_domains(2)
    with reserve_domains() as reserved:
        assert reserved.first in (1, 101)


def test_a_reserved_domain_is_nobody_elses_until_it_is_given_back(monkeypatch):
    with reserve_domains() as reserved:
        monkeypatch.setattr(domains, 'is_free', lambda domain: domain == reserved.first)
        with pytest.raises(UserError, match='all ROS domains'):
            reserve_domains()
    with reserve_domains() as again:
        assert again.first == reserved.first


def test_another_process_has_its_domain_until_it_is_killed(monkeypatch):
    with subprocess.Popen([sys.executable, '-c', ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        theirs = int(other.stdout.readline())
        monkeypatch.setattr(domains, 'is_free', lambda domain: domain == theirs)
        with pytest.raises(UserError, match='all ROS domains'):
            reserve_domains()
        os.kill(other.pid, signal.SIGKILL)
    with reserve_domains() as ours:
        assert ours.first == theirs
