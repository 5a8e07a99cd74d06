"""Check what imports what: arrows go down only, no circle, ROS only at the edge, no module beyond 400 lines."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = 'cooptrack_ros'
MAX_LINES = 400
ROS_PREFIXES = ('rcl', 'rosidl', 'ament', 'tf2', 'launch', 'ros2')
ROS_NAMES = {'message_filters', 'cv_bridge', 'sensor_msgs_py', 'tf_transformations', 'builtin_interfaces',
             'composition_interfaces', 'std_srvs'}
"""Also every module whose name ends in ``_msgs`` or ``_interfaces``."""
ROS_PLACES = ('nodes/', 'wire/', 'replay/', 'doctor/', 'bench/ros_', 'data/bags/')
"""Beginnings of the paths that may import ROS, when they are loaded or later."""
LAYERS = (
    ('common',),
    ('occupancy',),
    ('model', 'sensors', 'cooperation'),
    ('tracking',),
    ('weights', 'wire'),
    ('data',),
    ('train', 'eval', 'viz'),
    ('nodes', 'parity', 'demo'),
    ('replay', 'doctor', 'bench'),
    ('cli',),
)
"""Folders from the ground up; no folder imports another one of its row."""
ALLOWED = {name: {name}.union(*LAYERS[:level]) for level, row in enumerate(LAYERS) for name in row}
"""Folders that each one may import; only the bags of data may import wire."""


def is_ros(module: str) -> bool:
    """Tell whether a top-level module name belongs to ROS."""
    return (module.startswith(ROS_PREFIXES) or module in ROS_NAMES
            or module.endswith(('_msgs', '_interfaces')))


def imported(tree: ast.AST, package: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return (line, absolute name) of every import, also inside functions, for type checkers and by import_module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            stem = '.'.join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f'{stem}.{a.name}') for a in node.names]
        elif (isinstance(node, ast.Call) and getattr(node.func, 'attr', getattr(node.func, 'id', ''))
                in ('import_module', '__import__') and node.args and isinstance(node.args[0], ast.Constant)):
            found.append((node.lineno, str(node.args[0].value)))
    return found


def check_file(path: Path, root: Path) -> list[str]:
    """Return the complaints about one file; ``root`` is the package folder."""
    relative = path.relative_to(root)
    folder = relative.parts[0] if len(relative.parts) > 1 else ''
    text = path.read_text(encoding='utf-8')
    problems = []
    if text.count('\n') > MAX_LINES:
        problems.append(f'{path}: {text.count(chr(10))} lines, at most {MAX_LINES}')
    may = ALLOWED.get(folder)
    if folder and may is None:
        problems.append(f'{path}: {folder} is in no row of LAYERS')
    for line, module in imported(ast.parse(text), (PACKAGE, *relative.parts[:-1])):
        parts = module.split('.')
        if parts[0] != PACKAGE:
            if is_ros(parts[0]) and not relative.as_posix().startswith(ROS_PLACES):
                problems.append(f'{path}:{line}: imports {parts[0]}, ROS is allowed in {", ".join(ROS_PLACES)}')
        elif may is not None and len(parts) > 1 and (root / parts[1]).is_dir() and parts[1] not in may:
            problems.append(f'{path}:{line}: {folder} must not import {parts[1]}')
        elif folder == 'data' and relative.parts[1] != 'bags' and parts[1:2] == ['wire']:
            problems.append(f'{path}:{line}: of data, only bags may import wire')
    return problems


def module_graph(root: Path) -> dict[str, set[str]]:
    """Return which module of the package imports which, whenever and for whomever; packages only if they hold code."""
    names = {}
    for path in sorted(root.rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        names['.'.join((PACKAGE, *(parts[:-1] if parts[-1] == '__init__' else parts)))] = path
    graph = {}
    for name, path in names.items():
        package = (PACKAGE, *path.relative_to(root).parts[:-1])
        used = set()
        for _, module in imported(ast.parse(path.read_text(encoding='utf-8')), package):
            owner = module if module in names else module.rpartition('.')[0]
            used.add(owner)
        graph[name] = used & set(names) - {name}
    return graph


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the sets of modules that import each other in a circle, sorted (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            place = stack.index(name)
            members = stack[place:]
            del stack[place:]
            if len(members) > 1:
                found.append(sorted(members))

    for name in graph:
        if name not in index:
            visit(name)
    return sorted(found)


def main(arguments: list[str]) -> int:
    """Check every Python file below the given package folder."""
    root = Path(arguments[0])
    problems = [p for path in sorted(root.rglob('*.py')) for p in check_file(path, root)]
    problems += [f'circle of imports: {", ".join(members)}' for members in circles(module_graph(root))]
    print('\n'.join(problems) if problems else 'layers: fine')
    return bool(problems)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
