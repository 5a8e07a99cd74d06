"""Occupancy tracking over data sets: the network, and the baselines of the paper, as arms of one run."""
