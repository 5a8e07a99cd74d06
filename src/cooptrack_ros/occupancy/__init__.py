"""Voxels with class and identity: grids, labels, merging of masks and metrics; plain arrays, no network."""
