"""Recorded messages played again: to nodes, in lockstep, or offline without a middleware."""
