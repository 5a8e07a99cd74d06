"""The fusion of BEV features beside the networks of a model."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch
import yaml
from safetensors.torch import save
from support.configs import TINY

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.feature_flow import FeatureFlow
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.bev_fusion_file import BEV_FUSION_NAME, has_bev_fusion, load_bev_fusion, save_bev_fusion
from cooptrack_ros.weights.model_folder import CARD_NAME
from cooptrack_ros.weights.store import FLOW_NAME, open_model, save_side
from cooptrack_ros.weights.store_parts import save_flow


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


def verified(folder, capsys):
    """Return the exit status of ``weights verify`` and its lines about the fusion."""
    status = main(['weights', 'verify', str(folder)])
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith('model bev_fusion: '))
    return status, '\n'.join(lines[start:])


def test_verify_looks_at_it_too(package, capsys):
    assert verified(package.folder, capsys) == (
        0, 'model bev_fusion: ok, hash as on the card, for its vehicle and roadside weights')
    torch.manual_seed(9)
    save_side(package.folder, TINY, Side.ROADSIDE, CoopTrackNetwork(TINY, Side.ROADSIDE), {})
    assert verified(package.folder, capsys) == (
        0, 'model bev_fusion: ok, hash as on the card, for its vehicle weights, for roadside weights that are not its '
           'own')
    (package.folder / 'roadside.safetensors').unlink()
    save_side(package.folder, TINY, Side.VEHICLE, CoopTrackNetwork(TINY, Side.VEHICLE), {})
    assert verified(package.folder, capsys) == (
        0, 'model bev_fusion: ok, hash as on the card, for vehicle and roadside weights that are not its own')


def test_verify_names_one_of_other_sizes_or_another_file(package, capsys):
    wider = replace(TINY, embed_dims=2 * TINY.embed_dims)
    data = save({k: v.contiguous() for k, v in BevFusion(wider).state_dict().items()})
    path, card_path = package.folder / BEV_FUSION_NAME, package.folder / CARD_NAME
    path.write_bytes(data)
    status, said = verified(package.folder, capsys)
    assert status == 1 and f'{BEV_FUSION_NAME} is damaged or was replaced' in said
    card = yaml.safe_load(card_path.read_text())
    card['bev_fusion'] |= {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data)}
    card_path.write_text(yaml.safe_dump(card))
    status, said = verified(package.folder, capsys)
    assert status == 1 and 'of another shape' in said
    path.unlink()
    status, said = verified(package.folder, capsys)
    assert status == 1 and f'{BEV_FUSION_NAME} is missing' in said


def test_verify_looks_at_the_flow_too(package, capsys):
    save_flow(package, FeatureFlow(TINY.embed_dims, 4), {})
    assert main(['weights', 'verify', str(package.folder)]) == 0
    assert 'model flow: ok, hash as on the card, for its roadside weights' in capsys.readouterr().out
    path = package.folder / FLOW_NAME
    path.write_bytes(path.read_bytes()[:-8])
    assert main(['weights', 'verify', str(package.folder)]) == 1
    assert f'{FLOW_NAME} is damaged or was replaced' in capsys.readouterr().out
