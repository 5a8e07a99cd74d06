"""A damaged checkpoint is reported as such, not trained on."""

import pytest
import torch

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.train.checkpoint import read_training, write_training


@pytest.fixture
def path(tmp_path):
    """Give a checkpoint."""
    path = tmp_path / 'checkpoint.pt'
    write_training(path, {'modules': {'w': torch.arange(2000.0)}, 'step': 3})
    return path


def test_it_comes_back(path):
    assert read_training(path)['step'] == 3
    assert [p.name for p in path.parent.iterdir()] == ['checkpoint.pt']


def test_one_changed_bit_in_the_weights_is_noticed(path):
    content = bytearray(path.read_bytes())
    at = content.find(torch.tensor(1000.0).numpy().tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match='checksum'):
        read_training(path)


@pytest.mark.parametrize('spoil', [lambda c: c[:len(c) // 2], lambda c: b'', lambda c: b'PK\x05\x06' + bytes(18)])
def test_what_was_cut_short_is_refused_with_a_remedy(path, spoil):
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match='restore a copy'):
        read_training(path)


def test_another_file_of_tensors_is_no_checkpoint(path):
    torch.save({'state_dict': {}}, path)
    with pytest.raises(UserError, match='holds no training'):
        read_training(path)
