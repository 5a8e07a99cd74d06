"""Voxels of roadside units in the grid of the vehicle: placed, joined with its own, filled in where it sees nothing."""
