"""From an XML launch file to the commands of its nodes."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .substitution import LaunchError, package_prefix, split_command, substitute

__all__ = ['LaunchError', 'LaunchPlan', 'NodeCommand', 'parse_launch']

_ATTRIBUTES = {
    'launch': {'version'}, 'arg': {'name', 'default', 'description', 'value'}, 'let': {'name', 'value'},
    'node': {'pkg', 'exec', 'name', 'namespace', 'args', 'output', 'on_exit'},
    'param': {'name', 'value', 'from', 'type'},
    'remap': {'from', 'to'}, 'set_env': {'name', 'value'}, 'set_parameter': {'name', 'value'},
    'group': {'scoped'}, 'include': {'file'},
}
_CHILDREN = {
    'launch': {'arg', 'let', 'node', 'set_env', 'set_parameter', 'group', 'include'},
    'group': {'let', 'node', 'set_env', 'set_parameter', 'group', 'include', 'arg'},
    'node': {'param', 'remap'}, 'include': {'arg', 'let'},
}
_WITHOUT_CONDITION = {'launch', 'param', 'remap'}
"""Launch reads no ``if`` there."""


@dataclass(frozen=True)
class NodeCommand:
    """One process to start."""

    label: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    required: bool
    """Its end ends the launch (``on_exit="shutdown"``)."""


@dataclass
class LaunchPlan:
    """All processes, and the arguments that the file declares with their descriptions and defaults."""

    nodes: list[NodeCommand] = field(default_factory=list)
    arguments: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@dataclass
class _Scope:
    file: Path
    variables: dict[str, str]
    environment: dict[str, str]
    given: Mapping[str, str]
    parameters: list[tuple[str, str]] | None = None
    """Of all nodes that follow. As in launch_ros, a group goes on with the list of what is around it, so that what it
    adds stays there, unless it begins the list."""

    def text(self, value: str) -> str:
        return substitute(value, self.variables, self.environment, self.file)


def parse_launch(file: Path, arguments: Mapping[str, str], environment: Mapping[str, str] | None = None) -> LaunchPlan:
    """
    Return what a launch file would start.

    :param arguments: values of ``name:=value`` on the command line.
    :raises LaunchError: for anything that is wrong or unsupported, also for undeclared arguments.
    """
    plan = LaunchPlan()
    scope = _Scope(Path(file).resolve(), dict(arguments), dict(os.environ if environment is None else environment),
                   dict(arguments))
    _parse_file(scope, plan)
    unknown = set(arguments) - set(plan.arguments)
    if unknown:
        raise LaunchError(f"{file}: no argument '{sorted(unknown)[0]}'; declared: {', '.join(plan.arguments)}")
    return plan


def _parse_file(scope: _Scope, plan: LaunchPlan) -> None:
    try:
        root = ElementTree.parse(scope.file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise LaunchError(f'{scope.file}: {error}') from error
    if root.tag != 'launch':
        raise LaunchError(f'{scope.file}: the outer tag must be launch, not {root.tag}')
    _check(root, scope.file)
    for child in root:
        _entity(child, scope, plan)


def _check(element: ElementTree.Element, file: Path) -> None:
    conditions = set() if element.tag in _WITHOUT_CONDITION else {'if', 'unless'}
    unknown = set(element.attrib) - _ATTRIBUTES[element.tag] - conditions
    if unknown:
        raise LaunchError(f"{file}: tag {element.tag}: attribute '{sorted(unknown)[0]}' is not supported here")
    for child in element:
        if child.tag not in _CHILDREN.get(element.tag, set()):
            raise LaunchError(f'{file}: tag {child.tag} inside {element.tag} is not supported here')
        _check(child, file)


def _wanted(element: ElementTree.Element, scope: _Scope) -> bool:
    for name, expected in (('if', True), ('unless', False)):
        if name in element.attrib:
            value = scope.text(element.attrib[name]).lower()
            if value not in ('true', 'false', '1', '0'):
                raise LaunchError(f'{scope.file}: {name}="{value}" must be true or false')
            if (value in ('true', '1')) is not expected:
                return False
    return True


def _entity(element: ElementTree.Element, scope: _Scope, plan: LaunchPlan) -> None:
    if not _wanted(element, scope):
        return
    get = element.attrib.get
    if element.tag == 'arg':
        name, default = element.attrib['name'], get('default')
        plan.arguments.setdefault(name, (get('description', ''), default))
        if name not in scope.given:
            if default is None:
                raise LaunchError(f"{scope.file}: argument '{name}' is required: {get('description', '')}")
            scope.variables.setdefault(name, scope.text(default))
    elif element.tag == 'let':
        scope.variables[element.attrib['name']] = scope.text(element.attrib['value'])
    elif element.tag == 'set_env':
        scope.environment[scope.text(element.attrib['name'])] = scope.text(element.attrib['value'])
    elif element.tag == 'set_parameter':
        if scope.parameters is None:
            scope.parameters = []
        scope.parameters.append((scope.text(element.attrib['name']), scope.text(element.attrib['value'])))
    elif element.tag == 'group':
        scoped = get('scoped', 'true').lower() == 'true'
        inner = _Scope(scope.file, dict(scope.variables), dict(scope.environment), scope.given,
                       scope.parameters) if scoped else scope
        for child in element:
            _entity(child, inner, plan)
    elif element.tag == 'include':
        values = {c.attrib['name']: scope.text(c.attrib['value' if 'value' in c.attrib else 'default'])
                  for c in element if _wanted(c, scope)}
        # As in launch, both files have the same variables: what an include declares holds for what follows, too,
        # up to the end of the group.
        scope.variables.update(values)
        inner = _Scope(Path(scope.text(element.attrib['file'])), scope.variables, scope.environment, scope.variables,
                       scope.parameters)
        _parse_file(inner, LaunchPlan(plan.nodes, {}))
    else:
        plan.nodes.append(_node(element, scope))


def _value(attributes: Mapping[str, str], scope: _Scope) -> str:
    """Return the value of a parameter as YAML; without a type it is what YAML makes of the text, if there is one."""
    if 'type' not in attributes and attributes['value']:
        return attributes['value']
    if attributes.get('type', 'str') != 'str':
        raise LaunchError(f"{scope.file}: param {attributes['name']}: type {attributes['type']} is not supported here")
    quoted = attributes['value'].replace("'", "''")
    return f"'{quoted}'"


def _node(element: ElementTree.Element, scope: _Scope) -> NodeCommand:
    attributes = {k: scope.text(v) for k, v in element.attrib.items() if k not in ('if', 'unless', 'args')}
    package, executable = attributes['pkg'], attributes['exec']
    program = package_prefix(package, scope.environment, scope.file) / 'lib' / package / executable
    if not program.is_file():
        raise LaunchError(f"{scope.file}: package '{package}' has no executable '{executable}' ({program})")
    ros_args = []
    if 'name' in attributes:
        ros_args += ['-r', f'__node:={attributes["name"]}']
    if 'namespace' in attributes:
        ros_args += ['-r', f'__ns:=/{attributes["namespace"].strip("/")}']
    for name, value in scope.parameters or ():
        ros_args += ['-p', f'{name}:={value}']
    for child in element:
        values = {k: scope.text(v) for k, v in child.attrib.items()}
        if child.tag == 'remap':
            ros_args += ['-r', f'{values["from"]}:={values["to"]}']
        elif 'from' in values:
            ros_args += ['--params-file', values['from']]
        else:
            ros_args += ['-p', f'{values["name"]}:={_value(values, scope)}']
    arguments = split_command(element.attrib.get('args', ''), scope.variables, scope.environment, scope.file)
    command = (str(program), *arguments, *(['--ros-args', *ros_args] if ros_args else []))
    return NodeCommand(attributes.get('name', executable), command, dict(scope.environment),
                       attributes.get('on_exit') == 'shutdown')
