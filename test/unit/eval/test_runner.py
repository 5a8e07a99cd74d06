"""Runs over a small synthetic scene: exchange format, oracle, statistics."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import apply_overrides
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.method_config import TrackerConfig
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.eval.channel import Channel
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.oracle import oracle_result
from cooptrack_ros.eval.report import headline
from cooptrack_ros.eval.result_files import read_exchange
from cooptrack_ros.eval.runner import BYTES_PER_BOX, MODES, Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.weights.store import open_model


class Counting:
    """A model package that notes which networks were asked for."""

    def __init__(self, package):
        self.sides, self.name, self.config, self._package = [], package.name, package.config, package

    def with_method(self, **changes):
        """Return a package that notes in the same list."""
        other = Counting(self._package.with_method(**changes))
        other.sides = self.sides
        return other

    def uncertainty(self):
        """State nothing."""

    def at_rate(self, hz):
        """Return the same: nothing changes at the rate of these scenes."""
        return self

    def tracker(self, side, execution, takes_clouds=False):
        """Return a tracker and note its side."""
        self.sides.append(side)
        return self._package.tracker(side, execution=execution)


def talkative_model():
    """Return random weights that track and send everything, so that there is something to fuse and to count."""
    package = open_model('random:mini')
    keep = {'score_threshold': 0.0, 'output_threshold': 0.0}
    return replace(package, config=apply_overrides(package.config, {'tracker_roadside': keep}))


def first_box(data):
    """Return the first predicted box of a result."""
    return next(rows for rows in data['predictions'].values() if rows)[0]


@pytest.fixture(scope='module')
def datasets(scenes):
    """Return one small scene."""
    return open_datasets([scenes.scene(700, 1.5, (160, 90)).parent])


def test_the_cooperative_oracle_is_perfect_and_the_vehicle_sees_less(datasets):
    both = headline(evaluate(oracle_result(datasets, 'cooperative')))
    alone = headline(evaluate(oracle_result(datasets, 'vehicle')))
    assert both['mAP'] > 0.99 and both['AMOTA'] > 0.99 and both['ATE'] < 1e-6
    assert alone['FN'] > both['FN']


def test_no_two_detections_of_an_oracle_score_the_same(datasets):
    result = oracle_result(datasets, 'cooperative')
    scores = [row['score'] for rows in result['detections'].values() for row in rows]
    assert len(set(scores)) == len(scores) > 20
    assert {row['score'] for rows in result['predictions'].values() for row in rows} == {1.0}
    assert result['detections'] == oracle_result(datasets, 'cooperative')['detections']


def test_every_mode_gives_a_valid_result_and_repeats_itself(datasets, tmp_path):
    evaluation = Evaluation(datasets, open_model('random:mini'), Selection(limit=3),
                            lambda instances: (instances, 100), send_cells=lambda cells: (cells, 100))
    for mode in MODES:
        result, cost = evaluation.run(mode)
        again, _ = evaluation.run(mode)
        assert json.dumps(result) == json.dumps(again)
        path = tmp_path / f'{mode}.json'
        path.write_text(json.dumps(result))
        assert read_exchange(path)['name'] == f'random:mini {mode}'
        assert cost.frames == 3
        assert (cost.serialized_bytes > 0) == (mode not in ('none', 'no_messages'))


def test_what_modes_share_is_computed_once_and_equals_a_fresh_run(datasets):
    package = Counting(talkative_model())
    evaluation = Evaluation(datasets, package, Selection(limit=3))
    shared = {mode: evaluation.run(mode)[0] for mode in ('none', 'late', 'late_ab3dmot', 'cooperative',
                                                         'zero_features')}
    assert package.sides == [Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE, Side.COOPERATIVE]
    for mode in ('late', 'zero_features'):
        assert Evaluation(datasets, package, Selection(limit=3)).run(mode)[0] == shared[mode]


def test_payload_follows_the_byte_rule(datasets):
    package = talkative_model()
    evaluation = Evaluation(datasets, package, Selection(limit=2))
    for mode, each in (('late', BYTES_PER_BOX), ('cooperative', 4 * (3 * package.config.embed_dims + 3))):
        _, cost = evaluation.run(mode)
        assert cost.instances > 0
        assert cost.payload_bytes == each * cost.instances


def test_the_oracle_is_measured_on_the_same_frames_as_the_modes(datasets):
    selection = Selection(limit=4)
    result, _ = Evaluation(datasets, open_model('random:mini'), selection).run('none')
    oracle = oracle_result(datasets, 'vehicle', selection)
    assert oracle['ground_truth'] == result['ground_truth'] and len(oracle['ground_truth']) == 4


def test_only_the_chosen_split_counts(datasets):
    folder, dataset = datasets[0]
    assert len(Selection().records(dataset)) == len(Selection(None).records(dataset))
    with pytest.raises(UserError, match="no cooperative frames in split 'train'"):
        Selection('train').records(dataset)


def test_frames_of_folders_with_equal_names_stay_apart(datasets):
    _, dataset = datasets[0]
    result = oracle_result([(Path('a/scene'), dataset), (Path('b/scene'), dataset)], 'vehicle', Selection(limit=2))
    assert len(result['ground_truth']) == 4 and len(result['scenes']) == 2


@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
def test_one_side_is_measured_against_its_own_labels(datasets, side):
    result, cost = Evaluation(datasets, open_model('random:mini'), Selection(limit=3)).run_side(side)
    assert cost.frames == 3 and cost.payload_bytes == 0
    assert evaluate(result)['headline_car']['AP'] is not None


def test_the_command_writes_the_keys_of_the_contract(datasets, tmp_path):
    out, change = tmp_path / 'new' / 'figures.json', tmp_path / 'change.yaml'
    change.write_text('tracker_vehicle: {score_threshold: 0.1}\n')
    arguments = ['eval', '--data', str(datasets[0][0]), '--weights', 'random:mini', '--mode', 'late', '--limit', '2']
    assert main([*arguments, '--config', str(change), '--json', str(out), '--results', str(tmp_path)]) == 0
    figures = json.loads(out.read_text())
    assert {'schema', 'mode', 'weights', 'data', 'vehicle', 'per_class', 'oracle', 'payload_bytes_per_second',
            'serialized_bytes_per_second', 'seconds_per_frame'} <= set(figures)
    assert list(figures['vehicle']) == ['mAP', 'ATE', 'ASE', 'AOE', 'AVE', 'AMOTA', 'AMOTP', 'recall', 'MOTA', 'IDS',
                                        'MT', 'ML', 'FP', 'FN', 'HOTA', 'DetA', 'AssA', 'LocA', 'IDF1', 'AVE_moving']
    assert set(figures['motion']) >= {'heading', 'heading_while_turning', 'velocity'}
    assert {'options', 'seed', 'commit', 'version', 'label_hash', 'models'} <= set(figures)
    assert figures['options']['config'] == {'tracker_vehicle': {'score_threshold': 0.1}}
    assert 'NaN' not in out.read_text()
    assert read_exchange(tmp_path / 'late.json')['frame_rate_hz'] == 10
    change.write_text('tracker_vehicle: {no_such_key: 1}\n')
    assert main([*arguments, '--config', str(change)]) == 2


def test_an_unknown_mode_is_named(datasets):
    with pytest.raises(ValueError, match="unknown mode 'early'"):
        Evaluation(datasets, open_model('random:mini')).run('early')


def test_ground_truth_velocities_fit_the_positions(datasets):
    result = oracle_result(datasets, 'cooperative')
    samples = result['scenes'][0]['samples']
    first, last = (result['ground_truth'][samples[i]['token']] for i in (2, 4))
    for row in result['ground_truth'][samples[3]['token']]:
        ends = [[r for r in rows if r['track_id'] == row['track_id']] for rows in (first, last)]
        if all(ends):
            elapsed = (samples[4]['timestamp_us'] - samples[2]['timestamp_us']) / 1e6
            expected = np.subtract(ends[1][0]['translation'], ends[0][0]['translation'])[:2] / elapsed
            assert np.allclose(row['velocity'], expected)


@pytest.mark.parametrize(('change', 'complaint'), [
    (lambda d: d.pop('scenes'), "'scenes' is missing"),
    (lambda d: d.update(format='x'), 'expected an object with format'),
    (lambda d: d['predictions'].popitem(), "'predictions' lacks 1 samples"),
    (lambda d: d.update(scenes={}), "'scenes' is {}; expected a list"),
    (lambda d: d['class_range'].pop('car'), "'class_range' of class 'car' is missing"),
    (lambda d: d['scenes'][0]['samples'][0].pop('timestamp_us'), "'timestamp_us' is missing"),
    (lambda d: d['scenes'][0]['samples'].append(d['scenes'][0]['samples'][0]), 'a text that no other sample has'),
    (lambda d: first_box(d).pop('score'), "box 0: 'score' is missing"),
    (lambda d: first_box(d).update(name='tram'), "box 0: 'name' is 'tram'; expected one of 'classes'"),
    (lambda d: first_box(d).update(size=[1, 2]), r"'size' is \[1, 2\]; expected width, length and height above 0"),
    (lambda d: first_box(d).update(translation=[0, float('nan'), 0]),
     r"'translation' is \[0, nan, 0\]; expected 3 finite numbers"),
    (lambda d: first_box(d).update(velocity='fast'), "'velocity' is 'fast'; expected 2 finite numbers, or null"),
    (lambda d: d.update(detections={}), "'detections' lacks"),
])
def test_a_damaged_result_file_is_refused_with_its_reason(datasets, tmp_path, change, complaint):
    data = oracle_result(datasets, 'vehicle')
    change(data)
    path = tmp_path / 'result.json'
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=complaint):
        read_exchange(path)


def test_what_is_lost_on_the_way_is_missing(datasets):
    package = talkative_model()
    whole = Evaluation(datasets, package, Selection(limit=2)).run('cooperative')
    none = Evaluation(datasets, package, Selection(limit=2), lambda instances: (instances[:0], 7)).run('cooperative')
    alone = Evaluation(datasets, package, Selection(limit=2)).run('no_messages')
    assert whole[1].instances > 0 and (none[1].instances, none[1].serialized_bytes) == (0, 14)
    assert none[0]['detections'] == alone[0]['detections'] != whole[0]['detections']


def test_the_unit_may_run_another_model(datasets):
    package = talkative_model()
    other = replace(package, config=replace(package.config, tracker_roadside=TrackerConfig(score_threshold=2.0)))
    _, cost = Evaluation(datasets, package, Selection(limit=2), roadside=other).run('cooperative')
    assert cost.instances == 0


def test_other_links_share_what_does_not_depend_on_them(datasets):
    package = Counting(talkative_model())
    channel = Channel(latency_ms=100.0, max_age_ms=500.0)
    shared = Evaluation(datasets, package, Selection(limit=5), caches_bev=True)
    first, _ = shared.run('cooperative')
    before = package.sides.count(Side.ROADSIDE)
    late, cost = shared.under(channel, True, compensation='none').run('cooperative')
    assert package.sides.count(Side.ROADSIDE) == before and 'image_features' not in cost.stage_seconds
    alone = Evaluation(datasets, talkative_model().with_method(compensation='none'), Selection(limit=5),
                       channel=channel, online_extrinsics=True)
    assert json.dumps(late) == json.dumps(alone.run('cooperative')[0]) != json.dumps(first)
    again, _ = shared.run('cooperative')
    assert json.dumps(again) == json.dumps(first)


@pytest.mark.parametrize('execution', ['fast', 'reference'])
def test_known_features_serve_every_execution(datasets, execution):
    shared = Evaluation(datasets, talkative_model(), Selection(limit=2), caches_bev=True, execution=execution)
    first, _ = shared.run('cooperative')
    again, cost = shared.run('cooperative')
    assert json.dumps(again) == json.dumps(first) and 'image_features' not in cost.stage_seconds


def test_studies_of_single_stages_are_refused_where_there_are_none(datasets):
    class Graphs(Counting):
        def tracker(self, side, execution, takes_clouds=False):
            return StepTracker(self._package.network(side), self.config, side)

        def with_method(self, **changes):
            return Graphs(self._package.with_method(**changes))
    package = talkative_model()
    plain = Evaluation(datasets, Graphs(package), Selection(limit=1), roadside=package)
    assert plain.run('cooperative')[0]['predictions']
    studied = Evaluation(datasets, Graphs(package), Selection(limit=1), roadside=package,
                         channel=Channel(rotation_noise_deg=1.0, noise_scope='points'))
    with pytest.raises(UserError, match="'graph' does not have"):
        studied.run('cooperative')


def test_labels_that_cannot_be_measured_end_it_before_the_networks_run(scenes, tmp_path, capsys, monkeypatch):
    folder = shutil.copytree(scenes.scene(700, 1.5, (160, 90)), tmp_path / 'scene')
    path = sorted((folder / 'cooperative/label').glob('*.json'))[3]
    labels = json.loads(path.read_text())
    labels[1]['3d_dimensions']['w'] = 0.0
    path.write_text(json.dumps(labels))
    monkeypatch.setattr(Evaluation, 'run', lambda *args: pytest.fail('the networks ran'))
    assert main(['eval', '--data', str(folder), '--weights', 'random:mini', '--mode', 'none']) == 2
    error = capsys.readouterr().err
    assert "'ground_truth' of scene" in error and "box 1: 'size' is [0.0," in error


def test_figures_are_kept_when_the_disk_is_full_after_the_work(datasets, tmp_path, capsys):
    folder = datasets[0][0]
    (tmp_path / 'results').mkdir()
    (tmp_path / 'results/none.json').symlink_to('/dev/full')
    words = ['eval', '--data', str(folder), '--weights', 'random:mini', '--mode', 'none', '--limit', '3']
    assert main([*words, '--json', '/dev/full']) == 2
    printed = capsys.readouterr()
    assert '"mAP"' in printed.out and '/dev/full cannot be written: No space left on device' in printed.err
    assert main([*words, '--json', str(tmp_path / 'a.json'), '--results', str(tmp_path / 'results')]) == 2
    printed = capsys.readouterr()
    assert 'class car' in printed.out and 'none.json cannot be written: No space left on device' in printed.err
    assert json.loads((tmp_path / 'a.json').read_text())['mode'] == 'none'


def test_a_result_has_the_rate_of_its_frames_and_agents_are_checked(datasets, tmp_path):
    result = oracle_result(datasets, 'vehicle', Selection(hz=2))
    assert result['frame_rate_hz'] == 2 and len(result['scenes'][0]['samples']) == 3
    result['agents'] = {'ego': result['predictions'], 'roadside': {}}
    (tmp_path / 'a.json').write_text(json.dumps(result))
    with pytest.raises(UserError, match="'agents: roadside' lacks 3 samples"):
        read_exchange(tmp_path / 'a.json')
