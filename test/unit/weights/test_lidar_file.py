"""Point cloud branches beside the networks of a model: written, read, and refused where they do not belong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import yaml
from support.configs import TINY

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.lidar.branch import LidarBranch
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.lidar_file import LIDAR_NAME
from cooptrack_ros.weights.model_folder import CARD_NAME
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.weights.store_parts import save_lidar

SIZES = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)
ADDS = replace(TINY, method=replace(TINY.method, cooperation='additions'))


@pytest.fixture
def folder(tmp_path):
    """Return a model with a vehicle network, what cooperation adds to it, and a roadside network."""
    for seed, side in enumerate((Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE)):
        torch.manual_seed(seed)
        save_side(tmp_path / 'model', ADDS, side, CoopTrackNetwork(ADDS, side), {})
    return tmp_path / 'model'


def make_branch(seed: int, side=Side.VEHICLE, sizes=SIZES) -> LidarBranch:
    torch.manual_seed(seed)
    return LidarBranch(ADDS, side, sizes, gate=0.3)


def save(folder, side=Side.VEHICLE, seed=1, sizes=SIZES):
    return save_lidar(open_model(str(folder)), side, make_branch(seed, side, sizes), {'training': {'steps': 7}})


def change_card(folder, **changes):
    path = folder / CARD_NAME
    card = yaml.safe_load(path.read_text())
    card['lidar'] |= changes
    path.write_text(yaml.safe_dump(card))


def test_each_side_has_the_branch_that_was_written_for_it(folder):
    for seed, side in ((1, Side.VEHICLE), (2, Side.ROADSIDE)):
        save(folder, side, seed)
    package = open_model(str(folder))
    for seed, side in ((1, Side.VEHICLE), (2, Side.ROADSIDE)):
        read = package.branch(side)
        for name, value in make_branch(seed, side).state_dict().items():
            torch.testing.assert_close(read.state_dict()[name], value.half().to(value.dtype), atol=0, rtol=0)
        assert read.sizes == SIZES and not read.training and package.parts(side) == ['lidar']
    assert package.branch(Side.ROADSIDE).encoder.grid.low[0] == 0.0
    assert package.card['lidar']['sides']['vehicle']['training'] == {'steps': 7}


def test_a_network_that_adds_to_the_vehicles_has_its_branch(folder):
    save(folder)
    package = open_model(str(folder))
    assert package.tracker(Side.COOPERATIVE, takes_clouds=True).stages.lidar is not None
    assert package.tracker(Side.COOPERATIVE).stages.lidar is None
    assert package.parts(Side.COOPERATIVE) == ['lidar']
    whole = replace(package, config=replace(ADDS, method=replace(ADDS.method, cooperation='whole')))
    assert whole.branch(Side.COOPERATIVE) is None


def test_a_branch_that_is_written_for_such_a_network_is_that_of_the_vehicle(folder):
    save(folder, Side.COOPERATIVE)
    package = open_model(str(folder))
    assert package.branch(Side.VEHICLE) is not None and list(package.card['lidar']['sides']) == ['vehicle']


def test_a_model_without_a_branch_says_so(folder):
    save(folder)
    package = open_model(str(folder))
    assert package.branch(Side.ROADSIDE) is None
    with pytest.raises(UserError, match='no point cloud branch for its roadside weights'):
        package.tracker(Side.ROADSIDE, takes_clouds=True)
    assert open_model('random:mini').branch(Side.VEHICLE) is None


def test_random_weights_of_a_branch_are_the_same_every_time():
    one, other = (open_model('random:mini_lidar').branch(Side.VEHICLE).state_dict() for _ in range(2))
    assert one['gate'] == 1 and all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_branch_for_other_weights_is_not_used(folder):
    save(folder)
    torch.manual_seed(9)
    save_side(folder, ADDS, Side.VEHICLE, CoopTrackNetwork(ADDS, Side.VEHICLE), {})
    assert open_model(str(folder)).branch(Side.VEHICLE) is None


def test_a_damaged_file_is_named(folder, capsys):
    save(folder)
    assert main(['weights', 'verify', str(folder)]) == 0
    assert 'lidar fits' in capsys.readouterr().out
    path = folder / LIDAR_NAME
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=LIDAR_NAME):
        open_model(str(folder)).branch(Side.VEHICLE)
    assert main(['weights', 'verify', str(folder)]) == 1


@pytest.mark.parametrize(('sizes', 'complaint'), [
    ({'point_dims': 10 ** 9}, 'numbers must be 1 to 4096'), ({'stages': [[1, 4], [0, 6], [1, 8]]}, 'numbers must be'),
    ({'point_dims': 5}, 'of another shape'), ({'memory': 'both'}, 'memory must be camera or fused'),
    ({'stages': [[1, 4]]}, 'a list of 3'), ({'colour': 3}, 'unknown configuration key')])
def test_sizes_of_a_card_that_are_none_are_refused(folder, sizes, complaint):
    save(folder)
    card = yaml.safe_load((folder / CARD_NAME).read_text())
    change_card(folder, sizes={**card['lidar']['sizes'], **sizes})
    with pytest.raises(UserError, match=complaint):
        open_model(str(folder)).branch(Side.VEHICLE)


def test_branches_of_two_sizes_have_no_room_in_one_file(folder):
    save(folder)
    with pytest.raises(UserError, match='the sizes of its point cloud branch are'):
        save(folder, Side.ROADSIDE, sizes=replace(SIZES, neck_dims=6))
    with pytest.raises(UserError, match='has no vehicle weights for a point cloud branch'):
        save_lidar(open_model('random:mini'), Side.VEHICLE, make_branch(1), {})


@pytest.mark.parametrize('entry', ['no', {'sha256': 'x'}, {'sha256': 'x', 'sizes': [], 'sides': {}}])
def test_a_card_with_a_broken_entry_is_no_card(folder, entry):
    path = folder / CARD_NAME
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {'lidar': entry}))
    with pytest.raises(UserError, match="'lidar' must have sha256"):
        open_model(str(folder))
