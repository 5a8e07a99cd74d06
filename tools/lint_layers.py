"""Check what imports what: ROS only at the edge, no import upwards, no module beyond 400 lines."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGE = 'cooptrack_ros'
MAX_LINES = 400
ROS_PREFIXES = ('rcl', 'rosidl', 'ament', 'tf2', 'launch', 'ros2')
ROS_NAMES = {'message_filters', 'cv_bridge', 'sensor_msgs_py', 'tf_transformations', 'builtin_interfaces',
             'composition_interfaces', 'std_srvs'}
"""Also every module whose name ends in ``_msgs`` or ``_interfaces``."""
ROS_FOLDERS = {'nodes', 'wire', 'cli'}
ROS_FILES = 'data/bag'
"""Files of this prefix may import ROS too."""
ALLOWED = {
    'core': {'core', 'model'},
    'model': {'model', 'core'},
    'wire': {'wire', 'core'},
    'nodes': {'nodes', 'wire', 'viz', 'core', 'model'},
    'data': {'data', 'core'},
    'train': {'train', 'data', 'core', 'model'},
    'eval': {'eval', 'data', 'core', 'model'},
    'viz': {'viz', 'data', 'core'},
    'demo': {'demo', 'viz', 'eval', 'data', 'core', 'model'},
    'parity': {'parity', 'train', 'core', 'model'},
    'bench': {'bench', 'parity', 'train', 'eval', 'data', 'core', 'model'},
}
"""Sub-packages that each one may import; cli may import all. Bag files of data may import wire."""


def is_ros(module: str) -> bool:
    """Tell whether a top-level module name belongs to ROS."""
    return (module.startswith(ROS_PREFIXES) or module in ROS_NAMES
            or module.endswith(('_msgs', '_interfaces')))


def allowed(folder: str) -> set[str] | None:
    """Return the folders that one may import; None for a folder that may import all."""
    return ALLOWED.get(folder)


def imported(tree: ast.AST, package: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return (line, absolute module name) of every import, also inside functions and import_module calls."""
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
    bag, may = str(relative).startswith(ROS_FILES), allowed(folder)
    package = (PACKAGE, *relative.parts[:-1])
    for line, module in imported(ast.parse(text), package):
        parts = module.split('.')
        if parts[0] != PACKAGE:
            if is_ros(parts[0]) and folder not in ROS_FOLDERS and not bag:
                problems.append(f'{path}:{line}: imports {parts[0]}, ROS is allowed in nodes, wire, cli, data/bag*')
        elif (may is not None and len(parts) > 1 and (root / parts[1]).is_dir()
                and parts[1] not in may | ({'wire'} if bag else set())):
            problems.append(f'{path}:{line}: {folder} must not import {parts[1]}')
    return problems


def main(arguments: list[str]) -> int:
    """Check every Python file below the given package folder."""
    root = Path(arguments[0])
    problems = [p for path in sorted(root.rglob('*.py')) for p in check_file(path, root)]
    print('\n'.join(problems) if problems else 'layers: fine')
    return bool(problems)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
