"""Detection and tracking metrics through nuscenes-devkit, and the runs that are measured."""
