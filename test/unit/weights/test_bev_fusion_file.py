"""The fusion of BEV features beside the networks of a model."""

from __future__ import annotations

import pytest
import torch
import yaml
from support.configs import TINY

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.bev_fusion_file import BEV_FUSION_NAME, has_bev_fusion, load_bev_fusion, save_bev_fusion
from cooptrack_ros.weights.model_folder import CARD_NAME
from cooptrack_ros.weights.store import open_model, save_side


def write(folder, *sides):
    for seed, side in enumerate(sides):
        torch.manual_seed(seed)
        save_side(folder, TINY, side, CoopTrackNetwork(TINY, side), {})
    return open_model(str(folder))


@pytest.fixture
def package(tmp_path):
    """Return a model with a fusion."""
    package = write(tmp_path / 'model', Side.VEHICLE, Side.ROADSIDE)
    torch.manual_seed(3)
    fusion = BevFusion(TINY)
    torch.nn.init.normal_(fusion.layers[-1].weight)
    save_bev_fusion(package, package, fusion, {'training': {'steps': 3}})
    return open_model(str(tmp_path / 'model'))


def test_it_is_read_as_it_was_written_in_half_precision(package):
    torch.manual_seed(3)
    written, read = BevFusion(TINY), load_bev_fusion(package, package)
    torch.testing.assert_close(read.layers[0].weight, written.layers[0].weight.half().float(), rtol=0, atol=0)
    assert not read.training and read.layers[0].weight.dtype is torch.float32
    size = (package.folder / BEV_FUSION_NAME).stat().st_size
    assert size == package.card['bev_fusion']['bytes'] < 2.2 * sum(p.numel() for p in written.parameters()) + 3000


def test_other_networks_have_no_use_for_it(package, tmp_path):
    other = write(tmp_path / 'other', Side.ROADSIDE)
    assert has_bev_fusion(package, package) and not has_bev_fusion(package, other)
    with pytest.raises(UserError, match='train bev-fusion makes one'):
        load_bev_fusion(package, other)
    torch.manual_seed(9)
    save_side(package.folder, TINY, Side.VEHICLE, CoopTrackNetwork(TINY, Side.VEHICLE), {})
    changed = open_model(str(package.folder))
    assert not has_bev_fusion(changed, changed)


def test_random_weights_have_one_that_changes_nothing(package):
    random = open_model('random:mini')
    assert has_bev_fusion(random, random) and not has_bev_fusion(package, random)
    assert not load_bev_fusion(random, random).layers[-1].weight.any()


def test_damage_is_named(package):
    path = package.folder / BEV_FUSION_NAME
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match=f'{BEV_FUSION_NAME} is damaged'):
        load_bev_fusion(package, package)
    path.unlink()
    with pytest.raises(UserError, match=f'{BEV_FUSION_NAME} is missing'):
        load_bev_fusion(package, package)


def test_a_card_without_the_hashes_is_refused(package):
    path = package.folder / CARD_NAME
    card = yaml.safe_load(path.read_text())
    del card['bev_fusion']['roadside_sha256']
    path.write_text(yaml.safe_dump(card))
    with pytest.raises(UserError, match="'bev_fusion' must have"):
        open_model(str(package.folder))
