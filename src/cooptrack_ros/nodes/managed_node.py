"""A life-cycle node that survives wrong requests, and whose callbacks say why they failed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, State, TransitionCallbackReturn

from ..common.errors import UserError
from ..common.text import readable_lines

Transition = Callable[..., TransitionCallbackReturn]


def explained(callback: Transition) -> Transition:
    """
    Return a transition that says why it fails, which rclpy does not.

    A UserError refuses the transition; any other error is one of ours, after which ``on_error`` cleans up.
    """
    @wraps(callback)
    def transition(node: LifecycleNode, state: State) -> TransitionCallbackReturn:
        try:
            return callback(node, state)
        except UserError as error:
            node.get_logger().error(readable_lines(str(error)))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # Once the process is asked to end, nothing can be created any more.
            if node.context.ok():
                node.get_logger().error(f'{callback.__name__} failed: {error!r}')
            return TransitionCallbackReturn.ERROR
    return transition


class ManagedNode(LifecycleNode):
    """Answers a transition that does not fit its state with ``success: false``; rclpy would end the process."""

    def __init__(self, name: str, **options):
        """Take over the service that changes the state."""
        super().__init__(name, **options)
        service, = (s for s in self.services if s.srv_type is ChangeState)
        self._change = service.callback
        service.callback = self._change_if_it_fits

    def _change_if_it_fits(self, request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        possible = {label: number for number, label, *_ in self._state_machine.available_transitions}
        wanted = request.transition.label or request.transition.id
        if wanted in possible or wanted in possible.values():
            return self._change(request, response)
        state = self._state_machine.current_state[1]
        self.get_logger().warning(f"transition '{wanted}' was refused: the node is {state}, possible is "
                                  + (', '.join(possible) or 'nothing'))
        response.success = False
        return response
