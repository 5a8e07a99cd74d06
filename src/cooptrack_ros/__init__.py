"""Cooperative camera-only 3D tracking for ROS 2."""

__version__ = '0.1.0'
