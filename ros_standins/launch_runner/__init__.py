"""
Stand-in for ``ros2 launch`` on XML files, for machines where launch and launch_ros are missing.

Understands the tags launch, arg, let, node, param, remap, set_env, set_parameter, group and include, the attributes
``if`` and ``unless``, and the substitutions var, env, find-pkg-share, dirname and eval of a comparison of strings;
anything else is an error that names tag and file. Left out: Python and YAML launch files, composable nodes, event
handlers, lifecycle events, respawn, prefixes, per-node log files.
"""

from .parse import LaunchError, LaunchPlan, NodeCommand, parse_launch
from .runner import run_plan

__all__ = ['LaunchError', 'LaunchPlan', 'NodeCommand', 'parse_launch', 'run_plan']
