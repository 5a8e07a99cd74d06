"""Measurements of time and memory; no ROS here, what needs it stands in ``cli``."""
