"""Training of the occupancy head: targets, matching, what is carried between frames, and what is not trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_tracker import MANY, NONE, make_frame, make_tracker
from support.small_voxels import (  # noqa: F401
    GRID,
    OWN_SIZES,
    SMALL_CONFIG,
    TRACKER_SIZES,
    VoxelRecords,
    block_labels,
    small_grid,
)

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.instances.boxes import normalize
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.model.occupancy.head import OccupancyHead
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.tracking.lifecycle import Instances
from cooptrack_ros.tracking.own_things import ThingLife, ThingTracker, after
from cooptrack_ros.train import run as runs
from cooptrack_ros.train.loop import TrainLoop
from cooptrack_ros.train.losses import combine, divisors
from cooptrack_ros.train.occupancy.clips import OccupancyStream
from cooptrack_ros.train.occupancy.losses import class_rarity, mask_costs, mask_loss
from cooptrack_ros.train.occupancy.stage import OccupancyStage
from cooptrack_ros.train.occupancy.start import export_head, head_settings, open_run
from cooptrack_ros.train.occupancy.targets import Later, voxel_targets
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.weights.store import open_model, save_side

pytestmark = pytest.mark.usefixtures('small_grid')
OWN = replace(RECIPES['mini-occupancy-own'], steps=2, epochs=0.0, warmup_steps=1, checkpoint_every=1,
              selection=replace(RECIPES['mini-occupancy-own'].selection, drop_probability=0.0))
TRACKED = replace(RECIPES['mini-occupancy-tracker'], steps=2, epochs=0.0, warmup_steps=1, checkpoint_every=1)


def make_stage(recipe, sizes, bias=MANY):
    """Return a stage whose network lets all or no queries live, without dropout."""
    network = make_tracker(Side.VEHICLE, bias, SMALL_CONFIG).network
    torch.manual_seed(1)
    return OccupancyStage(network, OccupancyHead(SMALL_CONFIG, sizes), recipe)


def make_stream(folder, recipe=OWN):
    return OccupancyStream([(folder, VoxelRecords(folder))], Side.VEHICLE, SMALL_CONFIG, recipe, 'small')


def total(terms):
    return sum(combine(terms, divisors(terms)).values())


def test_targets_name_visible_voxels_their_owners_and_how_things_move():
    now, later = block_labels([(3, 1, 20, 23, 14, 16), (9, 3, 24, 25, 20, 21)]), block_labels([(3, 1, 21, 24, 14, 16)])
    forward = np.eye(4)
    forward[0, 3] = 0.5
    found = voxel_targets(now, Later(later, forward, 0.5), GRID, V2X)
    assert len(found.voxels) == now.mask_camera.sum() and found.ids.tolist() == [3, 9]
    assert found.labels.tolist() == [1, 3]
    assert [int(mask.sum()) for mask in found.things(torch.tensor([0, 1]))] == [12, 2]
    np.testing.assert_allclose(found.centre[0], GRID.centres(np.array([21.0, 14.5, 1.5])), rtol=1e-6)
    np.testing.assert_allclose(found.velocity[0], [(GRID.voxel[0] + 0.5) / 0.5, 0, 0], atol=1e-4)
    assert found.velocity[1].isnan().all()


def test_a_thing_without_visible_voxels_is_no_target():
    labels = block_labels([(3, 1, 20, 23, 14, 16)])
    labels.mask_camera[20:23, 14:16] = 0
    assert len(voxel_targets(labels, None, GRID, V2X)) == 0


def test_costs_of_pairs_are_the_losses_of_these_masks():
    torch.manual_seed(0)
    logits, truth = torch.randn(3, 50), (torch.rand(2, 50) > 0.7).float()
    entropy, dice = mask_costs(logits, truth)
    for q, g in np.ndindex(3, 2):
        pair = logits[q:q + 1], truth[g:g + 1]
        assert entropy[q, g] == pytest.approx(mask_loss(*pair, 50, 1.0, 0.0).item(), rel=1e-5)
        assert dice[q, g] == pytest.approx(mask_loss(*pair, 50, 0.0, 1.0).item(), rel=1e-5)
    assert mask_loss(logits[:0], truth[:0], 50, 1.0, 1.0) == 0


def test_rare_classes_count_more_and_what_is_free_counts_once():
    semantics = torch.tensor([5] * 400 + [4] * 100 + [1])
    assert class_rarity(semantics, V2X).tolist() == pytest.approx([20.0, 20.0, 20.0, 20.0, 2.0, 1.0])


def test_frames_need_labels_of_the_grid(tmp_path):
    data = VoxelRecords(tmp_path)
    stream = OccupancyStream([(tmp_path, data)], Side.VEHICLE, SMALL_CONFIG, OWN, 'small')
    assert stream.num_frames == 3
    samples = [stream.sample(0, (0, frame)) for frame in range(3)]
    assert [s.voxels.velocity.isnan().all().item() for s in samples] == [False, False, True]
    for record in data.records:
        record.occupancy = {}
    with pytest.raises(UserError, match='no frame with labels of voxels of the grid small'):
        OccupancyStream([(tmp_path, data)], Side.VEHICLE, SMALL_CONFIG, OWN, 'small')


def test_scenes_that_would_be_mirrored_are_refused(tmp_path):
    mirrored = replace(OWN, augment=replace(OWN.augment, mirror_probability=0.5))
    with pytest.raises(UserError, match='mirror_probability must be 0'):
        make_stream(tmp_path, mirrored)


def test_a_thing_keeps_its_query_and_gradients_cross_frames(tmp_path):
    stage, stream = make_stage(OWN, OWN_SIZES), make_stream(tmp_path)
    stage.losses([0], [stream.sample(0, (0, 0))])
    tracks = stage._memory[0].tracks
    assert sorted(i for i in tracks.ids.tolist() if i >= 0) == [3, 9]
    assert tracks.semantic.requires_grad and not stage._memory[0].bev.requires_grad
    terms = stage.losses([0], [stream.sample(0, (0, 1))])[0]
    assert sorted(i for i in stage._memory[0].tracks.ids.tolist() if i >= 0) == [3, 9]
    assert terms['thing_cls'].divisor == 2
    # The pedestrian has gone: its query is told so, and stays.
    terms = stage.losses([0], [stream.sample(0, (0, 2))])[0]
    assert (terms['thing_cls'].divisor, terms['thing_mask'].divisor) == (2, 1)
    assert sorted(i for i in stage._memory[0].tracks.ids.tolist() if i >= 0) == [3, 9]
    stage.cut()
    assert not stage._memory[0].tracks.semantic.requires_grad


def test_every_part_that_is_not_frozen_learns(tmp_path):
    stage, stream = make_stage(OWN, OWN_SIZES), make_stream(tmp_path)
    terms = [stage.losses([0], [stream.sample(0, (0, frame))])[0] for frame in range(3)]
    total(terms).backward()
    idle = [n for n, p in stage.modules.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert [n for n in idle if not n.startswith('network.')] == []
    learning = {n.split('.')[1] for n, p in stage.modules.named_parameters() if p.grad is not None and p.grad.any()
                and n.startswith('network.')}
    assert {'reasoner', 'query_position'} <= learning and not learning & {'backbone', 'neck', 'bev_encoder', 'decoder'}
    assert all(torch.isfinite(p.grad).all() for p in stage.modules.parameters() if p.grad is not None)


def test_without_the_loss_of_places_the_head_learns_none(tmp_path):
    without = replace(OWN, occupancy=replace(OWN.occupancy, position_weight=0.0))
    terms = make_stage(without, OWN_SIZES).losses([0], [make_stream(tmp_path).sample(0, (0, 0))])[0]
    assert 'thing_position' not in terms and 'thing_mask' in terms


@pytest.mark.parametrize(('recipe', 'sizes'), [(OWN, OWN_SIZES), (TRACKED, TRACKER_SIZES)])
def test_what_is_remembered_goes_through_a_checkpoint(tmp_path, recipe, sizes):
    stream, losses = make_stream(tmp_path), []
    for resumed in (False, True):
        stage = make_stage(recipe, sizes)
        stage.losses([0], [stream.sample(0, (0, 0))])
        if resumed:
            plain, stage = stage.memory(), make_stage(recipe, sizes)
            stage.restore(plain)
        torch.manual_seed(5)
        losses.append(total(stage.losses([0], [stream.sample(0, (0, 1))])).item())
    assert losses[0] == losses[1]


def test_the_tracker_whose_tracks_are_used_stays_as_it_is(tmp_path):
    stage = make_stage(TRACKED, TRACKER_SIZES)
    before = {k: v.clone() for k, v in stage.network.state_dict().items()}
    loop = TrainLoop(stage, make_stream(tmp_path, TRACKED), TRACKED, tmp_path / 'run')
    assert loop.run() and loop.step == 2
    assert all(torch.equal(v, before[k]) for k, v in stage.network.state_dict().items())
    assert all(torch.isfinite(p).all() for p in stage.head.parameters())


def live_at(stage, sample, points, monkeypatch):
    """Let the live tracks of the tracker be at some points (N, 3), metres, with boxes of 6 x 5 x 4 m."""
    feats, embeds = torch.randn(2, len(points), SMALL_CONFIG.embed_dims)
    rows = Instances.new(normalize(points, SMALL_CONFIG.ego_range.pc_range), feats, embeds, 4, 3)
    codes = rows.codes.clone()
    codes[:, [3, 2, 5]], codes[:, 6] = torch.tensor([6.0, 5.0, 4.0]).log(), -1.0
    past = stage._tracked(None, sample.inputs, [])[1:]
    monkeypatch.setattr(stage, '_tracked', lambda *args: (rows.with_(codes=codes), *past))


def test_a_live_track_learns_the_mask_of_the_thing_where_it_is(tmp_path, monkeypatch):
    stage, sample = make_stage(TRACKED, TRACKER_SIZES, NONE), make_stream(tmp_path).sample(0, (0, 0))
    points = torch.cat([sample.voxels.centre[:1] + 1.0, torch.tensor([[-40.0, -40.0, 0.0]])])
    live_at(stage, sample, points, monkeypatch)
    seen = []
    monkeypatch.setattr(stage, 'criterion', lambda output, *args: seen.append(args) or {})
    stage.losses([0], [sample])
    index, vanished, metres, _ = seen[0]
    assert index.tolist() == [0, -1] and vanished == 1 and metres.shape == (2, 3)


@pytest.mark.parametrize('recipe, sizes', [(OWN, OWN_SIZES), (TRACKED, TRACKER_SIZES)])
def test_both_kinds_of_heads_learn_a_frame_by_heart(tmp_path, monkeypatch, recipe, sizes):
    sample = make_stream(tmp_path, recipe).sample(0, (0, 0))
    stage = make_stage(recipe, sizes)
    if recipe is TRACKED:
        live_at(stage, sample, sample.voxels.centre - torch.tensor([2.0, -1.0, 2.0]), monkeypatch)
    optimiser = torch.optim.Adam([p for p in stage.modules.parameters() if p.requires_grad], 0.01)
    losses = []
    for _ in range(25):
        stage._memory.clear()
        loss = total(stage.losses([0], [sample]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_run_is_opened_exported_into_its_own_model_and_into_no_other(tmp_path):
    stage, stream = make_stage(TRACKED, TRACKER_SIZES), make_stream(tmp_path, TRACKED)
    loop = runs.train(stage, stream, SMALL_CONFIG, TRACKED, tmp_path / 'run', None, more=head_settings(stage))
    network, head = open_run(tmp_path / 'run')
    assert head.sizes == TRACKER_SIZES and network.side is Side.VEHICLE
    assert all(torch.equal(v, head.state_dict()[k]) for k, v in stage.head.state_dict().items())
    for folder, seed in (('own', None), ('other', 7)):
        if seed is not None:
            torch.manual_seed(seed)
            network = CoopTrackNetwork(SMALL_CONFIG, Side.VEHICLE)
        save_side(tmp_path / folder, SMALL_CONFIG, Side.VEHICLE, network, {})
    with pytest.raises(UserError, match='are not those that the training stands on'):
        export_head(tmp_path / 'other', stage, TRACKED, loop, [tmp_path])
    # As with --init, the network is that of the file, in half precision.
    stage.network.load_state_dict(open_model(str(tmp_path / 'own')).state(Side.VEHICLE))
    export_head(tmp_path / 'own', stage, TRACKED, loop, [tmp_path])
    package = open_model(str(tmp_path / 'own'))
    assert package.occupancy(Side.VEHICLE) is not None
    assert package.card['occupancy']['sides']['vehicle']['training']['steps'] == 2


def test_a_run_of_another_stage_has_no_head(tmp_path):
    (tmp_path / 'settings.json').write_text('{"model": {}}')
    with pytest.raises(UserError, match='of another stage than occupancy'):
        open_run(tmp_path)


def rows_with(scores, ids=-1, missed=0, established=False):
    count = len(scores)
    rows = Instances.new(torch.rand(count, 3), torch.randn(count, 4), torch.randn(count, 4), 2, 6)
    return rows.with_(scores=torch.tensor(scores), ids=torch.full((count,), ids), missed=torch.full((count,), missed),
                      established=torch.full((count,), established))


def test_things_end_with_the_third_miss_in_a_row():
    rows, life = rows_with([0.5, 0.28, 0.2]), ThingLife()
    rows, live, next_id = after(rows[rows.scores >= life.birth], 7, life)
    assert rows.ids.tolist() == [7] and live.tolist() == [True] and next_id == 8
    missed = []
    for score in (0.1, 0.1, 0.26, 0.1, 0.1, 0.1):
        rows, live, next_id = after(rows.with_(scores=torch.tensor([score])), next_id, life)
        missed.append((rows.missed.item(), live.item()))
    assert missed == [(1, True), (2, True), (0, True), (1, True), (2, True), (3, False)] and next_id == 8


def test_in_the_published_code_only_a_score_of_birth_ends_a_row_of_misses():
    rows, life = rows_with([0.26], ids=4, missed=2, established=True), ThingLife(reset_at='birth')
    assert after(rows, 9, life)[0].missed.item() == 2
    assert after(rows.with_(scores=torch.tensor([0.31])), 9, life)[0].missed.item() == 0


def test_things_of_the_head_keep_identities_and_frames_of_another_sequence_start_afresh():
    torch.manual_seed(2)
    head = OccupancyHead(SMALL_CONFIG, OWN_SIZES)
    torch.nn.init.constant_(head.cls.bias, 2.0)
    tracker = ThingTracker(CoopTrackNetwork(SMALL_CONFIG, Side.VEHICLE), head, SMALL_CONFIG, Side.VEHICLE)
    state, first = tracker.step(tracker.initial(), make_frame(0))
    after_first = state
    state, second = tracker.step(state, make_frame(1))
    assert first.ids.tolist() == list(range(1, 11))
    assert second.ids.tolist() == list(range(1, 21))
    _, again = tracker.step(after_first, make_frame(1))
    np.testing.assert_array_equal(again.volume.instances, second.volume.instances)
    _, other = tracker.step(state, make_frame(0, 'b'))
    assert other.ids.tolist() == list(range(21, 31))


def test_without_a_sure_query_nothing_is_born():
    head = OccupancyHead(SMALL_CONFIG, OWN_SIZES)
    torch.nn.init.constant_(head.cls.bias, -20.0)
    tracker = ThingTracker(CoopTrackNetwork(SMALL_CONFIG, Side.VEHICLE), head, SMALL_CONFIG, Side.VEHICLE)
    state, found = tracker.step(tracker.initial(), make_frame(0))
    assert not found.volume.instances.any() and state.next_id == 1 and not len(state.past.tracks)


@pytest.mark.parametrize(('options', 'complaint'), [
    (['occupancy'], '--queries tracker needs --init MODEL'),
    (['occupancy', '--config', 'r50', '--queries', 'own'], "no occupancy head 'r50'; known: mini, trackocc_r50"),
    (['vehicle', '--queries', 'own'], '--queries belongs to the stage occupancy'),
    (['detection', '--side', 'cooperative'], '--side cooperative belongs to the stage occupancy'),
    (['occupancy', '--side', 'vehicle', '--roadside', 'mini'], 'to the cooperative side, not to --side vehicle'),
    (['occupancy', '--queries', 'own', '--export', 'model'], '--export is for --queries tracker')])
def test_options_that_do_not_go_together_are_refused(options, complaint, tmp_path, capsys):
    assert main(['train', *options, '--data', str(tmp_path), '--out', str(tmp_path / Path('run'))]) == 2
    assert complaint in capsys.readouterr().err
