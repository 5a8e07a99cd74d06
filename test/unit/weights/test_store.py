"""Model packages: saving, loading, and what is refused."""

import numpy as np
import pytest
import torch
import yaml

from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.store import open_model, save_side


@pytest.fixture
def folder(tmp_path):
    """Return a package with vehicle weights."""
    torch.manual_seed(0)
    save_side(tmp_path / 'tiny', MINI, Side.VEHICLE, CoopTrackNetwork(MINI, Side.VEHICLE), {'steps': 1})
    return tmp_path / 'tiny'


def test_saved_weights_come_back_as_float16_and_fit_twelve_megabytes(folder):
    package = open_model(str(folder))
    assert package.config == MINI
    assert (folder / 'vehicle.safetensors').stat().st_size < 12e6
    network = package.network(Side.VEHICLE)
    assert not network.training
    value = next(network.parameters()).detach()
    assert value.dtype == torch.float32 and torch.equal(value, value.half().float())


def test_the_identity_changes_with_side_and_weights(folder):
    package = open_model(str(folder))
    before = package.model_id(Side.VEHICLE)
    torch.manual_seed(1)
    save_side(folder, MINI, Side.VEHICLE, CoopTrackNetwork(MINI, Side.VEHICLE), {})
    assert open_model(str(folder)).model_id(Side.VEHICLE) != before
    assert open_model('random:mini').model_id(Side.VEHICLE) != open_model('random:mini').model_id(Side.ROADSIDE)


def test_a_damaged_file_is_recognised_by_its_hash(folder):
    path = folder / 'vehicle.safetensors'
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match='damaged or was replaced'):
        open_model(str(folder)).network(Side.VEHICLE)


def test_a_missing_side_names_the_file_and_what_there_is(folder):
    with pytest.raises(UserError, match=r'no roadside weights.*it has vehicle'):
        open_model(str(folder)).network(Side.ROADSIDE)


def test_weights_of_another_configuration_are_refused(folder):
    card = yaml.safe_load((folder / 'card.yaml').read_text())
    card['configuration']['num_queries'] = 100
    (folder / 'card.yaml').write_text(yaml.safe_dump(card))
    with pytest.raises(UserError, match='2 of another shape'):
        open_model(str(folder)).network(Side.VEHICLE)


def test_an_unknown_name_says_where_it_looked():
    with pytest.raises(UserError, match=r"no model 'nothing'.*looked at"):
        open_model('nothing')


def test_random_weights_repeat(tmp_path):
    first, second = (next(open_model('random:mini').network(Side.VEHICLE).parameters()).detach() for _ in range(2))
    assert np.array_equal(first, second)


def test_a_switch_that_is_younger_than_the_weights_is_off(folder):
    card = yaml.safe_load((folder / 'card.yaml').read_text())
    del card['configuration']['method']['exclude_ego']
    (folder / 'card.yaml').write_text(yaml.safe_dump(card))
    method = open_model(str(folder)).config.method
    assert MINI.method.exclude_ego and not method.exclude_ego
    assert method.previous_bev == MINI.method.previous_bev
