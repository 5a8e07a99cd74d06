"""Tensor operations shared by the modules."""
