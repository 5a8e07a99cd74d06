"""Training of the occupancy head: voxels as targets, losses of masks, and the stage."""
