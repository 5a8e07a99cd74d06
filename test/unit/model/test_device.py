"""A device that is not there is named with what the machine has."""

import pytest
import torch

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.device import check_available
from cooptrack_ros.weights.store import open_model


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that says how many GPUs there are."""
    def say(count, built_with='13.0'):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: count > 0)
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: count)
        monkeypatch.setattr(torch.cuda, 'get_device_name', lambda number: f'GPU {number}')
        monkeypatch.setattr(torch.version, 'cuda', built_with)
    return say


def test_what_is_there_is_taken(gpus):
    gpus(2)
    for device in ('cpu', 'cuda', 'cuda:0', 'cuda:1'):
        check_available(device)


@pytest.mark.parametrize('device', ['gpu', 'mps', 'cuda:x', 'meta', '', 'cuda:-1'])
def test_another_name_is_refused_with_the_known_ones(gpus, device):
    gpus(1)
    with pytest.raises(UserError, match=r'expected cpu, cuda or cuda:N; this machine has cpu, cuda:0 \(GPU 0\)'):
        check_available(device)


@pytest.mark.parametrize(('count', 'built_with', 'here'), [
    (0, None, 'is built without CUDA'), (0, '13.0', 'this machine has cpu$'), (2, '13.0', r'cuda:1 \(GPU 1\)$')])
def test_a_missing_gpu_is_named_with_what_the_machine_has(gpus, count, built_with, here):
    gpus(count, built_with)
    with pytest.raises(UserError, match=f"'cuda:2' is not there: .*{here}"):
        check_available('cuda:2')


def test_networks_of_nodes_and_commands_go_through_it(gpus, tmp_path, capsys):
    gpus(0)
    package = open_model('random:mini')
    for make in (package.network, package.tracker):
        with pytest.raises(UserError, match="'cuda' is not there"):
            make(Side.VEHICLE, 'cuda')
    for words in (['bench', 'model'], ['bench', 'node'], ['bench', 'train'],
                  ['train', 'vehicle', '--data', str(tmp_path), '--out', str(tmp_path / 'run')]):
        for device in ('cuda', 'gpu', 'mps'):
            assert main([*words, '--device', device]) == 2
            error = capsys.readouterr().err
            assert f"device '{device}'" in error and 'this machine has cpu' in error
            assert len(error.splitlines()) == 1
