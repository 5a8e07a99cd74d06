"""Finds the inputs of the ego node in a running system or a bag."""
