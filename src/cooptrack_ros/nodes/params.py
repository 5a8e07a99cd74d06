"""Declare a settings class as ROS parameters and read it back."""

from __future__ import annotations

from dataclasses import fields, replace

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..common.declaration import Declaration
from ..common.errors import UserError
from .settings import Settings, ros_name


class Parameters:
    """The settings of one node; live changes replace the snapshot as a whole."""

    def __init__(self, node: Node, settings: Settings):
        """
        Declare every parameter with its range and description.

        :raises UserError: for a value outside its range or choices, naming the parameter.
        """
        self._fields = {ros_name(item): item for item in fields(settings)}
        values = {}
        for name, item in self._fields.items():
            try:
                default = Parameter.Type.BOOL if item.default is None else item.default
                values[item.name] = node.declare_parameter(name, default, _descriptor(item)).value
            except Exception as error:
                raise UserError(f"parameter '{name}': {error}") from error
            problem = _problem(name, item, values[item.name])
            if problem:
                raise UserError(problem)
        self.current = settings(**values)
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {}
        for parameter in parameters:
            item = self._fields.get(parameter.name)
            if item is None:
                continue
            problem = _problem(parameter.name, item, parameter.value)
            if not item.metadata['live'] and parameter.value != getattr(self.current, item.name):
                problem = f"parameter '{parameter.name}' cannot change while the node runs"
            if problem:
                return SetParametersResult(successful=False, reason=problem)
            changes[item.name] = parameter.value
        self.current = replace(self.current, **changes)
        return SetParametersResult(successful=True)


def _problem(name: str, item, value) -> str:
    if value is None and item.default is not None:
        return f"parameter '{name}' is not set to anything"
    expected = Declaration(**item.metadata).expected(value)
    return f"parameter '{name}' is {value!r}, expected {expected}" if expected else ''


def _descriptor(item) -> ParameterDescriptor:
    meta = item.metadata
    text = meta['description'] + (f" [{meta['unit']}]" if meta['unit'] else '')
    descriptor = ParameterDescriptor(
        read_only=not meta['live'], description=text,
        additional_constraints=f"one of {', '.join(meta['choices'])}" if meta['choices'] else '')
    if meta['low'] is not None and isinstance(item.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(meta['low']), to_value=float(meta['high']))]
    elif meta['low'] is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(meta['low']), to_value=int(meta['high']), step=1)]
    return descriptor
