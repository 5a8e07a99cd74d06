"""The ROS nodes: they convert messages, call the core and publish."""
