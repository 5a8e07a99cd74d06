"""The parts that the paper's ablations leave out can be left out, in the tracker and in training."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from support.configs import SMALL, SMALL_SIZE
from support.small_tracker import MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.config import MINI, load_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.cooperation.alignment import AlignedInstances
from cooptrack_ros.model.instances.boxes import normalize
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.fusion import Fusion
from cooptrack_ros.tracking.query_fusion import join_queries
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.train.tracking_stage import TrackingStage

FILES = sorted((Path(__file__).parents[3] / 'config' / 'ablation').glob('*.yaml'))


def small(path):
    """
    Return the configuration of a file at a size for tests, with room for what units add.

    Tracks of random weights stay near each other without a motion of their own.
    """
    config = load_config(str(path))
    method = dataclasses.replace(config.method, learned_floor=0.0, max_added_per_unit=SMALL.num_queries,
                                 carried_motion=False)
    return dataclasses.replace(config, method=method, **SMALL_SIZE)


@pytest.fixture(scope='module')
def message():
    """Return a message with every query of a roadside tracker."""
    tracker = make_tracker(Side.ROADSIDE, MANY, SMALL)
    return make_message(tracker.step(tracker.initial(), make_frame(0))[1].instances[:12])


def test_every_part_of_the_papers_tables_has_a_configuration():
    assert {f.stem for f in FILES} == {'full', 'no_gba', 'no_caa', 'no_mdfe', 'early_fusion', 'baseline',
                                       *(f'history_{n}' for n in range(6))}
    full = load_config(str(FILES[[f.stem for f in FILES].index('full')]))
    others = [load_config(str(f)) for f in FILES if f.stem not in ('full', 'history_4')]
    whole = dataclasses.replace(MINI, method=dataclasses.replace(MINI.method, cooperation='whole'))
    assert full == whole and len({*others, full}) == len(others) + 1


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.stem)
def test_a_configuration_tracks_and_trains(path, message):
    config = small(path)
    tracker = make_tracker(Side.COOPERATIVE, MANY, config)
    state, matches = tracker.initial(), 0
    for index in range(2):
        state, output = tracker.step(state, make_frame(index), [message])
        matches += len(output.matches)
    assert matches and np.isfinite(output.tracks.centre).all()
    assert state.tracks.hist_semantic.shape[1] == config.hist_len
    recipe = dataclasses.replace(RECIPES['mini-cooperative'], freeze_backbone=False)
    stage = TrackingStage(CoopTrackNetwork(config, Side.COOPERATIVE), recipe)
    tracker = AgentTracker(stage.network, config, Side.COOPERATIVE)
    codes = torch.tensor([[10.0, 2, 0.6, 1.5, -1, 0.4, 0, 1, 0, 0]])
    for index in range(2):
        stage.network.train()
        terms = stage.frame_losses(0, tracker.prepare(make_frame(index)),
                                   Targets(codes, torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.long)),
                                   message)
        sum(t.value for t in terms.values()).backward()
    unused = {n for n, p in stage.network.named_parameters() if p.grad is None}
    assert ('association' in terms) == (config.method.fusion_stage == 'after_decoder')
    assert any(n.startswith('alignment.rotation') for n in unused) == (config.method.alignment == 'none')
    assert any(n.startswith('motion_extractor') for n in unused) == (config.method.motion_features == 'none')
    assert any(n.startswith('reasoner.temporal') for n in unused) == (config.hist_len == 0)


def test_queries_near_a_track_are_added_to_it_and_others_replace_new_queries():
    method = dataclasses.replace(MINI.method, fusion_stage='before_decoder', cooperation='whole')
    network = CoopTrackNetwork(dataclasses.replace(MINI, method=method, **SMALL_SIZE), Side.COOPERATIVE)
    tracker = AgentTracker(network, network.config, Side.COOPERATIVE)
    rows = tracker.stages.learned_queries()[:5]
    rows = rows.with_(previous_age=torch.tensor([0.0, 0, 0, 0.1, 0.1]))
    pc_range = MINI.ego_range.pc_range
    rows = rows.with_(ref_points=normalize(torch.tensor([[0.0, 0, 0]] * 3 + [[20.0, 0, 0], [-20.0, 0, 0]]), pc_range))
    points = normalize(torch.tensor([[21.0, 0, 0], [-30.0, 5, 0]]), pc_range)
    feature = torch.randn(2, MINI.embed_dims)
    aligned = AlignedInstances(feature, feature, feature, points, torch.zeros(2, 10), torch.ones(2, dtype=torch.bool))
    fused = join_queries(network, Fusion.start(rows, torch.zeros(5)), aligned, 0, torch.tensor([4, 7]),
                         torch.ones(2), 5)
    assert fused.sources.unit.tolist() == [-1, -1, 0, 0, -1] and fused.sources.index.tolist() == [-1, -1, 7, 4, -1]
    assert torch.equal(fused.instances.ref_points[3], rows.ref_points[3])
    assert torch.equal(fused.instances.ref_points[2], points[1])
    assert torch.allclose(fused.instances.semantic[3], rows.semantic[3] + network.query_fusion(feature[:1])[0])
    assert torch.equal(fused.instances.semantic[[0, 1, 4]], rows.semantic[[0, 1, 4]])
