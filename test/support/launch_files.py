"""Launch files through the stand-in, and what ROS takes from the commands that they make."""

import shutil
import sys
from pathlib import Path

import rclpy
from launch_runner import NodeCommand, parse_launch

from cooptrack_ros.nodes.given import split_given
from cooptrack_ros.nodes.single_process import split_arguments

ROOT = Path(__file__).parents[2]
PROGRAMS = {'cooptrack_ros': ['ego_node', 'roadside_node', 'link_emulator', 'single_process', 'cooptrack'],
            'rviz2': ['rviz2']}


def install(prefix: Path) -> Path:
    """Fill an install prefix with our package, as a build would leave it."""
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    for package, programs in PROGRAMS.items():
        (index / package).touch()
        for program in programs:
            path = prefix / 'lib' / package / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'#!{sys.executable}\n')
    for folder in ('launch', 'config', 'rviz'):
        shutil.copytree(ROOT / folder, prefix / 'share/cooptrack_ros' / folder)
    return prefix


def plan(prefix: Path, name: str, environment=(), /, **arguments) -> dict[str, NodeCommand]:
    """Return the commands of a launch file by node name."""
    file = prefix / 'share/cooptrack_ros/launch' / f'{name}.launch.xml'
    nodes = parse_launch(file, arguments, {'AMENT_PREFIX_PATH': str(prefix), **dict(environment)}).nodes
    return {n.label: n for n in nodes}


def included(prefix: Path, text: str, **arguments) -> list[NodeCommand]:
    """Return the nodes of a launch file that includes others, which it finds in the argument ``launch_dir``."""
    file = prefix / 'parent.launch.xml'
    file.write_text(text)
    folder = prefix / 'share/cooptrack_ros/launch'
    return parse_launch(file, {'launch_dir': str(folder), **arguments}, {'AMENT_PREFIX_PATH': str(prefix)}).nodes


def given(command, flag: str) -> list[str]:
    """Return the values of a flag in a command line."""
    return [b for a, b in zip(command, command[1:]) if a == flag]


def split_nodes(node: NodeCommand) -> list[tuple[str, list[str], list[rclpy.Parameter]]]:
    """Return name, arguments and given parameters of every node of a process, as our programs hand them to ROS."""
    program, *words = node.command
    name = Path(program).name
    if name != 'single_process':
        return [(name, *split_given(words))]
    return [(name, *made.keywords.values()) for name, made in zip(('ego_node', 'roadside_node'),
                                                                  split_arguments(words)[1], strict=True)]


def taken(node: NodeCommand) -> list[dict]:
    """Return the parameters that ROS itself takes for every node of a process."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    try:
        nodes = [rclpy.create_node(name, context=context, cli_args=arguments, parameter_overrides=given,
                                   use_global_arguments=False, enable_rosout=False, start_parameter_services=False)
                 for name, arguments, given in split_nodes(node)]
        found = [{name: parameter.value for name, parameter in made._parameter_overrides.items()} for made in nodes]
        for made in nodes:
            made.destroy_node()
        return found
    finally:
        context.shutdown()
