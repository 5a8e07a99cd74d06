"""Exported steps against PyTorch over several frames."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')

from support.exported import Exported
from support.small_steps import OWN, PUBLISHED, assert_same, frames_with_a_gap, make_network, messages_of

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import BackboneConfig
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.fixed_shape.export import Capacity, export
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.tracking.tracker import AgentTracker

_TINY = {'encoder_layers': 1, 'decoder_layers': 1, 'reasoning_layers': 1}
TINY_OWN = dataclasses.replace(OWN, **_TINY)
TINY_PUBLISHED = dataclasses.replace(PUBLISHED, **_TINY, backbone=BackboneConfig(
    'compact', (8, 8, 8, 8), (1, 1, 1, 1), 32))


class ExportedProgram:
    """Runs exported files where a ``StepTracker`` runs a step."""

    def __init__(self, program, exported):
        """Take the place of a program of the tracker."""
        self._exported, self._geometry, self.step = exported, program.geometry, program.step

    def alone(self, state, inputs):
        """Do a frame."""
        return self._exported.alone(state, inputs, self._geometry)

    def first(self, state, inputs, slots):
        """Do a frame up to the affinities."""
        return self._exported.first(state, inputs, slots, self._geometry)

    def second(self, *arguments):
        """Do the rest of a frame."""
        return self._exported.second(*arguments)


def exported_tracker(network, folder, slots, monkeypatch):
    """Return a tracker whose frames run in onnxruntime, for one unit with a number of slots."""
    monkeypatch.setattr('cooptrack_ros.tracking.fixed_shape.tracker.SLOTS', slots)
    config, side = network.config, network.side
    export(network, folder, {'model': 'tiny'}, Capacity(slots=slots))
    tracker = StepTracker(network, config, side, fixed=True)
    make = tracker._program_for
    files = Exported(folder, side.value)
    tracker._program_for = lambda inputs: ExportedProgram(make(inputs), files)
    return tracker, files.description


@pytest.mark.timeout(400)
@pytest.mark.parametrize(('config', 'side'), [
    pytest.param(TINY_OWN, Side.VEHICLE, marks=pytest.mark.slow, id='vehicle'),
    pytest.param(TINY_PUBLISHED, Side.ROADSIDE, marks=pytest.mark.slow, id='published roadside'),
    pytest.param(TINY_OWN, Side.COOPERATIVE, id='cooperative')])
def test_an_exported_side_reports_what_pytorch_reports(config, side, tmp_path, monkeypatch):
    network = make_network(config, side)
    exported, description = exported_tracker(network, tmp_path, 24, monkeypatch)
    reference = AgentTracker(network, config, side)
    states, carried, fused = [exported.initial(), reference.initial()], 0, 0
    source = messages_of(config, 1)
    for frame in frames_with_a_gap():
        messages = source(frame) if side is Side.COOPERATIVE else ()
        (first, output), (second, expected) = (
            t.step(s, frame, messages) for t, s in zip((exported, reference), states, strict=True))
        states = [first, second]
        assert_same(output, expected, atol=5e-4)
        carried += len(output.instances)
        fused += len(output.matches)
    assert carried and (fused or side is not Side.COOPERATIVE)
    assert description['queries'] == config.num_queries and description['side'] == side.value
    for part in description['parts']:
        assert (tmp_path / part['file']).is_file()
        assert {entry['from'] for entry in part['inputs']} <= {
            'state', 'frame', 'calibration', 'messages', 'layout', 'first'}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_documented_program_runs(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[4] / 'docs' / 'export.md').read_text(encoding='utf-8')
    program, = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    assert main(['export', '--weights', 'mini', '--side', 'vehicle', '--out', 'onnx']) == 0
    exec(compile(program, 'docs/export.md', 'exec'), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-10:]] == [str(i) for i in range(10)]


def test_the_command_writes_the_files_of_a_side(tmp_path, monkeypatch, capsys):
    calls = []

    def written(network, folder, title, capacity):
        calls.append((network.side, title, capacity))
        return [folder / 'roadside.onnx', folder / 'roadside.json']
    monkeypatch.setattr('cooptrack_ros.tracking.fixed_shape.export.export', written)
    assert main(['export', '--weights', 'mini', '--side', 'roadside', '--out', str(tmp_path), '--cameras', '1']) == 0
    (side, title, capacity), = calls
    assert side is Side.ROADSIDE and title['model'] == 'mini' and len(title['model_id']) == 16
    assert capacity == Capacity(1, 1, 64)
    assert 'roadside.onnx' in capsys.readouterr().out


@pytest.mark.parametrize(('option', 'value', 'reported'), [
    ('--units', '0', 'units'), ('--cameras', '3', 'cameras'), ('--slots', '0', 'slots')])
def test_the_command_refuses_sizes_that_cannot_be(option, value, reported, tmp_path, capsys):
    assert main(['export', '--weights', 'mini', '--side', 'cooperative', '--out', str(tmp_path), option, value]) == 2
    assert reported in capsys.readouterr().err


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(UserError, match='pip install onnx onnxscript'):
        export(CoopTrackNetwork(TINY_OWN, Side.VEHICLE), tmp_path, {}, Capacity())


def test_networks_that_fuse_before_the_decoder_are_refused(tmp_path):
    config = dataclasses.replace(TINY_OWN, method=dataclasses.replace(
        TINY_OWN.method, fusion_stage='before_decoder'))
    with pytest.raises(UserError, match='after the decoder'):
        export(CoopTrackNetwork(config, Side.COOPERATIVE), tmp_path, {}, Capacity())


def test_the_description_is_plain_data(tmp_path, monkeypatch):
    def write(part, network, folder):
        (folder / part.name).touch()
        return {'file': part.name}
    monkeypatch.setattr('cooptrack_ros.tracking.fixed_shape.export._write', write)
    paths = export(CoopTrackNetwork(TINY_OWN, Side.COOPERATIVE), tmp_path, {'model': 'x'}, Capacity(1, 2, 7))
    data = json.loads(paths[-1].read_text())
    assert (data['model'], data['units'], data['slots']) == ('x', 2, 7)
    assert np.allclose(data['range_m'], TINY_OWN.ego_range.pc_range)
