"""Types, settings, geometry and tracking logic; knows nothing of ROS."""
