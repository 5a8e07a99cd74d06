"""A few seconds of the soak: two units, faults at random, and an account of every message."""

from argparse import Namespace

import pytest
import soak
from live.system import System, make_bag
from support.configs import sensitive_weights

pytestmark = pytest.mark.xdist_group('several processes')


@pytest.fixture
def weights(tmp_path):
    """Return the name of a small random network that tracks most of what it sees."""
    return sensitive_weights(tmp_path)


@pytest.mark.timeout(300)
def test_a_short_soak_accounts_for_every_message(weights, tmp_path):
    args = Namespace(minutes=0.1, seed=9, rate=0.5, weights=weights, fault_every=1.5)
    with System(make_bag(tmp_path, 1.0, units=2), tmp_path, weights, args.rate) as system:
        system.start_all()
        result = soak.run(args, system)
    assert result['problems'] == {}
    assert sorted(result['accounts']) == ['image', 'unit_1', 'unit_2']
    for source, account in result['accounts'].items():
        assert account['came'] > 0 < account['used'], source
        # No unit was killed.
        assert soak.unaccounted(account) == 0, source
    assert result['faults'] and result['answers'] > 0
    soak.picture(result['samples'], result['faults'], tmp_path / 'soak.png')
    assert (tmp_path / 'soak.png').stat().st_size > 1000


def test_what_is_unaccounted_for_or_grows_is_a_problem():
    samples = [{'t_s': t, 'memory_mb': 100.0 + t, 'threads': 5, 'files': 9} for t in range(40)]
    account = {'image': {'came': 10, 'used': 8, 'overrun': 1}, 'rsu_1': {'came': 10, 'used': 7, 'replayed': 1}}
    assert sorted(soak.verdict(samples, account, ['identity 3 is younger'], 1, 1, 0.0)) == [
        'account of image', 'ego node', 'identities', 'memory_mb']
    assert soak.verdict(samples[:1], {'image': {'came': 9, 'used': 8, 'overrun': 1}}, [], None, 1, 0.0) == {}
