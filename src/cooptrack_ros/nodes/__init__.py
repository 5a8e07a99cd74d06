"""The ROS nodes: they convert messages, call the core and publish."""

from .interpreter import check_interpreter

check_interpreter()
