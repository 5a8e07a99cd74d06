"""The stages of ``cooptrack train`` stand in one table: what each takes, and what is refused in which words."""

from __future__ import annotations

import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.cli.train_stages import STAGES, TrainedStage
from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.errors import UserError

WORDS = ['--data', '/nowhere', '--out']


@pytest.mark.parametrize(('words', 'refusal'), [
    (['image', '--roadside', 'm'], '--roadside belongs to the stages cooperative, flow, occupancy, bev-fusion'),
    (['vehicle', '--side', 'vehicle'],
     '--side belongs to the stages image, detection and occupancy; the other stages name their side'),
    (['image', '--side', 'cooperative'], '--side cooperative belongs to the stage occupancy'),
    (['roadside', '--early'], '--early belongs to the vehicle in the stages vehicle and detection'),
    (['detection', '--side', 'roadside', '--early'],
     '--early belongs to the vehicle in the stages vehicle and detection'),
    (['flow', '--queries', 'own'], '--queries belongs to the stage occupancy'),
    (['bev-fusion', '--agents', 'ego'], '--agents belongs to the stage lidar-pretraining'),
    (['lidar-pretraining', '--export', 'e'],
     '--export is for networks of a tracker: the stage lidar-pretraining leaves its encoder in --out'),
    (['detection'], 'stage detection needs --side vehicle or --side roadside'),
    (['cooperative'], 'stage cooperative needs --roadside MODEL, whose network sends the messages'),
    (['flow'], 'stage flow needs --roadside MODEL, whose network sends the messages'),
    (['occupancy', '--side', 'vehicle', '--roadside', 'm'],
     '--roadside sends messages to the cooperative side, not to --side vehicle'),
    (['occupancy', '--queries', 'own', '--export', 'e'],
     '--export is for --queries tracker: a head with queries of its own is used from its run folder'),
    (['image', '--config', 'mini_lidar'],
     '--config mini_lidar has a point cloud branch, which the stage image does not train'),
    (['lidar-pretraining', '--hz', '5'],
     '--hz, and hz of a recipe, is not for the stage lidar-pretraining, which learns from all frames')])
def test_what_a_stage_does_not_take_is_refused(words, refusal, tmp_path, capsys):
    assert main(['train', *words, *WORDS, str(tmp_path / 'run')]) == 2
    assert capsys.readouterr().err.strip().endswith(refusal)
    assert not (tmp_path / 'run').exists()


class _Other(TrainedStage):
    def configuration(self, args):
        return MINI, 'sizes'

    def recipe_of(self, args):
        return 'flow'

    def prepare(self, call, sender):
        raise UserError(f'prepared with {call.sizes} and {call.recipe.steps} steps from {call.args.roadside}')


def test_a_stage_is_added_by_one_entry(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(STAGES, 'other', _Other('other', 'what nobody trains yet', ('queries',), own_recipe=True))
    assert main(['train', 'other', '--steps', '7', *WORDS, str(tmp_path / 'run')]) == 2
    assert 'prepared with sizes and 7 steps from None' in capsys.readouterr().err
    assert main(['train', 'other', '--agents', 'all', *WORDS, str(tmp_path / 'run')]) == 2
    assert '--agents belongs to the stage lidar-pretraining' in capsys.readouterr().err
    assert main(['train', 'image', '--queries', 'own', *WORDS, str(tmp_path / 'run')]) == 2
    assert '--queries belongs to the stage occupancy and other' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['train', '--help'])
    assert 'other: what nobody trains yet' in ' '.join(capsys.readouterr().out.split())
