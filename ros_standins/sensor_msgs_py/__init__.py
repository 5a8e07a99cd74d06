"""Stand-in for the package sensor_msgs_py: only the module point_cloud2."""
