"""Published checkpoints: read safely, checked, taken over and written back without changing a bit."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from support.configs import write_config

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.parity.fill import manifest
from cooptrack_ros.weights import convert, published_files
from cooptrack_ros.weights.convert import export_file, import_file
from cooptrack_ros.weights.published_checkpoint import read_checkpoint
from cooptrack_ros.weights.published_keys import TRACKING_PREFIXES, expected_entries
from cooptrack_ros.weights.store import open_model, write_side
from cooptrack_ros.weights.verify import verify_side

SMALL = replace(MINI, bev_size=(6, 6), num_queries=8, published_extras=True,
                method=replace(MINI.method, cooperation='whole'))


def entries(config=SMALL, side=Side.COOPERATIVE, detection_only=False):
    """Return random values under the published names."""
    g = torch.Generator().manual_seed(0)
    return OrderedDict(
        (n, torch.tensor(7) if n.endswith('num_batches_tracked') else torch.randn(shape, generator=g))
        for n, shape in expected_entries(config, side, detection_only).items())


def imitation(state):
    """Return what files of that era hold besides the entries."""
    return {
        'meta': {'epoch': 24, 'iter': np.int64(12345), 'mmcv_version': '1.4.0', 'seed': np.float64(0),
                 'time': 'Mon Mar  3 12:00:00 2025', 'config': 'model = dict(type="CoopTrack")', 'env_info': 'GCC 7',
                 'CLASSES': ('car', 'bicycle', 'pedestrian'), 'PALETTE': None, 'kind': np.dtype('float32'),
                 'hook_msgs': {}},
        'state_dict': state,
        'optimizer': {'state': {0: {'step': 22080, 'exp_avg': torch.zeros(3), 'exp_avg_sq': torch.zeros(3)}},
                      'param_groups': [{'lr': np.float32(2e-4), 'betas': (0.9, 0.999), 'params': [0]}]}}


@pytest.fixture
def small(tmp_path):
    """Return the folder of a test with a YAML configuration config.yaml and a file some_coop.pth that fits it."""
    write_config(tmp_path, SMALL)
    torch.save(imitation(entries()), tmp_path / 'some_coop.pth')
    return tmp_path


def same(a, b):
    """Tell whether two states hold the same bits under the same names."""
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def test_a_file_of_all_914_published_entries_round_trips(tmp_path):
    g = torch.Generator().manual_seed(0)
    state = OrderedDict((e.name, torch.tensor(3) if e.dtype == 'int64' else torch.randn(e.shape, generator=g))
                        for e in manifest('coop'))
    assert len(state) == 914
    torch.save(imitation(state), tmp_path / 'mine_coop.pth')
    package, checked = import_file(tmp_path / 'mine_coop.pth', R50, folder=tmp_path / 'models')
    assert (checked.side, checked.entries, checked.published) == (Side.COOPERATIVE, 914, None)
    assert package.name == 'mine' and package.config == R50
    assert export_file(package, Side.COOPERATIVE, tmp_path / 'back.pth') == 914
    back = read_checkpoint(tmp_path / 'back.pth')
    assert same(back.state, state)
    assert back.notes['epoch'] == 24 and back.notes['iter'] == 12345
    ours = package.network(Side.COOPERATIVE).state_dict()
    assert torch.equal(ours['query_points.weight'], state['reference_points.weight'])


def test_the_old_file_format_is_read_too(small):
    torch.save(imitation(entries()), small / 'old_coop.pth', _use_new_zipfile_serialization=False)
    assert same(read_checkpoint(small / 'old_coop.pth').state, entries())


def test_importing_twice_is_the_same_and_another_file_is_refused(small):
    first, _ = import_file(small / 'some_coop.pth', SMALL, folder=small / 'models')
    again, _ = import_file(small / 'some_coop.pth', SMALL, folder=small / 'models')
    assert first.model_id(Side.COOPERATIVE) == again.model_id(Side.COOPERATIVE)
    state = entries()
    state['reference_points.weight'] += 1
    torch.save({'state_dict': state}, small / 'other_coop.pth')
    with pytest.raises(UserError, match='from another source already'):
        import_file(small / 'other_coop.pth', SMALL, name='some', folder=small / 'models')
    with pytest.raises(UserError, match='another configuration'):
        import_file(small / 'some_coop.pth', replace(SMALL, name='x'), folder=small / 'models')


def test_the_card_records_source_method_and_hash(small):
    package, checked = import_file(small / 'some_coop.pth', SMALL, folder=small / 'models')
    card = yaml.safe_load((package.folder / 'card.yaml').read_text())
    assert card['configuration']['method']['previous_bev'] == 'warp'
    side = card['sides']['cooperative']
    assert side['source'] == {'file': 'some_coop.pth', 'md5': checked.md5, 'published': None, 'epoch': 24,
                              'iter': 12345, 'mmcv_version': '1.4.0', 'seed': 0.0,
                              'time': 'Mon Mar  3 12:00:00 2025'}
    assert len(side['sha256']) == 64


def test_published_files_are_known_by_their_md5(small, monkeypatch):
    path = small / 'downloaded.pth'
    torch.save({'state_dict': entries(side=Side.ROADSIDE)}, path)
    file = published_files.PublishedFile('cooptrack_r50_inf', published_files.md5_of(path), Side.ROADSIDE)
    monkeypatch.setattr(published_files, 'PUBLISHED_FILES', (file,))
    package, checked = import_file(path, SMALL, folder=small / 'models')
    assert checked.published is file and checked.side is Side.ROADSIDE and package.name == 'cooptrack_r50'
    with pytest.raises(UserError, match='holds roadside weights, not vehicle'):
        convert.check_file(path, SMALL, Side.VEHICLE)


def test_the_registry_holds_the_five_published_files():
    assert [(f.name, f.md5[:8], f.side.value) for f in published_files.PUBLISHED_FILES] == [
        ('cooptrack_det_r50_veh', 'f79a1eea', 'vehicle'), ('cooptrack_det_r50_inf', 'f93c88f4', 'roadside'),
        ('cooptrack_r50_veh', '34d9f055', 'vehicle'), ('cooptrack_r50_inf', '0657439d', 'roadside'),
        ('cooptrack_r50_coop', '12d4658b', 'cooperative')]
    assert published_files.known_file('12d4658b70f21931f3b4a793cd1bf033').name == 'cooptrack_r50_coop'


def test_vehicle_and_roadside_files_are_reported_apart_by_name_or_option(small):
    torch.save({'state_dict': entries(side=Side.VEHICLE)}, small / 'unclear.pth')
    with pytest.raises(UserError, match='--side'):
        convert.check_file(small / 'unclear.pth', SMALL)
    assert convert.check_file(small / 'unclear.pth', SMALL, Side.ROADSIDE).side is Side.ROADSIDE
    (small / 'unclear.pth').rename(small / 'mine_veh.pth')
    assert convert.check_file(small / 'mine_veh.pth', SMALL).side is Side.VEHICLE


def test_detection_weights_start_a_training_but_do_not_track(small):
    state = entries(side=Side.VEHICLE, detection_only=True)
    assert not any(n.startswith(TRACKING_PREFIXES) for n in state)
    torch.save({'state_dict': state}, small / 'det_veh.pth')
    package, checked = import_file(small / 'det_veh.pth', SMALL, folder=small / 'models')
    assert checked.detection_only and open_model(str(package.folder)).detection_only
    with pytest.raises(UserError, match='detection weights only'):
        package.network(Side.VEHICLE)
    assert torch.equal(package.state(Side.VEHICLE)['query_points.weight'], state['reference_points.weight'])
    assert 'fit' in verify_side(package, Side.VEHICLE)


def test_the_published_r50_detection_file_has_651_entries():
    assert len(expected_entries(R50, Side.VEHICLE, detection_only=True)) == 651


# What must be refused.


def test_a_truncated_file_is_refused(small):
    data = (small / 'some_coop.pth').read_bytes()
    for length in (0, 100, len(data) // 2, len(data) - 30):
        (small / 'cut_coop.pth').write_bytes(data[:length])
        with pytest.raises(UserError, match='not a complete PyTorch checkpoint|nothing in it was run'):
            read_checkpoint(small / 'cut_coop.pth')


def test_every_difference_of_entries_is_reported(small):
    state = entries()
    state['query_embedding.9.weight'] = state.pop('query_embedding.0.weight')
    state['STReasoner.wq'] = state['STReasoner.wq'][:-1]
    state['STReasoner.wk'] = state['STReasoner.wk'].half()
    state['reference_points.weight'][0, 0] = float('nan')
    torch.save({'state_dict': state}, small / 'bad_coop.pth')
    with pytest.raises(UserError) as caught:
        convert.check_file(small / 'bad_coop.pth', SMALL)
    text = str(caught.value)
    assert '1 missing: query_embedding.0.weight' in text and '1 unexpected: query_embedding.9.weight' in text
    assert '1 of another shape: STReasoner.wq (95, 96) instead of (96, 96)' in text
    assert '1 of another type: STReasoner.wk torch.float16' in text
    assert '1 with NaN or infinity: reference_points.weight' in text


WRAPPED = {
    'module.': lambda s: {'state_dict': {f'module.{k}': v for k, v in s.items()}},
    'model.': lambda s: {'state_dict': {f'model.{k}': v for k, v in s.items()}},
    '_orig_mod.': lambda s: {f'module._orig_mod.{k}': v for k, v in s.items()},
    'ema_': lambda s: {'state_dict': {f'ema_{k}': v for k, v in s.items()}},
    'ema_*': lambda s: {'state_dict': {**s, **{'ema_' + k.replace('.', '_'): v + 1 for k, v in s.items()}}},
    "'model'": lambda s: {'model': s, 'epoch': 3}, "'model_state_dict'": lambda s: {'model_state_dict': s}}


@pytest.mark.parametrize('said', WRAPPED)
def test_what_other_tools_put_around_the_entries_is_taken_off_and_said(small, said, capsys):
    state = entries(side=Side.VEHICLE)
    torch.save(WRAPPED[said](state), small / 'wrapped_veh.pth')
    assert same(convert.check_file(small / 'wrapped_veh.pth', SMALL).checkpoint.state, state)
    words = ['weights', 'import', str(small / 'wrapped_veh.pth'), '--config', str(small / 'config.yaml'),
             '--models', str(small / 'models')]
    assert main(words) == 0
    assert said in capsys.readouterr().out
    assert main(['weights', 'verify', *words[2:5]]) == 0
    assert said in capsys.readouterr().out


def test_names_that_do_not_fit_after_it_are_refused_with_what_was_done(small):
    state = {f'module.{k}': v for k, v in entries(side=Side.VEHICLE).items()}
    state.pop(next(iter(state)))
    torch.save(state, small / 'wrapped_veh.pth')
    with pytest.raises(UserError, match="the prefix 'module.' was taken off all names\n1 missing"):
        convert.check_file(small / 'wrapped_veh.pth', SMALL)


@pytest.mark.parametrize(('content', 'called'), [
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n', 'pointer of Git LFS.*git lfs pull'),
    (b'\n<!DOCTYPE html>\n<html lang="en">', 'page of a website'), (b'<HTML><body>', 'page of a website')])
def test_a_file_that_only_stands_for_weights_is_called_what_it_is(small, content, called, capsys):
    path = small / 'some_coop.pth'
    path.write_bytes(content)
    with pytest.raises(UserError, match=called):
        read_checkpoint(path)
    assert main(['weights', 'import', str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_stored_weights_that_are_a_pointer_are_called_that(small):
    package, _ = import_file(small / 'some_coop.pth', SMALL, folder=small / 'models')
    (package.folder / 'cooperative.safetensors').write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(UserError, match='pointer of Git LFS'):
        package.state(Side.COOPERATIVE)


class Malicious:
    """Writes a file when it is unpickled by an unsafe reader."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f'touch {self.target}',)


class Evaluated(Malicious):
    """The same by another door."""

    def __reduce__(self):
        return eval, (f'open({str(self.target)!r}, "w")',)


@pytest.mark.parametrize('kind', [Malicious, Evaluated])
@pytest.mark.parametrize('place', ['meta', 'state_dict', 'optimizer', 'legacy', 'pickle'])
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path, kind, place):
    target, path = tmp_path / 'was_run', tmp_path / 'evil_coop.pth'
    content = imitation({'a': torch.zeros(1)})
    if place == 'state_dict':
        content['state_dict']['b'] = kind(target)
    elif place in ('meta', 'optimizer'):
        content[place]['x'] = kind(target)
    else:
        content['x'] = kind(target)
    if place == 'pickle':
        path.write_bytes(pickle.dumps({'x': kind(target)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=place != 'legacy')
    with pytest.raises(UserError, match='nothing in it was run'):
        read_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize(('content', 'match'), [
    ([1, 2], 'holds a list'), ({'meta': {}}, "no 'state_dict'"), ({'state_dict': {}}, "no 'state_dict'"),
    ({'state_dict': {'a': 1}}, "no 'state_dict'")])
def test_other_contents_are_refused(tmp_path, content, match):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(UserError, match=match):
        read_checkpoint(tmp_path / 'x.pth')


# The command.


def test_the_command_imports_verifies_lists_and_exports(small, capsys, monkeypatch):
    models = small / 'models'
    config = ['--config', str(small / 'config.yaml')]
    assert main(['weights', 'verify', str(small / 'some_coop.pth'), *config]) == 0
    assert main(['weights', 'import', str(small / 'some_coop.pth'), '--models', str(models), *config]) == 0
    printed = capsys.readouterr().out
    assert 'not one of the published files' in printed and f'--weights {models / "some"}' in printed
    monkeypatch.setattr('cooptrack_ros.weights.store.model_folders', lambda: [models])
    assert main(['weights', 'list']) == 0
    printed = capsys.readouterr().out
    assert 'some_coop.pth' in printed and 'cooptrack_r50_coop.pth' in printed
    assert main(['weights', 'export', 'some', '--out', str(small / 'out')]) == 0
    assert same(read_checkpoint(small / 'out' / 'some_coop.pth').state, entries())
    assert main(['weights', 'verify']) == 0
    (models / 'some' / 'cooperative.safetensors').write_bytes(b'damaged')
    assert main(['weights', 'verify', 'some']) == 1
    assert 'damaged or was replaced' in capsys.readouterr().out


def test_entries_that_no_network_has_are_named_in_one_line(small, capsys):
    package, _ = import_file(small / 'some_coop.pth', SMALL, folder=small / 'models')
    state = package.state(Side.COOPERATIVE)
    write_side(package.folder, SMALL, Side.COOPERATIVE, state | {'decoder.head\n.x': torch.zeros(2)}, {}, 'none')
    assert main(['weights', 'verify', str(package.folder)]) == 1
    said = "cooperative weights of 'some' hold 1 entries that no network has: decoder.head"
    assert said in capsys.readouterr().out
    assert main(['weights', 'export', str(package.folder), '--out', str(small / 'out')]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and 'Traceback' not in printed.err


def test_the_command_names_what_is_wrong(small, capsys):
    assert main(['weights', 'import', str(small / 'missing.pth')]) == 2
    assert 'no such file' in capsys.readouterr().err
    assert main(['weights', 'import', str(small / 'some_coop.pth'), '--config', 'r51']) == 2
    assert "no configuration 'r51'" in capsys.readouterr().err
    assert main(['weights', 'import', str(small / 'some_coop.pth')]) == 2
    assert "does not fit configuration 'r50'" in capsys.readouterr().err
    assert main(['weights', 'export', 'random:mini']) == 2
