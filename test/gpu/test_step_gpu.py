"""The step of fixed shapes on a GPU: graphs, waits and memory; the default execution there."""

import copy
import dataclasses
import gc

import numpy as np
import pytest
import torch
from support.small_steps import OWN, PUBLISHED, assert_same, frames_with_a_gap, make_network, messages_of
from support.small_tracker import make_frame

from cooptrack_ros.common.config import R50
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.fast.images import ImageScaler
from cooptrack_ros.model.image.preprocess import prepare_image
from cooptrack_ros.tracking.execution import make_tracker
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.tracking.tracker import AgentTracker

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def exact_products():
    """Compare without the rounding of TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def big_frame(index):
    """Return a frame of 1080 x 1920."""
    frame = make_frame(index)
    image = np.random.default_rng(index).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    larger = np.diag([12.0, 12, 1, 1]) @ frame.img_from_lidar
    return dataclasses.replace(frame, images=(image,), img_from_lidar=larger)


@pytest.mark.parametrize('config', [OWN, PUBLISHED], ids=['own', 'published'])
@pytest.mark.parametrize('side', list(Side))
def test_graphs_report_what_the_tracker_as_written_reports_on_a_cpu(config, side):
    network, source = make_network(config, side), messages_of(config, 2)
    reference = AgentTracker(network, config, side)
    expected, state = [], reference.initial()
    for frame in frames_with_a_gap():
        state, output = reference.step(state, frame, source(frame) if side is Side.COOPERATIVE else ())
        expected.append(output)
    tracker = StepTracker(network, config, side, 'cuda')
    state = tracker.initial()
    for frame, wanted in zip(frames_with_a_gap(), expected, strict=True):
        state, output = tracker.step(state, frame, source(frame) if side is Side.COOPERATIVE else ())
        assert_same(output, wanted, atol=2e-3)


def test_graphs_report_exactly_what_the_same_functions_report():
    network = make_network(OWN, Side.VEHICLE).cuda()
    outputs = []
    for records in (True, False):
        tracker = StepTracker(network, OWN, Side.VEHICLE, 'cuda')
        state, seen = tracker.initial(), []
        program = tracker._program_for(tracker.prepare(make_frame(0)))
        program.records = records
        for index in range(4):
            state, output = tracker.step(state, make_frame(index))
            seen.append(output)
        outputs.append(seen)
    for graph, eager in zip(*outputs, strict=True):
        assert_same(graph, eager, atol=1e-6)


@pytest.mark.parametrize('side', list(Side))
def test_the_host_waits_at_the_marked_places_only(side):
    tracker, source = StepTracker(make_network(OWN, side), OWN, side, 'cuda'), messages_of(OWN, 1)
    frames = [make_frame(i) for i in range(4)]
    given = [source(f) if side is Side.COOPERATIVE else () for f in frames]
    state, _ = tracker.step(tracker.initial(), frames[0], given[0])
    torch.cuda.set_sync_debug_mode('error')
    try:
        for frame, messages in zip(frames[1:], given[1:], strict=True):
            state, output = tracker.step(state, frame, messages)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert len(output.detections)


def test_memory_of_the_published_size_stays_flat_and_below_one_and_a_half_gigabytes():
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    tracker = StepTracker(make_network(R50, Side.VEHICLE), R50, Side.VEHICLE, 'cuda')
    state = tracker.initial()
    for index in range(5):
        state, _ = tracker.step(state, big_frame(index))
    used = torch.cuda.memory_reserved()
    for index in range(5, 40):
        state, _ = tracker.step(state, big_frame(index))
    # One block of the allocator, for numbers of live tracks that did not occur before.
    assert torch.cuda.memory_reserved() - used <= 20 * 2 ** 20
    assert torch.cuda.max_memory_reserved() < 1.5e9


@pytest.mark.parametrize('resize', ['linear', 'area'])
def test_images_scaled_on_the_gpu_are_those_of_training(resize):
    config = dataclasses.replace(R50, resize=resize)
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    ours = ImageScaler((1080, 1920), config).cuda()(torch.from_numpy(image)[None].cuda())[0].cpu().numpy()
    np.testing.assert_allclose(ours, prepare_image(image, config), atol=1e-4)


@pytest.mark.parametrize('side', list(Side))
@pytest.mark.parametrize('execution', ['reference', 'fast'])
def test_the_default_tracker_reports_on_a_gpu_what_it_reports_on_a_cpu(side, execution):
    network, source = make_network(OWN, side), messages_of(OWN, 2)
    trackers = [make_tracker(copy.deepcopy(network), OWN, side, device, execution) for device in ('cpu', 'cuda')]
    states = [t.initial() for t in trackers]
    for frame in frames_with_a_gap():
        given = source(frame) if side is Side.COOPERATIVE else ()
        results = [t.step(s, frame, given) for t, s in zip(trackers, states, strict=True)]
        states = [s for s, _ in results]
        assert_same(results[1][1], results[0][1], atol=2e-3)


def test_graphs_are_what_is_made_on_request_only():
    network = make_network(OWN, Side.VEHICLE)
    assert type(make_tracker(network, OWN, Side.VEHICLE, 'cuda', 'graph')) is StepTracker
    assert type(make_tracker(network, OWN, Side.VEHICLE, 'cuda')) is AgentTracker
