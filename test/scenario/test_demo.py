"""The demonstration runs from a seed to pictures, and its files agree with each other."""

import json
import shutil

import pytest

from cooptrack_ros.cli import main as cli
from cooptrack_ros.common.types import Side
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.report import headline
from cooptrack_ros.eval.result_files import read_exchange
from cooptrack_ros.model.occupancy.head import OccupancyHead
from cooptrack_ros.model.occupancy.sizes import MINI_HEAD
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.weights.store_parts import save_occupancy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_short_demo_leaves_everything_that_it_promises(tmp_path, capsys):
    out = tmp_path / 'demo'
    arguments = ['demo', '--seconds', '1', '--weights', 'random:mini', '--size', '320x180', '--out', str(out)]
    assert cli.main(arguments) == 0
    metrics = json.loads((out / 'metrics.json').read_text())
    for mode in ('ego_only', 'late', 'cooperative', 'cooperative_features_zeroed'):
        assert {'mAP', 'AMOTA', 'recall', 'IDS', 'FP', 'FN'} <= set(metrics[mode])
    assert metrics['bytes_per_second'] > 0
    assert 0 < metrics['latency_ms']['p50'] <= metrics['latency_ms']['p95']
    result = read_exchange(out / 'tracks.json')
    assert set(result['modes']) == {'ego_only', 'late', 'cooperative', 'cooperative_features_zeroed'}
    measured = headline(evaluate(result))
    assert all(metrics['cooperative'][name] == pytest.approx(value) for name, value in measured.items())
    assert (out / 'pictures' / 'tracks.gif').is_file()
    assert (out / 'recording' / 'metadata.yaml').is_file()

    scene = sorted((out / 'cache').iterdir())
    stamps = [p.stat().st_mtime_ns for p in scene]
    assert cli.main(arguments) == 0
    assert [p.stat().st_mtime_ns for p in sorted((out / 'cache').iterdir())] == stamps


def test_a_demo_with_voxels_draws_the_street(tmp_path):
    out, model = tmp_path / 'demo', tmp_path / 'model'
    shutil.copytree(open_model('mini').folder, model)
    package = open_model(str(model))
    for side in Side:
        save_occupancy(package, side, OccupancyHead(package.config, MINI_HEAD.with_queries('tracker')), {})
    assert cli.main(['demo', '--occupancy', '--seconds', '1', '--weights', str(model), '--size', '320x180',
                     '--out', str(out)]) == 0
    found = json.loads((out / 'metrics.json').read_text())['occupancy']
    assert found['grid'] == 'mini' and found['bytes_per_second'] > 0
    assert set(found['ego_only']) == set(found['cooperative']) == {'camera', 'unit_only'}
    assert (out / 'pictures' / 'voxels.png').is_file()
