"""Translation between arrays and ROS messages; the only place, with the nodes, that knows the messages."""
