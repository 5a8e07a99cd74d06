"""The demonstration keeps away from other ROS graphs on the machine."""

import socket

import pytest

from cooptrack_ros.core.errors import UserError
from cooptrack_ros.demo import domains


def test_a_domain_with_a_participant_is_not_free():
    first = domains.free_domains(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(('', 7410 + 250 * first + 2))
        assert not domains.is_free(first)
    assert domains.is_free(first)


def test_used_domains_are_passed_over(monkeypatch):
    monkeypatch.setattr(domains, 'is_free', lambda domain: domain in (7, 40, 41, 90))
    assert domains.free_domains(2) == 40


def test_no_free_domain_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(domains, 'is_free', lambda domain: False)
    with pytest.raises(UserError, match='all ROS domains'):
        domains.free_domains(1)
