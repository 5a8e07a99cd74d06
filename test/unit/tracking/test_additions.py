"""Cooperation that adds to the vehicle's network: without messages it is the vehicle's, to the last bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, central, make_frame, make_message, make_tracker

from cooptrack_ros.common.config import load_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.cooperation.additions import Opinion
from cooptrack_ros.model.instances.boxes import codes_from_boxes
from cooptrack_ros.model.network import ADDED, CoopTrackNetwork
from cooptrack_ros.tracking.execution import make_tracker as arranged
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.train.tracking_stage import TrackingStage
from cooptrack_ros.weights.store import open_model, save_side

NEAR = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, max_match_distance_m=2.0))
"""Few pairs."""


def cooperative_of(vehicle: AgentTracker, execution: str = 'reference', config=CONFIG) -> AgentTracker:
    """Return a tracker whose network is that of another one with new additions."""
    network = CoopTrackNetwork(config, Side.COOPERATIVE)
    assert not network.load_state_dict(vehicle.network.state_dict(), strict=False).unexpected_keys
    return arranged(network, config, Side.COOPERATIVE, 'cpu', execution)


@pytest.fixture(scope='module')
def vehicle():
    return make_tracker(Side.VEHICLE, 0.0)


@pytest.fixture(scope='module')
def instances():
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return tracker.step(tracker.initial(), make_frame(0))[1].instances


def reports(tracker, messages=(), frames=4):
    """Return all that a tracker says of some frames, bit by bit."""
    state, found = tracker.initial(), []
    for index in range(frames):
        state, output = tracker.step(state, make_frame(index), messages)
        for boxes in (output.tracks, output.detections, output.instances.boxes):
            found += [getattr(boxes, f.name).tobytes() for f in dataclasses.fields(boxes)]
        found += [output.instances.semantic.tobytes(), output.instances.ref_points.tobytes(), output.live.tobytes()]
    return found


@pytest.mark.parametrize('execution', ['reference', 'fast'])
def test_frames_without_a_message_are_those_of_the_vehicle_bit_for_bit(vehicle, instances, execution):
    alone = arranged(vehicle.network, CONFIG, Side.VEHICLE, 'cpu', execution)
    together = cooperative_of(vehicle, execution)
    for name in ADDED:
        for parameter in getattr(together.network, name).parameters():
            torch.nn.init.normal_(parameter)
    assert reports(alone) == reports(together)
    assert reports(alone) != reports(together, [make_message(instances[:5])])
    # A unit that sees nothing says nothing.
    assert reports(alone) == reports(together, [make_message(instances[:0])])


def test_rows_of_which_nobody_spoke_stay_as_they_are(vehicle, instances):
    together, seen = cooperative_of(vehicle, config=NEAR), {}
    inputs = together.prepare(make_frame(0))
    frames = [together.stages.step(None, inputs, messages, lambda: torch.arange(CONFIG.num_queries),
                                   seen.__setitem__, lambda stage: None)
              for messages in ([], [make_message(instances[:5])])]
    sources = frames[1].fusion.sources
    quiet = (sources.unit < 0).nonzero().flatten()
    assert 0 < len(quiet) < CONFIG.num_queries
    # They only have other places among the rows.
    codes, logits = (torch.cdist(getattr(frames[1].rows, n)[quiet], getattr(frames[0].rows, n), p=float('inf'))
                     for n in ('codes', 'logits'))
    assert ((codes < 1e-4) & (logits < 1e-4)).any(-1).all()


def test_what_the_vehicle_has_nothing_to_set_against_passes_as_it_was_said(vehicle, instances):
    together, message = cooperative_of(vehicle, config=NEAR), make_message(instances[:6], shift_x=-50.0)
    _, output = together.step(together.initial(), make_frame(0), [message])
    said = message.instances.boxes
    found = output.detections
    for place in range(len(said)):
        distance = np.linalg.norm(found.centre - said.centre[place] + [50.0, 0, 0], axis=1)
        # Matched ones are weighed; those that were taken over are exactly there.
        if distance.min() < 1e-3:
            row = distance.argmin()
            np.testing.assert_allclose(found.size[row], said.size[place], rtol=1e-4)
            assert found.label[row] == said.label[place]
            assert found.score[row] == pytest.approx(said.score[place], abs=1e-4)
            break
    else:
        raise AssertionError('every instance was matched')


def test_a_new_opinion_is_that_of_the_surer_side():
    network = CoopTrackNetwork(CONFIG, Side.COOPERATIVE)
    own = Opinion(torch.tensor([[3.0, -5, -5], [-9.0, -9, -9]]), torch.zeros(2, 10))
    said = Opinion(torch.tensor([[-6.0, -9, -9], [-9.0, 4, -9]]), torch.ones(2, 10))
    both = network.aggregation.weigh(own, said, *torch.zeros(2, 2, CONFIG.embed_dims))
    assert torch.equal(both.logits, torch.maximum(own.logits, said.logits))
    assert (both.codes[0] < 1e-3).all() and (both.codes[1] > 0.999).all()


def stage_with(vehicle):
    torch.manual_seed(1)
    network = CoopTrackNetwork(CONFIG, Side.COOPERATIVE)
    network.load_state_dict(vehicle.network.state_dict(), strict=False)
    recipe = RECIPES['mini-cooperative']
    # Random weights see an object somewhere else in every layer.
    return TrackingStage(network, dataclasses.replace(recipe, losses=dataclasses.replace(
        recipe.losses, distance_gate_m=30.0, association_gate_m=30.0)))


def test_training_changes_the_additions_and_nothing_else(vehicle):
    stage, twin = stage_with(vehicle), make_tracker(Side.VEHICLE, MANY)
    # What somebody else sees at the same places.
    instances = twin.step(twin.initial(), make_frame(0))[1].instances
    before = {n: p.clone() for n, p in stage.network.state_dict().items()}
    trained = [p for p in stage.modules.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.01)
    codes, count = codes_from_boxes(instances.boxes), len(instances)
    targets = Targets(codes, torch.zeros(count, dtype=torch.long), torch.arange(count))
    for index in range(3):
        # A lost message has losses too.
        # The range of units begins at their lidar, that of the vehicle 51.2 m behind its own.
        message = make_message(central(instances, 12 if index != 1 else 0), shift_x=-51.2)
        terms = stage.frame_losses(0, stage_inputs(index), targets, message)
        optimiser.zero_grad()
        sum(t.value for t in terms.values()).backward()
        optimiser.step()
    changed = {n.split('.')[0] for n, p in stage.network.state_dict().items() if not torch.equal(p, before[n])}
    assert changed == set(ADDED)
    assert {n.split('.')[0] for n, p in stage.network.named_parameters() if p.requires_grad} == set(ADDED)
    assert reports(vehicle) == reports(AgentTracker(stage.network, CONFIG, Side.COOPERATIVE))


def stage_inputs(index):
    return make_tracker(Side.VEHICLE, 0.0).prepare(make_frame(index))


def test_a_stored_model_holds_the_vehicle_once(tmp_path, vehicle):
    folder, together = tmp_path / 'model', cooperative_of(vehicle)
    save_side(folder, CONFIG, Side.VEHICLE, vehicle.network, {})
    save_side(folder, CONFIG, Side.COOPERATIVE, together.network, {})
    package = open_model(str(folder))
    sizes = {s: (folder / f'{s.value}.safetensors').stat().st_size for s in (Side.VEHICLE, Side.COOPERATIVE)}
    assert sizes[Side.COOPERATIVE] < sizes[Side.VEHICLE]
    network, before = package.network(Side.COOPERATIVE), package.model_id(Side.COOPERATIVE)
    for name, value in package.network(Side.VEHICLE).state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    torch.nn.init.normal_(vehicle.network.query_features.weight[:1])
    save_side(folder, CONFIG, Side.VEHICLE, vehicle.network, {})
    assert open_model(str(folder)).model_id(Side.COOPERATIVE) != before


@pytest.mark.parametrize('changes, key', [
    ({'method': {'cooperation': 'parts'}}, 'method.cooperation'),
    ({'method': {'fusion_stage': 'before_decoder'}}, 'method.fusion_stage')])
def test_a_configuration_that_cannot_be_is_refused(changes, key):
    with pytest.raises(ValueError, match=f"'{key}'"):
        load_config({'preset': 'mini', **changes})
