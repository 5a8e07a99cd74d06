"""No part of the step of fixed shapes makes the host wait for a device."""

import pytest
import torch
from support.host_waits import HostWait, NoHostWaits
from support.small_steps import OWN, PUBLISHED, make_network
from support.small_tracker import make_frame
from torch.utils import _pytree as pytree

from cooptrack_ros.common.timeline import StampedPose
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.bev.geometry import bev_geometry
from cooptrack_ros.model.fast.images import ImageScaler
from cooptrack_ros.model.fast.network import FastNetwork
from cooptrack_ros.tracking.fixed_shape.cooperative import CooperativeStep, Layout
from cooptrack_ros.tracking.fixed_shape.inputs import step_input
from cooptrack_ros.tracking.fixed_shape.messages import fill_slots
from cooptrack_ros.tracking.fixed_shape.step import FrameStep, state_of
from cooptrack_ros.tracking.tracker import AgentTracker


def to_meta(tensors):
    return pytree.tree_map(lambda t: t.to('meta'), tensors)


@pytest.mark.parametrize('offence', [
    lambda x: x.sum().item(), lambda x: x.nonzero(), lambda x: x[x > 0], lambda x: x[[0, 1]],
    lambda x: x[..., [0, 1]], lambda x: x + x.new_tensor([1.0, 2, 3]),
    lambda x: torch.linalg.inv(x), lambda x: x if x.sum() > 0 else -x, lambda x: x.cpu(),
    lambda x: torch.tensor([1.0], device=x.device), lambda x: torch.unique(x), lambda x: torch.equal(x, x),
    lambda x: x.__setitem__(x > 0, x[0]), lambda x: x.masked_select(x > 0)],
    ids=['item', 'nonzero', 'mask', 'list', 'list behind', 'new_tensor', 'inv', 'if', 'cpu', 'tensor',
         'unique', 'equal', 'set by mask', 'masked_select'])
def test_the_check_finds_an_offender(offence):
    with pytest.raises((HostWait, RuntimeError, NotImplementedError)), NoHostWaits():
        offence(torch.zeros(3, 3, device='meta'))


def test_the_check_lets_pass_what_a_device_does_alone():
    x = torch.zeros(3, 3, device='meta')
    with NoHostWaits():
        y = torch.where(x > 0, x, -x).masked_fill(x > 1, 0) @ x
        assert torch.cat([y, x.new_zeros(1, 3)]).index_select(0, torch.arange(2, device='meta')).shape == (2, 3)


@pytest.mark.parametrize('config', [OWN, PUBLISHED], ids=['own', 'published'])
@pytest.mark.parametrize('side', list(Side))
def test_no_part_of_a_step_waits(config, side):
    frame = make_frame(0)
    prepared = AgentTracker(make_network(config, side), config, side).prepare(frame)
    network = FastNetwork(make_network(config, side).to('meta'))
    step, geometry = FrameStep(network), bev_geometry(config, side, prepared.img_from_lidar)
    stamped_pose = StampedPose('a', 0, frame.global_from_lidar, prepared.stamped_pose.can_bus)
    inputs = to_meta(step_input(config, side, prepared.images, stamped_pose, None, torch.arange(config.num_queries), 1))
    state, count = step.initial(), config.num_queries
    with torch.inference_mode():
        step(state, inputs, geometry)  # What is worked out once per calibration may wait.
        if side is not Side.COOPERATIVE:
            with NoHostWaits():
                result = step(state, inputs, geometry)
        else:
            slots = to_meta(fill_slots([], 5, config.embed_dims, len(config.class_names)))
            slots = slots._replace(**{n: x.new_zeros(2, *x.shape[1:]) for n, x in slots._asdict().items()})
            layout = to_meta(Layout(*(torch.zeros(n, dtype=torch.int64) for n in (10, 10, count, count))))
            cooperative = CooperativeStep(step)
            with NoHostWaits():
                perceived = cooperative.first(state, inputs, slots, geometry)
                result = cooperative.second(perceived, slots, layout, inputs.next_id)
            assert perceived.logits.shape == (count, 10)
    assert result.codes.shape == (count, 10)
    assert [x.shape for x in state_of(result)] == [x.shape for x in state]
    assert [x.dtype for x in state_of(result)] == [x.dtype for x in state]


def test_scaling_images_does_not_wait():
    scaler = ImageScaler((90, 160), OWN).to('meta')
    with NoHostWaits():
        assert scaler(torch.zeros(1, 90, 160, 3, dtype=torch.uint8, device='meta')).shape == (1, 3, 64, 96)
