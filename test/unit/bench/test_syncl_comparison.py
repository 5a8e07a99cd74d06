"""The comparison of trainings with and without SynCL: drawn features, resuming, tables."""

import argparse
import dataclasses
import json
import sys

import pytest
import syncl
import synthetic_features as features
import torch

from cooptrack_ros.common.types import Side
from cooptrack_ros.eval.origin import ORIGIN
from cooptrack_ros.train.recipe import load_recipe
from cooptrack_ros.train.syncl.settings import SynclConfig
from cooptrack_ros.train.tracking_stage import TrackingStage


def test_streams_side_by_side_have_the_losses_of_one_after_another(monkeypatch):
    monkeypatch.setattr(features, 'TRAIN', range(1, 3))
    recipe = dataclasses.replace(features.RECIPE, batch_size=2, syncl=SynclConfig(twin=True))
    stream, found = features.FeatureStream(recipe), []
    network = features.new_network(Side.VEHICLE, 0)
    for losses in (features.FeatureStage.losses, TrackingStage.losses):
        stage = features.FeatureStage(network, recipe)
        torch.manual_seed(1)
        for frame in range(2):
            terms = losses(stage, range(2), [stream.sample(slot, (0, frame)) for slot in range(2)])
        found.append(terms)
    for ours, theirs in zip(*found, strict=True):
        assert ours.keys() == theirs.keys() and 'syncl_contrast' in ours
        for name, term in theirs.items():
            torch.testing.assert_close(ours[name].total, term.total, atol=1e-4, rtol=1e-4)


def test_a_sequence_is_the_same_at_every_time_and_a_second_view_hides_others():
    again = features.sequence.__wrapped__(1)
    first = features.sequence(1)
    assert torch.equal(first.blobs, again.blobs)
    assert [b.track_id.tolist() for b in first.boxes] == [b.track_id.tolist() for b in features.sequence(1, 1).boxes]
    assert not torch.equal(first.blobs, features.sequence(1, 1).blobs)
    assert not {*features.TRAIN} & {*features.VALIDATION} and not {*features.TEST} & {
        *features.TRAIN, *features.VALIDATION}


class Counting:
    """Takes a number for a training, and is interrupted after some."""

    about, pace = {'setting': 'none'}, {}

    def __init__(self, left):
        self.left, self.done = left, []

    def run(self, run):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.done.append(run.name)
        return {**dict.fromkeys(syncl.FIGURES, 0.25 + run.seed), 'threshold_fell': 0.5}


def test_an_interrupted_comparison_goes_on_and_leaves_what_it_has(tmp_path, monkeypatch, capsys):
    setting = Counting(7)
    monkeypatch.setattr(syncl, 'Features', lambda args: setting)
    monkeypatch.setattr(sys, 'argv', ['syncl.py', '--out', str(tmp_path), '--json', str(tmp_path / 'all.json'),
                                      '--seeds', '0', '1', '--parts', 'arms'])
    with pytest.raises(KeyboardInterrupt):
        syncl.main()
    rows = json.loads((tmp_path / 'all.json').read_text())['runs']['arms']
    assert {arm: len(done) for arm, done in rows.items()} == dict.fromkeys(syncl.ARMS, 1) | {
        syncl.PLAIN: 2, syncl.SYNCL: 2}
    setting.left = 99
    assert syncl.main() == 0
    assert len(setting.done) == len(set(setting.done)) == 2 * len(syncl.ARMS)
    lines = capsys.readouterr().out.splitlines()
    assert f'| {syncl.SYNCL} | ' + ' | '.join(
        ['0.750 ± 0.707'] * 3 + ['1 ± 1'] * 2 + ['0.750 ± 0.707', '0.500 ± 0.000']) + ' |' in lines


def test_seeds_of_tests_are_for_no_choice():
    class Args:
        seeds, parts = [0, 1], list(syncl.PARTS)
    parts = {run.part for run in syncl.runs(Args)}
    assert parts == set(syncl.PARTS)
    assert all(run.seed == 0 for run in syncl.runs(Args) if run.part == 'choices')
    assert len({run.name for run in syncl.runs(Args)}) == len(list(syncl.runs(Args)))


def test_trainings_on_images_are_measured_in_the_layout_of_eval(tmp_path, monkeypatch):
    commands = []

    def run(command, **options):
        words = [str(word) for word in command]
        commands.append(words)
        if 'train' in words:
            folder = tmp_path / 'SynCL_0' / 'run'
            folder.mkdir(parents=True)
            (folder / 'log.jsonl').write_text(
                '{"step": 20, "elapsed_s": 30.0, "syncl_threshold": 4.0}\n'
                '{"step": 40, "elapsed_s": 60.0, "syncl_threshold": 1.0, "syncl_retrieval": 0.5}\n')
        else:
            figures = dict.fromkeys(syncl.FIGURES, 0.5)
            row = {'schema': 'cooptrack-eval/2', 'mode': 'none', 'vehicle': figures, **dict.fromkeys(ORIGIN, ''),
                   'spread': {'number': 2, 'over': 'scenes', 'vehicle': figures}}
            (tmp_path / 'SynCL_0' / 'eval.json').write_text(json.dumps(row))
    monkeypatch.setattr(syncl.subprocess, 'run', run)
    args = argparse.Namespace(out=tmp_path, steps=40, config='mini', recipe='mini-vehicle', data=[tmp_path / 'a'],
                              test=[tmp_path / 'b'], init=[tmp_path / 'c'])
    images = syncl.Images(args)
    found = images.run(syncl.Run('arms', syncl.SYNCL, {'twin': True}, 0))
    assert found['AMOTA'] == 0.5 and found['threshold_fell'] == 0.75 and found['steps'] == 40
    assert images.pace == {syncl.SYNCL: 1.5}
    assert load_recipe(str(tmp_path / 'SynCL_0' / 'recipe.yaml')).syncl == SynclConfig(twin=True)
    assert [words[words.index('cooptrack_ros.cli.main') + 1] for words in commands] == ['train', 'eval']
