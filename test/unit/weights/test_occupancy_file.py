"""Occupancy heads beside the networks of a model: written, read, and refused where they do not belong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import yaml
from support.small_voxels import OWN_SIZES, SMALL_CONFIG, TRACKER_SIZES, small_grid  # noqa: F401

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.model.occupancy.head import OccupancyHead
from cooptrack_ros.weights.model_folder import CARD_NAME
from cooptrack_ros.weights.occupancy_file import OCCUPANCY_NAME
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.weights.store_parts import save_occupancy

pytestmark = pytest.mark.usefixtures('small_grid')


@pytest.fixture
def folder(tmp_path):
    """Return a model with a vehicle and a roadside network."""
    for seed, side in enumerate((Side.VEHICLE, Side.ROADSIDE)):
        torch.manual_seed(seed)
        save_side(tmp_path / 'model', SMALL_CONFIG, side, CoopTrackNetwork(SMALL_CONFIG, side), {})
    return tmp_path / 'model'


def make_head(seed: int, sizes=TRACKER_SIZES) -> OccupancyHead:
    torch.manual_seed(seed)
    return OccupancyHead(SMALL_CONFIG, sizes)


def change_card(folder, **changes):
    path = folder / CARD_NAME
    card = yaml.safe_load(path.read_text())
    card['occupancy'] |= changes
    path.write_text(yaml.safe_dump(card))


def test_each_side_has_the_head_that_was_written_for_it(folder):
    heads = {Side.VEHICLE: make_head(1), Side.ROADSIDE: make_head(2)}
    for side, head in heads.items():
        save_occupancy(open_model(str(folder)), side, head, {'training': {'steps': 7}})
    package = open_model(str(folder))
    for side, head in heads.items():
        read = package.occupancy(side).head.state_dict()
        for name, value in head.state_dict().items():
            torch.testing.assert_close(read[name], value.half().to(value.dtype), atol=0, rtol=0)
    assert package.card['occupancy']['sides']['vehicle']['training'] == {'steps': 7}


def test_a_model_without_heads_has_none(folder):
    assert open_model(str(folder)).occupancy(Side.VEHICLE) is None
    save_occupancy(open_model(str(folder)), Side.VEHICLE, make_head(1), {})
    assert open_model(str(folder)).occupancy(Side.ROADSIDE) is None
    assert open_model('random:mini').occupancy(Side.VEHICLE) is None


def test_a_head_for_other_weights_is_not_used(folder):
    save_occupancy(open_model(str(folder)), Side.VEHICLE, make_head(1), {})
    torch.manual_seed(9)
    save_side(folder, SMALL_CONFIG, Side.VEHICLE, CoopTrackNetwork(SMALL_CONFIG, Side.VEHICLE), {})
    assert open_model(str(folder)).occupancy(Side.VEHICLE) is None


def test_a_cooperative_network_that_adds_to_the_vehicle_has_its_head(folder):
    config = replace(SMALL_CONFIG, method=replace(SMALL_CONFIG.method, cooperation='additions'))
    for side in (Side.VEHICLE, Side.COOPERATIVE):
        save_side(folder, config, side, CoopTrackNetwork(config, side), {})
    save_occupancy(open_model(str(folder)), Side.COOPERATIVE, make_head(1), {})
    package = open_model(str(folder))
    assert list(package.card['occupancy']['sides']) == ['vehicle']
    for side in (Side.VEHICLE, Side.COOPERATIVE):
        assert package.occupancy(side) is not None
    # Features are the vehicle's: what is added to them may change, they may not.
    torch.manual_seed(9)
    save_side(folder, config, Side.COOPERATIVE, CoopTrackNetwork(config, Side.COOPERATIVE), {})
    assert open_model(str(folder)).occupancy(Side.COOPERATIVE) is not None
    save_side(folder, config, Side.VEHICLE, CoopTrackNetwork(config, Side.VEHICLE), {})
    assert open_model(str(folder)).occupancy(Side.COOPERATIVE) is None


def test_a_damaged_file_is_named(folder):
    save_occupancy(open_model(str(folder)), Side.VEHICLE, make_head(1), {})
    path = folder / OCCUPANCY_NAME
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=OCCUPANCY_NAME):
        open_model(str(folder)).occupancy(Side.VEHICLE)


@pytest.mark.parametrize(('sizes', 'complaint'), [
    ({'volume_dims': 10 ** 9}, 'numbers 1 to 4096'), ({'profile': 'none'}, 'profile must be one of'),
    ({'volume_dims': 12}, 'of another shape'),
    ({'width': 3}, 'occupancy.sizes'), ({'thing_queries': 5}, 'thing_queries 0'),
    ({'profile': 'mini'}, 'does not fit its network')])
def test_sizes_that_are_not_those_of_the_file_are_refused(folder, sizes, complaint):
    save_occupancy(open_model(str(folder)), Side.VEHICLE, make_head(1), {})
    change_card(folder, sizes={**open_model(str(folder)).card['occupancy']['sizes'], **sizes})
    with pytest.raises(UserError, match=complaint):
        open_model(str(folder)).occupancy(Side.VEHICLE)


def test_a_card_whose_entry_is_no_mapping_is_refused(folder):
    save_occupancy(open_model(str(folder)), Side.VEHICLE, make_head(1), {})
    change_card(folder, sides=3)
    with pytest.raises(UserError, match="'occupancy' must have sha256, sizes and sides"):
        open_model(str(folder))


def test_heads_that_do_not_belong_into_a_model_are_refused(folder):
    package = open_model(str(folder))
    with pytest.raises(UserError, match='used from its run folder'):
        save_occupancy(package, Side.VEHICLE, make_head(1, OWN_SIZES), {})
    with pytest.raises(UserError, match='no cooperative weights'):
        save_occupancy(package, Side.COOPERATIVE, make_head(1), {})
