"""ROS 2 bags: written from data sets, read, cut, merged."""
