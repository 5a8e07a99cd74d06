"""What the tests of several folders share: configurations, trackers, cameras, data sets, a ROS world."""
