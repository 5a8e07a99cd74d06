"""Life-cycle requests of a manager: none of them ends a node, whatever state it is in."""

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import TransitionCallbackReturn
from support.ros_world import EgoWorld, FakePackage, camera_image

from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode

CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP = (
    Transition(id=Transition.TRANSITION_CONFIGURE), Transition(id=Transition.TRANSITION_ACTIVATE),
    Transition(id=Transition.TRANSITION_DEACTIVATE), Transition(id=Transition.TRANSITION_CLEANUP))
SHUTDOWN = Transition(label='shutdown')


class Manager:
    """Calls the services of a node as ``ros2 lifecycle set`` does."""

    def __init__(self, world, node):
        self._world, self._name = world, node.get_fully_qualified_name()

    def _call(self, kind, service, request):
        client = self._world.probe.create_client(kind, f'{self._name}/{service}')
        self._world.until(client.service_is_ready, service)
        future = client.call_async(request)
        self._world.until(future.done, 'the answer')
        return future.result()

    def change(self, *transitions):
        """Return whether each of the transitions was done."""
        return [self._call(ChangeState, 'change_state', ChangeState.Request(transition=t)).success for t in transitions]

    def state(self):
        return self._call(GetState, 'get_state', GetState.Request()).current_state.label


@pytest.mark.parametrize(('before', 'wrong', 'state'), [
    ([], ACTIVATE, 'unconfigured'), ([], DEACTIVATE, 'unconfigured'), ([], CLEANUP, 'unconfigured'),
    ([CONFIGURE], CONFIGURE, 'inactive'), ([CONFIGURE], DEACTIVATE, 'inactive'),
    ([CONFIGURE, ACTIVATE], CONFIGURE, 'active'), ([CONFIGURE, ACTIVATE], CLEANUP, 'active'),
    ([CONFIGURE, ACTIVATE], Transition(id=Transition.TRANSITION_INACTIVE_SHUTDOWN), 'active'),
    ([CONFIGURE], Transition(label='start'), 'inactive'), ([CONFIGURE], Transition(id=99), 'inactive'),
    ([SHUTDOWN], CONFIGURE, 'finalized')])
def test_a_transition_that_does_not_fit_the_state_is_refused_and_the_node_goes_on(world, before, wrong, state):
    manager = Manager(world, world.start(RoadsideNode, '/infra/rsu_1', FakePackage(), autostart=False))
    assert manager.change(*before) == [True] * len(before)
    assert manager.change(wrong) == [False]
    assert manager.state() == state


def test_a_node_can_go_round_the_whole_cycle_twice(world):
    for kind, namespace in ((EgoNode, '/ego'), (RoadsideNode, '/infra/rsu_1')):
        manager = Manager(world, world.start(kind, namespace, FakePackage(), autostart=False))
        for _ in range(2):
            assert manager.change(CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP) == [True] * 4
        assert manager.state() == 'unconfigured'


@pytest.mark.parametrize(('kind', 'parameters'), [
    (EgoNode, {'infra_units': 'rsu-1'}), (EgoNode, {'infra_units': 'rsu_1,größe'}), (EgoNode, {'infra_units': '7'}),
    (EgoNode, {'infra_units': 'rsu-1', 'fusion__mode': 'none'}),
    (RoadsideNode, {'unit_id': 'größe'}), (RoadsideNode, {'unit_id': '7'}), (RoadsideNode, {'unit_id': ''}),
    (RoadsideNode, {'unit_id': 'a/b'}), (RoadsideNode, {'unit_id': '{node}'}), (EgoNode, {'cameras': 'front-left'})])
def test_a_name_that_cannot_be_part_of_a_topic_is_refused_at_configure(world, capfd, kind, parameters):
    manager = Manager(world, world.start(kind, '/n', FakePackage(), autostart=False, **parameters))
    assert manager.change(CONFIGURE) == [False]
    assert manager.state() == 'unconfigured'
    text = capfd.readouterr().err
    assert f"parameter '{next(iter(parameters))}'" in text
    assert 'expected a letter' in text


def test_stop_needs_no_finished_activate_and_a_failed_one_leaves_nothing_behind(world, capfd, monkeypatch):
    ego = world.start(EgoNode, '/ego', FakePackage(), autostart=False)
    ego.stop()
    assert ego.trigger_configure() is TransitionCallbackReturn.SUCCESS

    def fail():
        raise RuntimeError('no room for a subscription')
    with monkeypatch.context() as patch:
        patch.setattr(ego, 'subscribe', fail)
        manager = Manager(world, ego)
        assert manager.change(ACTIVATE) == [False]
    ego.stop()
    assert 'no room for a subscription' in capfd.readouterr().err
    assert manager.state() == 'unconfigured'
    assert manager.change(CONFIGURE, ACTIVATE) == [True, True]


def test_stopping_in_the_middle_of_a_frame_is_no_fault(world):
    ego = EgoWorld(world, lockstep=True)
    world.publish('/ego/ego_node/input/image/compressed', camera_image(ego.now_ns))
    world.until(lambda: ego.node.health.counts['image.received'], 'the image')
    # It waits for a pose that never comes.
    ego.node.stop()
    assert not any(name.startswith('dropped') for name in ego.node.health.counts)


def test_what_fails_because_the_process_ends_is_no_internal_error(world):
    ego = EgoWorld(world)
    world.context.shutdown()
    ego.node.node_context.failed(RuntimeError("publisher's context is invalid"))
    assert not ego.node.health.dropped('image', 'internal_error')
